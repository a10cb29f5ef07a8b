import { randomUUID } from "node:crypto"
import { GatewayError } from "../../errors.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import type { AmfValue } from "../../rtmp/amf-value.ts"
import { type FlvMedia, FlvPublisher } from "../flv-publisher.ts"
import { sessionLabel } from "../log.ts"
import type { PullAttempt } from "./pull-source.ts"

/** What all sources that bring FLV work with. */
export interface FlvSourceOptions {
  readonly registry: StreamRegistry
  readonly nowMs: () => number
  /** For name, connection and all that precedes the media. */
  readonly connectTimeoutMs: number
  /** An origin that sends no media for so long is given up. */
  readonly silenceTimeoutMs: number
  readonly maxMessageBytes: number
}

/**
 * One attempt's media in FLV's terms, whatever brings it: publishes it from the first message on, so that a stream without media is none, and
 * notices silence. Its end leaves the stream to the next attempt for `hub.graceMs`.
 */
export class FlvSession {
  /** When it is over, as `PullSource.fetch` tells it. */
  readonly ended: Promise<string>
  readonly #attempt: PullAttempt
  readonly #options: FlvSourceOptions
  readonly #outcome = Promise.withResolvers<string>()
  readonly #closeTransport: () => void
  #publisher: FlvPublisher | undefined
  #metadata: AmfValue
  #remoteAddress: string | undefined
  #silence: NodeJS.Timeout | undefined
  #lastMediaMs = 0
  #isOver = false

  /** `closeTransport` is called once, when it is over for whatever reason. */
  constructor(attempt: PullAttempt, options: FlvSourceOptions, closeTransport: () => void) {
    this.#attempt = attempt
    this.#options = options
    this.#closeTransport = closeTransport
    this.ended = this.#outcome.promise
    attempt.signal.addEventListener("abort", this.#onAbort)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The origin has agreed: media may come from now on. */
  begin(remoteAddress: string | undefined): void {
    if (this.#isOver) return
    this.#remoteAddress = remoteAddress
    this.keepAlive()
    this.#armSilence(this.#options.silenceTimeoutMs)
  }

  /** It is us who do not read at the moment. */
  keepAlive(): void {
    this.#lastMediaMs = this.#options.nowMs()
  }

  onMetadata(values: AmfValue): void {
    if (this.#isOver) return
    this.#metadata = values
    this.#run(() => this.#publisher?.onMetadata(values))
  }

  onMedia(media: FlvMedia): void {
    if (this.#isOver) return
    this.keepAlive()
    this.#run(() => {
      const isFirst = this.#publisher === undefined
      this.#publisher ??= this.#publish()
      this.#publisher.onMedia(media)
      if (isFirst) this.#attempt.onLive()
    })
  }

  /** The connection is over; where it failed, `error` says of what. */
  end(reason: string, error?: unknown): void {
    this.#finish(() => {
      this.#publisher?.lose(reason)
      if (error !== undefined && !(error instanceof GatewayError)) throw error
      if (this.#publisher === undefined) throw error ?? new GatewayError("stream.not_live", reason)
      this.#outcome.resolve(reason)
    })
  }

  #publish(): FlvPublisher {
    const { name, grant, logger } = this.#attempt
    const id = randomUUID()
    const publisher = new FlvPublisher({
      ...this.#options,
      id,
      protocol: "pull",
      name,
      grant,
      logger: logger.child({ session: sessionLabel(id) }),
      remoteAddress: this.#remoteAddress,
      onRevoked: (reason) => this.#stop(reason),
    })
    if (this.#metadata !== undefined) publisher.onMetadata(this.#metadata)
    return publisher
  }

  /** What the media itself is at fault for will be so again: viewers need not wait for it. */
  #run(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#finish(() => {
        this.#publisher?.stop(error instanceof GatewayError ? error.message : "internal error")
        throw error
      })
    }
  }

  readonly #onAbort = () => this.#stop(String(this.#attempt.signal.reason))

  /** Nobody wants it any more. */
  #stop(reason: string): void {
    this.#finish(() => {
      this.#publisher?.stop(reason)
      this.#outcome.resolve(reason)
    })
  }

  /** Does something once, as the last thing; what it throws is the outcome, and reaches no timer or listener. */
  #finish(step: () => void): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#silence)
    this.#attempt.signal.removeEventListener("abort", this.#onAbort)
    try {
      this.#closeTransport()
      step()
    } catch (error) {
      this.#outcome.reject(error)
    }
  }

  #armSilence(delayMs: number): void {
    this.#silence = setTimeout(() => {
      const { nowMs, silenceTimeoutMs } = this.#options
      const leftMs = this.#lastMediaMs + silenceTimeoutMs - nowMs()
      if (leftMs > 0) this.#armSilence(leftMs)
      else this.end("the origin sends no media")
    }, delayMs)
  }
}
