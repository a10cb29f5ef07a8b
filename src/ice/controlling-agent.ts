import { GatewayError } from "../errors.ts"
import { ByteWriter } from "../media/bytes.ts"
import { pathKey, type TransportAddress } from "./ip-address.ts"
import {
  BINDING,
  CLASS_ERROR,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  ERROR_CODE,
  findAttribute,
  type HmacSha1,
  hasValidIntegrity,
  ICE_CONTROLLING,
  type ParsedStunMessage,
  PRIORITY,
  parseStunMessage,
  type StunAttribute,
  serializeStunMessage,
  serializeXorAddress,
  USE_CANDIDATE,
  USERNAME,
  XOR_MAPPED_ADDRESS,
} from "./stun.ts"

/** One side's login, RFC 8839 section 5.4. */
export interface AgentLogin {
  readonly ufrag: string
  readonly pwd: string
}

/** What the agent works with. */
export interface ControllingAgentOptions {
  readonly local: AgentLogin
  readonly remote: AgentLogin
  /** The peer's addresses, best first; never empty. */
  readonly candidates: readonly TransportAddress[]
  readonly hmacSha1: HmacSha1
  readonly randomBytes: (count: number) => Uint8Array
  /** First time-out of a check; 500 ms where nothing is known of the round trip. RFC 8489 section 6.2.1. */
  readonly rtoMs?: number
}

/** What the agent wants done, and what it has found out. */
export type AgentEvent =
  | { readonly type: "send"; readonly datagram: Uint8Array; readonly to: TransportAddress }
  /** An authentic answer came from here: this is the address to send to. Once. */
  | { readonly type: "selected"; readonly path: TransportAddress }
  /** No candidate answers, or the peer has stopped to consent (RFC 7675). Nothing follows. */
  | { readonly type: "failed"; readonly text: string }

/**
 * The asking half of ICE towards a peer whose candidates are all known, as those of an ICE-lite gateway are: one check to each,
 * 50 ms apart and all with USE-CANDIDATE, until the first is answered; then a consent check each 5 s or so. It answers checks, too.
 * Contract: `start` once, then `push` for each datagram and `onTimeout` at `nextTimeoutMs`. RFC 8445 sections 7.2 and 8.1.1, RFC 7675.
 */
export class ControllingAgent {
  readonly #options: ControllingAgentOptions
  readonly #localKey: Uint8Array
  readonly #remoteKey: Uint8Array
  readonly #tieBreaker: Uint8Array
  #checks: Check[] = []
  #selected: TransportAddress | undefined
  #consentUntilMs = 0
  #nextConsentMs = 0
  /** Transactions of consent checks since the last one that was answered. */
  #asked: string[] = []
  #hasFailed = false

  constructor(options: ControllingAgentOptions) {
    this.#options = options
    this.#localKey = new TextEncoder().encode(options.local.pwd)
    this.#remoteKey = new TextEncoder().encode(options.remote.pwd)
    this.#tieBreaker = options.randomBytes(8)
  }

