import { RTMP_CLIENT_DEFAULTS } from "../../rtmp/client-options.ts"
import { parseRtmpUrl } from "../../rtmp/rtmp-url.ts"
import { connectRtmp, type RtmpClientConnection } from "../rtmp/client.ts"
import { FlvSession, type FlvSourceOptions } from "./flv-session.ts"
import type { PullAttempt, PullSource } from "./pull-source.ts"

/** What RTMP adds. */
export interface RtmpSourceOptions extends FlvSourceOptions {
  /** Certificates of private authorities to trust beside the usual ones, PEM. */
  readonly ca?: string | undefined
}

/** A stream of an RTMP server, with TLS or without. */
export class RtmpSource implements PullSource {
  readonly origin: string
  readonly #url: string
  readonly #options: RtmpSourceOptions
  /** Where the server wants us to be the next time. */
  #nextUrl: string | undefined

  /** `url` is `rtmp://` or `rtmps://HOST/APP/STREAM`. Throws `rtmp.url`. */
  constructor(url: string, options: RtmpSourceOptions) {
    this.origin = parseRtmpUrl(url).redacted
    this.#url = url
    this.#options = options
  }

  fetch(attempt: PullAttempt): Promise<string> {
    const { nowMs, connectTimeoutMs, maxMessageBytes, ca } = this.#options
    let connection: RtmpClientConnection | undefined
    const session = new FlvSession(attempt, this.#options, () => connection?.end("the pull is over"))
    const url = this.#nextUrl ?? this.#url
    this.#nextUrl = undefined
    connection = connectRtmp(url, {
      action: "play",
      connectTimeoutMs,
      ca,
      nowMs,
      logger: attempt.logger,
      limits: {
        ...RTMP_CLIENT_DEFAULTS,
        maxMessageBytes,
        maxPendingBytes: maxMessageBytes + RTMP_CLIENT_DEFAULTS.maxPendingBytes,
        stepTimeoutMs: connectTimeoutMs,
      },
      handlers: {
        established: (_facts, { remoteAddress }) => session.begin(remoteAddress),
        metadata: ({ values }) => session.onMetadata(values),
        media: (media) => session.onMedia(media),
        closed: ({ reason, error, reconnectUrl }) => {
          this.#nextUrl = reconnectUrl
          session.end(reason, error)
        },
      },
    })
    if (session.isOver) connection.end("the pull is over")
    return session.ended
  }
}
