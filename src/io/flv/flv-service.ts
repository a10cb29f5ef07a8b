import { randomUUID } from "node:crypto"
import type { AccessControl, AccessGrant } from "../../access/access.ts"
import type { FlvFeedLimits } from "../../bridge/flv-feed.ts"
import { type FlvStart, parseFlvStart } from "../../bridge/flv-replay.ts"
import { GatewayError } from "../../errors.ts"
import { parseStreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { FlvBroadcasts } from "../flv-broadcast.ts"
import type { LiveBody } from "../live-body.ts"
import { type Logger, sessionLabel } from "../log.ts"
import { RefusalLog } from "../refusal-log.ts"
import { FlvTagCache } from "./tag-output.ts"
import { FlvViewer } from "./viewer.ts"

/** Who wants to watch what. */
export interface FlvRequest {
  readonly app: string
  readonly stream: string
  readonly token: string | undefined
  readonly remoteAddress: string | undefined
  /** Opus where the publisher sends it; otherwise AAC. */
  readonly wantsOpus: boolean
  /** Where the viewer wants to begin, not yet checked. */
  readonly start: string | undefined
}

/** What the service works with. */
export interface FlvServiceParts {
  readonly registry: StreamRegistry
  readonly access: AccessControl
  readonly limits: FlvFeedLimits
  /** Where a viewer begins that does not say it. */
  readonly defaultStart: FlvStart
  readonly logger: Logger
  readonly nowMs: () => number
  readonly isClosing: () => boolean
}

/** Lets viewers of HTTP-FLV and WebSocket-FLV in. */
export class FlvService {
  readonly #parts: FlvServiceParts
  readonly #tags = new FlvTagCache()
  readonly #broadcasts: FlvBroadcasts
  readonly #refusals: RefusalLog

  constructor(parts: FlvServiceParts) {
    this.#parts = parts
    this.#broadcasts = new FlvBroadcasts(parts.nowMs)
    this.#refusals = new RefusalLog("viewer", parts)
  }

  /** Joins a stream. Throws `stream.name`, `stream.start`, `stream.not_live`, `access.*`, `session.limit` and `gateway.closing`. */
  play(request: FlvRequest): Promise<LiveBody> {
    const { logger, nowMs, limits } = this.#parts
    const { remoteAddress, wantsOpus } = request
    return this.#admit(request, ({ id, stream, start, grant }) => {
      const session = sessionLabel(id)
      return new FlvViewer({
        id,
        remoteAddress,
        stream,
        start,
        accepts: { opus: wantsOpus, takesVideo: () => true },
        limits,
        logger: logger.child({ protocol: "flv", remote: remoteAddress, session }),
        nowMs,
        tags: this.#tags,
        broadcasts: this.#broadcasts,
        onStopped: (facts) => grant.ended({ sessionId: session, ...facts }),
      })
    })
  }

  /** Throws what `play` would. */
  async check(request: FlvRequest): Promise<void> {
    await this.#admit(request, ({ grant }) =>
      grant.ended({ sessionId: "", reason: "it was only asked for", durationMs: 0, bytes: 0 }),
    )
  }

  async #admit<T>(request: FlvRequest, begin: (admission: Admission) => T): Promise<T> {
    const { access, registry, isClosing, defaultStart } = this.#parts
    const { token, remoteAddress } = request
    const id = randomUUID()
    let grant: AccessGrant | undefined
    try {
      const name = parseStreamName(request.app, request.stream)
      const start = parseFlvStart(request.start, defaultStart)
      const sessionId = sessionLabel(id)
      const asked = { action: "play", stream: name, token, protocol: "flv", sessionId, remoteAddress } as const
      grant = await access.authorize(asked)
      if (isClosing()) throw new GatewayError("gateway.closing", "the gateway is shutting down")
      return begin({ id, grant, start, stream: registry.find(name) })
    } catch (error) {
      const reason = error instanceof GatewayError ? error.message : "internal error"
      grant?.ended({ sessionId: "", reason, durationMs: 0, bytes: 0 })
      const refused = { protocol: "flv", stream: `${request.app}/${request.stream}`, remoteAddress } as const
      if (error instanceof GatewayError) this.#refusals.add(refused, error)
      throw error
    }
  }
}

interface Admission {
  readonly id: string
  readonly grant: AccessGrant
  readonly start: FlvStart
  readonly stream: ReturnType<StreamRegistry["find"]>
}
