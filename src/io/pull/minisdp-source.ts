import { GatewayError } from "../../errors.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { type MiniSdpClient, parseMiniSdpUrl } from "../minisdp/client.ts"
import { describeClose } from "../webrtc/close-reason.ts"
import type { DtlsIdentity } from "../webrtc/identity.ts"
import type { OpenAead } from "../webrtc/srtp/gcm.ts"
import type { PeerCloseReason } from "../webrtc/transport-peer.ts"
import { WhipPublisher } from "../webrtc/whip-publisher.ts"
import type { PullAttempt, PullSource } from "./pull-source.ts"

/** How other gateways are asked by UDP. */
export interface MiniSdpSourceOptions {
  readonly client: Pick<MiniSdpClient, "play">
  readonly identity: DtlsIdentity
  readonly openAead?: OpenAead | undefined
  readonly registry: StreamRegistry
  readonly nowMs: () => number
  readonly maxBitrateBps: number
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly onBug: (error: unknown) => void
}

/** A stream of another gateway, by WebRTC with signalling by UDP. The cookie of the last session saves a round trip. */
export class MiniSdpSource implements PullSource {
  readonly origin: string
  readonly #url: string
  readonly #options: MiniSdpSourceOptions
  #cookie: Uint8Array = new Uint8Array(0)

  /** `url` is `minisdp://host:port/app/stream?token=…`. Throws `config.invalid`. */
  constructor(url: string, options: MiniSdpSourceOptions) {
    const { host, port, streamUrl } = parseMiniSdpUrl(url)
    this.origin = `minisdp://${host}:${port}/${streamUrl.split("?", 1)[0]}`
    this.#url = url
    this.#options = options
  }

  async fetch({ name, grant, logger, signal, onLive }: PullAttempt): Promise<string> {
    const { client, identity, openAead, connectTimeoutMs, idleTimeoutMs, onBug } = this.#options
    const ended = Promise.withResolvers<PeerCloseReason>()
    const cookie = this.#cookie
    this.#cookie = new Uint8Array(0)
    let publisher: WhipPublisher | undefined
    let isConnected = false
    const end = () => {
      try {
        publisher?.end(String(signal.reason))
      } catch (error) {
        onBug(error) // thrown from a listener, it would end the process
      }
    }
    signal.addEventListener("abort", end)
    try {
      const { cookie: next } = await client.play(this.#url, {
        identity,
        openAead,
        connectTimeoutMs,
        idleTimeoutMs,
        cookie,
        onBug,
        accepted: ({ peer, media }) => {
          const accepted = new WhipPublisher({
            ...this.#options,
            logger,
            protocol: "pull",
            peer,
            media,
            name,
            grant,
            keyframeIntervalMs: Number.POSITIVE_INFINITY, // the other gateway sees to that
          })
          publisher = accepted
          return {
            connected: () => {
              isConnected = true
              onLive()
              accepted.onConnected()
            },
            rtp: (packet) => accepted.onRtp(packet),
            rtcp: (compound) => accepted.onRtcp(compound),
            closed: (reason) => {
              accepted.onClosed(reason)
              ended.resolve(reason)
            },
          }
        },
      })
      if (signal.aborted) end()
      const reason = await ended.promise
      // A cookie with which there was no connection is not shown again.
      if (isConnected) this.#cookie = next
      else throw reason.type === "failed" ? reason.error : new GatewayError("stream.not_live", describeClose(reason))
      return describeClose(reason)
    } finally {
      signal.removeEventListener("abort", end)
    }
  }
}
