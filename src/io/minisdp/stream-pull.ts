import { randomUUID } from "node:crypto"
import type { AccessGrant } from "../../access/access.ts"
import { GatewayError } from "../../errors.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import type { Logger } from "../log.ts"
import { describeClose } from "../webrtc/close-reason.ts"
import type { DtlsIdentity } from "../webrtc/identity.ts"
import type { PeerCloseReason } from "../webrtc/transport-peer.ts"
import { WhipPublisher } from "../webrtc/whip-publisher.ts"
import { type MiniSdpClient, parseMiniSdpUrl } from "./client.ts"

/** What a pull works with. */
export interface StreamPullOptions {
  /** Under which it appears here. */
  readonly name: StreamName
  /** `minisdp://host:port/app/stream?token=…`; never logged. */
  readonly url: string
  readonly client: Pick<MiniSdpClient, "play">
  readonly identity: DtlsIdentity
  readonly registry: StreamRegistry
  readonly logger: Logger
  readonly nowMs: () => number
  readonly maxBitrateBps: number
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly onBug: (error: unknown) => void
}

/**
 * Fetches one stream from another gateway and publishes it here, for as long as the gateway runs: it comes again when the stream is
 * not live, refused or lost, with pauses that grow to 5 s and differ from gateway to gateway. The cookie of the last session saves a round trip.
 */
export class StreamPull {
  readonly #options: StreamPullOptions
  readonly #logger: Logger
  readonly #closing = new AbortController()
  /** The same for all sessions, so that the next one may take the stream over from one that is not yet known to be lost. */
  readonly #grant: AccessGrant = { identity: `pull ${randomUUID()}`, ended: () => undefined }
  #cookie: Uint8Array = new Uint8Array(0)
  #publisher: WhipPublisher | undefined
  #failures = 0
  #lastCode = ""

  constructor(options: StreamPullOptions) {
    this.#options = options
    const { host, port, streamUrl } = parseMiniSdpUrl(options.url)
    const origin = `${host}:${port}/${streamUrl.split("?", 1)[0]}`
    this.#logger = options.logger.child({ stream: options.name, protocol: "pull", origin })
    void this.#run()
  }

  /** Ends the session and comes no more. */
  close(reason: string): void {
    this.#closing.abort()
    this.#publisher?.end(reason)
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await this.#playOnce()
      } catch (error) {
        if (error instanceof GatewayError) this.#logFailure(error)
        else this.#options.onBug(error)
      }
      const pauseMs = Math.min(MAX_PAUSE_MS, MIN_PAUSE_MS * 2 ** Math.min(this.#failures, 10))
      this.#failures++
      await pause(pauseMs * (0.5 + Math.random() / 2), signal)
    }
  }

  /** One session from beginning to end. Throws what opening it throws, and what it failed of. */
  async #playOnce(): Promise<void> {
    const { client, url, name, identity, connectTimeoutMs, idleTimeoutMs, onBug } = this.#options
    const ended = Promise.withResolvers<PeerCloseReason>()
    const cookie = this.#cookie
    this.#cookie = new Uint8Array(0)
    let isConnected = false
    const { cookie: next } = await client.play(url, {
      identity,
      connectTimeoutMs,
      idleTimeoutMs,
      cookie,
      onBug,
      accepted: ({ peer, media }) => {
        const publisher = new WhipPublisher({
          ...this.#options,
          protocol: "pull",
          peer,
          media,
          name,
          grant: this.#grant,
          keyframeIntervalMs: Number.POSITIVE_INFINITY, // the other gateway sees to that
        })
        this.#publisher = publisher
        return {
          connected: () => {
            isConnected = true
            this.#failures = 0
            this.#lastCode = ""
            publisher.onConnected()
          },
          rtp: (packet) => publisher.onRtp(packet),
          rtcp: (compound) => publisher.onRtcp(compound),
          closed: (reason) => {
            publisher.onClosed(reason)
            ended.resolve(reason)
          },
        }
      },
    })
    if (this.#closing.signal.aborted) this.#publisher?.end("the gateway is closing")
    const reason = await ended.promise
    this.#publisher = undefined
    // A cookie with which there was no connection is not shown again.
    if (isConnected) this.#cookie = next
    else throw reason.type === "failed" ? reason.error : new GatewayError("stream.not_live", describeClose(reason))
  }

  /** The same trouble again is worth no more than a line for those who look for it. */
  #logFailure({ code, message }: GatewayError): void {
    if (this.#closing.signal.aborted) return
    const level = code === this.#lastCode ? "debug" : "warn"
    this.#lastCode = code
    this.#logger[level]({ code, reason: message }, "the stream cannot be pulled; trying again")
  }
}

/** Ends early with the signal. */
function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(end, durationMs)
    signal.addEventListener("abort", end)

    function end(): void {
      clearTimeout(timer)
      signal.removeEventListener("abort", end)
      resolve()
    }
  })
}

const MIN_PAUSE_MS = 250
const MAX_PAUSE_MS = 5_000