  /** When `onTimeout` has something to do. */
  get nextTimeoutMs(): number {
    if (this.#hasFailed) return Number.POSITIVE_INFINITY
    if (this.#selected) return Math.min(this.#nextConsentMs, this.#consentUntilMs)
    return Math.min(...this.#checks.map(({ dueMs }) => dueMs))
  }

  /** Sends the first check at once. */
  start(nowMs: number): AgentEvent[] {
    const { candidates, rtoMs = RTO_MS } = this.#options
    this.#checks = candidates.map((to, index) => {
      const { transaction, datagram } = this.#createCheck()
      return { to, transaction, datagram, sends: 0, rtoMs, dueMs: nowMs + index * PACING_MS }
    })
    return this.onTimeout(nowMs)
  }

  /** Takes a datagram that begins with a byte from 0 to 3; borrows it and never throws. */
  push(datagram: Uint8Array, source: TransportAddress, nowMs: number): AgentEvent[] {
    if (this.#hasFailed || datagram.length > MAX_MESSAGE_BYTES) return []
    try {
      const message = parseStunMessage(datagram)
      if (message.method !== BINDING) return []
      switch (message.messageClass) {
        case CLASS_REQUEST:
          return this.#answer(datagram, message, source)
        case CLASS_SUCCESS:
          return this.#onSuccess(datagram, message, source, nowMs)
        case CLASS_ERROR:
          return this.#onError(message, source)
        default:
          return []
      }
    } catch (error) {
      if (error instanceof GatewayError) return []
      throw error
    }
  }

  /** Does what is due: checks for the first time or once more, consent. */
  onTimeout(nowMs: number): AgentEvent[] {
    if (this.#hasFailed) return []
    return this.#selected ? this.#askForConsent(this.#selected, nowMs) : this.#sendChecks(nowMs)
  }

  #sendChecks(nowMs: number): AgentEvent[] {
    const events: AgentEvent[] = []
    for (const check of this.#checks) {
      if (nowMs < check.dueMs) continue
      if (check.sends === MAX_SENDS) {
        this.#checks = this.#checks.filter((other) => other !== check)
        continue
      }
      check.sends++
      // The last one is waited for as long as 16 of the first time-outs.
      check.dueMs = nowMs + (check.sends === MAX_SENDS ? LAST_WAIT * check.rtoMs : 2 ** (check.sends - 1) * check.rtoMs)
      events.push({ type: "send", datagram: check.datagram, to: check.to })
    }
    return this.#checks.length > 0 ? events : [...events, this.#fail("no address of the peer answers our checks")]
  }

  #askForConsent(to: TransportAddress, nowMs: number): AgentEvent[] {
    if (nowMs >= this.#consentUntilMs) return [this.#fail(`no answer to our checks for ${CONSENT_EXPIRY_MS} ms`)]
    if (nowMs < this.#nextConsentMs) return []
    const { transaction, datagram } = this.#createCheck()
    this.#asked.push(transaction)
    this.#scheduleConsent(nowMs)
    return [{ type: "send", datagram, to }]
  }

  /** 0.8 to 1.2 of the interval, RFC 7675 section 5.1. */
  #scheduleConsent(nowMs: number): void {
    const [random = 0] = this.#options.randomBytes(1)
    this.#nextConsentMs = nowMs + CONSENT_INTERVAL_MS * (0.8 + (0.4 * random) / 255)
  }

  #onSuccess(datagram: Uint8Array, message: ParsedStunMessage, source: TransportAddress, nowMs: number): AgentEvent[] {
    const transaction = transactionKey(message)
    if (!hasValidIntegrity(datagram, message, this.#remoteKey, this.#options.hmacSha1)) return []
    if (this.#selected) {
      if (!this.#asked.includes(transaction) || pathKey(source) !== pathKey(this.#selected)) return []
      this.#asked = []
      this.#consentUntilMs = nowMs + CONSENT_EXPIRY_MS
      return []
    }
    const check = this.#findCheck(message, source)
    if (!check) return []
    this.#selected = check.to
    this.#checks = []
    this.#consentUntilMs = nowMs + CONSENT_EXPIRY_MS
    this.#scheduleConsent(nowMs)
    return [{ type: "selected", path: check.to }]
  }

  /** Answers 400 and 401 carry no integrity, so the transaction alone shows that they come from where the check went. */
  #onError(message: ParsedStunMessage, source: TransportAddress): AgentEvent[] {
    const check = this.#findCheck(message, source)
    if (!check) return []
    const [, , hundreds = 0, rest = 0] = findAttribute(message, ERROR_CODE) ?? []
    this.#checks = this.#checks.filter((other) => other !== check)
    if (this.#checks.length > 0) return []
    return [this.#fail(`the peer refused our check with ${(hundreds & 7) * 100 + rest}`)]
  }

  /** An answer must come from where the check went, RFC 8445 section 7.2.5.2.1. */
  #findCheck(message: ParsedStunMessage, source: TransportAddress): Check | undefined {
    const transaction = transactionKey(message)
    return this.#checks.find((check) => check.transaction === transaction && pathKey(check.to) === pathKey(source))
  }

  /** A peer that checks us finds us; the addresses that we send to are our own choice all the same. */
  #answer(datagram: Uint8Array, message: ParsedStunMessage, source: TransportAddress): AgentEvent[] {
    const { local, remote, hmacSha1 } = this.#options
    const username = findAttribute(message, USERNAME)
    const isOurs = username && new TextDecoder().decode(username) === `${local.ufrag}:${remote.ufrag}`
    if (!isOurs || !hasValidIntegrity(datagram, message, this.#localKey, hmacSha1)) return []
    const isConflict = findAttribute(message, ICE_CONTROLLING) !== undefined
    const attribute = isConflict
      ? { type: ERROR_CODE, value: ROLE_CONFLICT }
      : { type: XOR_MAPPED_ADDRESS, value: serializeXorAddress(source, message.transactionId) }
    const response = serializeStunMessage(
      {
        messageClass: isConflict ? CLASS_ERROR : CLASS_SUCCESS,
        method: BINDING,
        transactionId: message.transactionId,
        attributes: [attribute],
      },
      { key: this.#localKey, hmacSha1 },
    )
    return [{ type: "send", datagram: response, to: source }]
  }

  #createCheck(): { transaction: string; datagram: Uint8Array } {
    const { local, remote, hmacSha1, randomBytes } = this.#options
    const attributes: StunAttribute[] = [
      { type: USERNAME, value: new TextEncoder().encode(`${remote.ufrag}:${local.ufrag}`) },
      { type: PRIORITY, value: new ByteWriter(4).u32(PEER_REFLEXIVE_PRIORITY).finish() },
      { type: ICE_CONTROLLING, value: this.#tieBreaker },
      { type: USE_CANDIDATE, value: new Uint8Array(0) },
    ]
    const message = { messageClass: CLASS_REQUEST, method: BINDING, transactionId: randomBytes(12), attributes }
    const datagram = serializeStunMessage(message, { key: this.#remoteKey, hmacSha1 })
    return { transaction: transactionKey(message), datagram }
  }

  #fail(text: string): AgentEvent {
    this.#hasFailed = true
    return { type: "failed", text }
  }
}

interface Check {
  readonly to: TransportAddress
  readonly transaction: string
  readonly datagram: Uint8Array
  readonly rtoMs: number
  sends: number
  /** When it is to be sent for the first time or once more, or given up. */
  dueMs: number
}

function transactionKey({ transactionId }: { readonly transactionId: Uint8Array }): string {
  return String.fromCharCode(...transactionId)
}

const RTO_MS = 500
const MAX_SENDS = 7
const LAST_WAIT = 16
/** Ta of RFC 8445 section 14.2. */
const PACING_MS = 50
const CONSENT_INTERVAL_MS = 5_000
const CONSENT_EXPIRY_MS = 30_000
const MAX_MESSAGE_BYTES = 1280
/** RFC 8445 section 5.1.2.1 with type preference 110, the only local candidate. */
const PEER_REFLEXIVE_PRIORITY = 110 * 2 ** 24 + 65_535 * 2 ** 8 + 255
const ROLE_CONFLICT = new ByteWriter(17).u16(0).u8(4).u8(87).bytes(new TextEncoder().encode("Role Conflict")).finish()
