import { GatewayError } from "../../errors.ts"
import type { FlvBroadcasts } from "../flv-broadcast.ts"
import { FlvSubscriber, type FlvSubscriberOptions } from "../flv-subscriber.ts"
import type { BodyConnection, LiveBody } from "../live-body.ts"
import { type FlvTagCache, FlvTagOutput } from "./tag-output.ts"

/** What a viewer is set up with. */
export interface FlvViewerOptions
  extends Pick<
    FlvSubscriberOptions,
    "id" | "remoteAddress" | "stream" | "start" | "accepts" | "limits" | "logger" | "nowMs" | "onStopped"
  > {
  readonly tags: FlvTagCache
  readonly broadcasts: FlvBroadcasts
}

/** One viewer by HTTP-FLV or WebSocket-FLV. */
export class FlvViewer implements LiveBody {
  readonly #subscriber: FlvSubscriber
  readonly #output: FlvTagOutput
  readonly #logger: FlvViewerOptions["logger"]
  #connection: BodyConnection | undefined
  #endReason: string | undefined

  /** Joins the stream. Throws `session.limit`. */
  constructor(options: FlvViewerOptions) {
    this.#output = new FlvTagOutput(options.tags, options.broadcasts)
    this.#logger = options.logger
    this.#subscriber = new FlvSubscriber({
      ...options,
      protocol: "flv",
      transport: "tcp",
      role: "viewer",
      output: this.#output,
      onEnded: (reason) => this.#end(reason),
      onError: (error) => this.#fail(error),
    })
  }

  start(connection: BodyConnection): void {
    this.#connection = connection
    if (this.#endReason !== undefined) {
      connection.end(this.#endReason)
      return
    }
    this.#output.attach(connection)
    this.#subscriber.start()
  }

  stop(reason: string): void {
    this.#subscriber.stop(reason)
  }

  #end(reason: string): void {
    this.#endReason = reason
    this.#connection?.end(reason)
  }

  #fail(error: unknown): void {
    if (error instanceof GatewayError) {
      this.#subscriber.end(error.message)
      return
    }
    this.#logger.error({ err: error }, "FLV session failed because of a bug in the gateway")
    this.#subscriber.stop("internal error")
    this.#connection?.destroy()
  }
}
