import { GatewayError } from "../../errors.ts"
import { pathKey, type TransportAddress } from "../../ice/ip-address.ts"
import type { MiniSdpAnswer, MiniSdpForm } from "./forms.ts"
import type { OfferCarrier, ReceivedAnswer, SignalingPeer } from "./play-session.ts"

/** How an offer goes out. */
export interface UdpCarrierOptions {
  readonly form: MiniSdpForm
  /** The media port of the gateway. */
  readonly gateway: TransportAddress
  /** The gateway's name in the URL. */
  readonly host: string
  /** `app/stream?token=…`. */
  readonly streamUrl: string
  /** 16 bits, another one than that of the client's last offer. */
  readonly seq: number
  /**
   * What the gateway gave to this address before: it takes the address for checked, and our ClientHello, which goes out right behind the
   * offer, without waiting for a check (0-RTT). Empty where there is none.
   */
  readonly cookie: Uint8Array
}

/**
 * Carries an offer in one datagram over the session's own socket, again and again until it is answered: at 0, 20 and 60 ms, then
 * with doubling pauses. The exchange throws `stream.not_live` where no answer comes, and what the status of an error answer stands for.
 */
export class UdpCarrier implements OfferCarrier {
  readonly family: 4 | 6
  readonly #options: UdpCarrierOptions
  #seq: number
  #waiting: ((answer: MiniSdpAnswer) => void) | undefined
  #answer: MiniSdpAnswer | undefined

  constructor(options: UdpCarrierOptions) {
    this.#options = options
    this.#seq = options.seq
    this.family = options.gateway.family
  }

  /** Of the last answer: for the next session, empty where the gateway gave none. */
  get cookie(): Uint8Array {
    return this.#answer?.cookie ?? NO_BYTES
  }

  async exchange(sdp: string, peer: SignalingPeer): Promise<ReceivedAnswer> {
    const { cookie } = this.#options
    const first = await this.#ask(sdp, cookie, peer)
    // A gateway that is short of room lets only those in who show that they are where they say: by the cookie that it sends.
    const isAskedBack = first.answer.status !== 0 && first.answer.cookie.length > 0 && cookie.length === 0
    if (isAskedBack) this.#seq = (this.#seq + 1) & 0xffff
    const { answer, hasHello, roundTripMs } = isAskedBack ? await this.#ask(sdp, first.answer.cookie, peer) : first
    if (answer.status !== 0) throw refusal(answer)
    return { sdp: answer.sdp, address: this.#options.gateway, roundTripMs, hasHello: hasHello && answer.immSend }
  }

  async #ask(sdp: string, cookie: Uint8Array, peer: SignalingPeer) {
    const { form, gateway, host, streamUrl } = this.#options
    const datagram = form.encodeOffer({ host, streamUrl, seq: this.#seq, cookie, sdp })
    const startedMs = performance.now()
    const answered = Promise.withResolvers<MiniSdpAnswer>()
    this.#waiting = answered.resolve
    const hello = cookie.length > 0 ? peer.beginHandshake() : undefined
    const sendOffer = (hasHello: boolean) => {
      peer.send(datagram, gateway)
      if (hasHello && hello !== undefined) peer.send(hello, gateway)
    }
    // Each copy of the hello is answered, so the first ones go without: on most ways the answer has only not come yet.
    const timers = REPEATS_MS.map((delayMs, i) => setTimeout(() => sendOffer(i >= REPEATS_WITHOUT_HELLO), delayMs))
    const timeout = setTimeout(() => answered.reject(silent(gateway)), TIMEOUT_MS)
    sendOffer(true)
    try {
      const answer = await answered.promise
      // After a repeat nobody knows which copy was answered (Karn's rule), so that is an upper bound.
      return { answer, hasHello: hello !== undefined, roundTripMs: performance.now() - startedMs }
    } finally {
      this.#waiting = undefined
      for (const timer of [...timers, timeout]) clearTimeout(timer)
    }
  }

  /** Takes the first answer of this exchange; garbage, other answers and those of others are dropped. */
  onSignal(datagram: Uint8Array, source: TransportAddress): void {
    const { form, gateway } = this.#options
    if (this.#waiting === undefined || pathKey(source) !== pathKey(gateway)) return
    try {
      const answer = form.decodeAnswer(datagram)
      if (answer.seq !== this.#seq) return
      this.#answer = answer
      this.#waiting(answer)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
    }
  }

  /** Ends the session at the gateway too, which the goodbye of DTLS alone does only once there are keys. */
  onClosing(peer: SignalingPeer): void {
    const stop = this.#answer?.stop()
    if (stop) peer.send(stop, this.#options.gateway)
  }
}

function silent({ address, port }: TransportAddress): GatewayError {
  return new GatewayError("stream.not_live", `no answer from ${address} port ${port} after ${TIMEOUT_MS} ms`)
}

function refusal({ status, reason }: MiniSdpAnswer): GatewayError {
  const { code, text } = REFUSALS[status] ?? { code: "sdp.unsupported" as const, text: "refused the offer" }
  const words = reason.replace(/\p{Cc}/gu, " ").slice(0, MAX_REASON_CHARS)
  return new GatewayError(code, `the gateway ${text} (status ${status}${words && `: ${words}`})`)
}

const REFUSALS: Record<number, Pick<GatewayError, "code"> & { readonly text: string }> = {
  100: { code: "minisdp.packet", text: "could not read the offer" },
  101: { code: "sdp.unsupported", text: "cannot serve the offer" },
  102: { code: "stream.name", text: "does not allow the stream's name" },
  103: { code: "access.denied", text: "does not let us in: check the token in the URL" },
  104: { code: "stream.not_live", text: "does not have the stream at the moment" },
}
const REPEATS_MS = [20, 60, 160, 360, 760, 1560]
const MAX_REASON_CHARS = 300
const REPEATS_WITHOUT_HELLO = 2
const TIMEOUT_MS = 3_000
const NO_BYTES = new Uint8Array(0)
