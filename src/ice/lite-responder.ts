import { GatewayError } from "../errors.ts"
import { ByteWriter } from "../media/bytes.ts"
import { pathKey, type TransportAddress } from "./ip-address.ts"
import {
  BINDING,
  CLASS_ERROR,
  CLASS_INDICATION,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  ERROR_CODE,
  findAttribute,
  type HmacSha1,
  hasValidIntegrity,
  ICE_CONTROLLED,
  type ParsedStunMessage,
  PRIORITY,
  parseStunMessage,
  type StunAttribute,
  serializeStunMessage,
  serializeXorAddress,
  UNKNOWN_ATTRIBUTES,
  USE_CANDIDATE,
  USERNAME,
  XOR_MAPPED_ADDRESS,
} from "./stun.ts"

/** What checks of a session must show: our login, and the peer's ufrag where its session description is there. */
export interface CheckCredentials {
  readonly localUfrag: string
  readonly localPwd: string
  readonly remoteUfrag?: string | undefined
}

/** What a datagram came to. */
export type IceOutcome<Session> =
  | {
      readonly type: "answered"
      readonly session: Session
      /** The ufrag that the check named, which tells the old credentials from the new ones after an ICE restart. */
      readonly localUfrag: string
      readonly response: Uint8Array
      /** True where this check made its source the address to send to. */
      readonly selected: boolean
    }
  /** An error answer for a check that names a session but did not pass; never longer than the check. */
  | { readonly type: "refused"; readonly errorCode: number; readonly response: Uint8Array }
  /** Nothing to send: garbage, somebody else's message, or a keep-alive. */
  | { readonly type: "dropped"; readonly reason: "malformed" | "unknown" | "indication" }

interface Entry<Session> {
  readonly session: Session
  readonly localUfrag: string
  readonly key: Uint8Array
  username: string | undefined
  /** Key of the path that was selected last. */
  selected: string | undefined
  /** Transactions of the newest checks and the path that each came by first, oldest first. */
  readonly heard: Map<string, string>
}

/**
 * The answering half of ICE for many sessions on one port: finds the session of a connectivity check by the ufrag in USERNAME,
 * verifies MESSAGE-INTEGRITY before anything is believed, answers, and says when the address to send to has changed. The first
 * authenticated check sets that address, as OBS and ffmpeg send no candidates; later ones move it with USE-CANDIDATE alone.
 * PRIORITY and a role are not required, as ffmpeg 8.0 sends neither. RFC 8445 sections 2.5 and 7.3, RFC 8489 section 9.1.
 */
export class IceLiteResponder<Session> {
  readonly #hmacSha1: HmacSha1
  readonly #entries = new Map<string, Entry<Session>>()

  constructor(hmacSha1: HmacSha1) {
    this.#hmacSha1 = hmacSha1
  }

  /** Number of ufrags registered; a session has two while it waits for the first check after an ICE restart. */
  get size(): number {
    return this.#entries.size
  }

  /** Makes checks that name this ufrag lead to the session. */
  register(credentials: CheckCredentials, session: Session): void {
    const { localUfrag, localPwd, remoteUfrag } = credentials
    if (this.#entries.has(localUfrag)) throw new Error(`ufrag ${localUfrag} is taken`)
    this.#entries.set(localUfrag, {
      session,
      localUfrag,
      key: new TextEncoder().encode(localPwd),
      username: remoteUfrag === undefined ? undefined : `${localUfrag}:${remoteUfrag}`,
      selected: undefined,
      heard: new Map(),
    })
  }

  /** From now on checks must name the peer's ufrag too: its answer has come. */
  setRemoteUfrag(localUfrag: string, remoteUfrag: string): void {
    const entry = this.#entries.get(localUfrag)
    if (entry) entry.username = `${localUfrag}:${remoteUfrag}`
  }

  /** The path is gone: where it was the selected one, the next authenticated check selects another. */
  forgetPath(localUfrag: string, path: TransportAddress): void {
    const entry = this.#entries.get(localUfrag)
    if (entry?.selected === pathKey(path)) entry.selected = undefined
  }

  /** Forgets a ufrag; unknown ones are no error. */
  remove(localUfrag: string): void {
    this.#entries.delete(localUfrag)
  }

  /** Takes one datagram that begins with a byte from 0 to 3; borrows it and never throws. */
  push(datagram: Uint8Array, source: TransportAddress): IceOutcome<Session> {
    if (datagram.length > MAX_CHECK_BYTES) return MALFORMED
    try {
      return this.#handle(datagram, parseStunMessage(datagram), source)
    } catch (error) {
      if (error instanceof GatewayError) return MALFORMED
      throw error
    }
  }

  #handle(datagram: Uint8Array, message: ParsedStunMessage, source: TransportAddress): IceOutcome<Session> {
    if (message.method !== BINDING) return UNKNOWN
    if (message.messageClass === CLASS_INDICATION) return INDICATION
    if (message.messageClass !== CLASS_REQUEST) return UNKNOWN // a lite agent asks nothing, so nobody answers it
    const username = decodeUsername(findAttribute(message, USERNAME))
    const entry = this.#entries.get(username.split(":", 1)[0] as string)
    if (!entry) return UNKNOWN
    if (message.integrityOffset === undefined) return this.#refuse(datagram, message, 400, "Bad Request")
    const isUsername = entry.username === undefined || entry.username === username
    if (!isUsername || !hasValidIntegrity(datagram, message, entry.key, this.#hmacSha1)) {
      return this.#refuse(datagram, message, 401, "Unauthenticated")
    }
    const unknown = message.attributes.filter(({ type }) => type < COMPREHENSION_OPTIONAL && !KNOWN.has(type))
    if (unknown.length > 0) {
      const types = new ByteWriter(2 * unknown.length)
      for (const { type } of unknown) types.u16(type)
      const extra = { type: UNKNOWN_ATTRIBUTES, value: types.finish() }
      return this.#refuse(datagram, message, 420, "Unknown Attribute", entry, extra)
    }
    // The peer takes us for the controlling side, which a lite agent never is: this makes it change over (RFC 8445 section 7.3.1.1).
    if (findAttribute(message, ICE_CONTROLLED)) return this.#refuse(datagram, message, 487, "Role Conflict", entry)
    return isCopy(message, entry, pathKey(source)) ? UNKNOWN : this.#answer(message, entry, source)
  }

  #answer(message: ParsedStunMessage, entry: Entry<Session>, source: TransportAddress): IceOutcome<Session> {
    const value = serializeXorAddress(source, message.transactionId)
    const response = serializeStunMessage(
      {
        messageClass: CLASS_SUCCESS,
        method: BINDING,
        transactionId: message.transactionId,
        attributes: [{ type: XOR_MAPPED_ADDRESS, value }],
      },
      { key: entry.key, hmacSha1: this.#hmacSha1 },
    )
    const path = pathKey(source)
    const isNominated = findAttribute(message, USE_CANDIDATE) !== undefined
    const selected = entry.selected === undefined || (isNominated && entry.selected !== path)
    if (selected) entry.selected = path
    return { type: "answered", session: entry.session, localUfrag: entry.localUfrag, response, selected }
  }

  /** Errors 400 and 401 go out unsigned, as their receiver shares no password with us; none is longer than what it answers. */
  #refuse(
    datagram: Uint8Array,
    message: ParsedStunMessage,
    errorCode: number,
    reason: string,
    signer?: Entry<Session>,
    extra?: StunAttribute,
  ): IceOutcome<Session> {
    const value = new ByteWriter(4 + reason.length).u16(0).u8(Math.trunc(errorCode / 100))
    value.u8(errorCode % 100).bytes(new TextEncoder().encode(reason))
    const attributes = [{ type: ERROR_CODE, value: value.finish() }]
    if (extra) attributes.push(extra)
    const error = { messageClass: CLASS_ERROR, method: BINDING, transactionId: message.transactionId, attributes }
    const integrity = signer && { key: signer.key, hmacSha1: this.#hmacSha1 }
    const response = serializeStunMessage(error, integrity)
    if (!signer && response.length > datagram.length) return UNKNOWN
    return { type: "refused", errorCode, response }
  }
}

/** True for an earlier check that comes again from elsewhere: it is as authentic as it was, but whoever overheard it may have sent it. */
function isCopy<Session>({ transactionId }: ParsedStunMessage, { heard }: Entry<Session>, path: string): boolean {
  const transaction = String.fromCharCode(...transactionId)
  const before = heard.get(transaction)
  if (before !== undefined) return before !== path
  heard.set(transaction, path)
  const [oldest] = heard.keys()
  if (heard.size > MAX_TRANSACTIONS && oldest !== undefined) heard.delete(oldest)
  return false
}

/** ufrags are printable ASCII (RFC 8839 section 5.4); anything else matches no session. */
function decodeUsername(value: Uint8Array | undefined): string {
  if (!value || value.length > MAX_USERNAME_BYTES) return ""
  return String.fromCharCode(...value)
}

const MALFORMED = { type: "dropped", reason: "malformed" } as const
const UNKNOWN = { type: "dropped", reason: "unknown" } as const
const INDICATION = { type: "dropped", reason: "indication" } as const

const COMPREHENSION_OPTIONAL = 0x8000
const KNOWN = new Set([USERNAME, PRIORITY, USE_CANDIDATE])
const MAX_CHECK_BYTES = 1280
const MAX_USERNAME_BYTES = 513
/** Two minutes of checks, as browsers send one each 2.5 s. */
const MAX_TRANSACTIONS = 48
