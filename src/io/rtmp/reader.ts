import type { AccessGrant } from "../../access/access.ts"
import type { FlvFeedLimits } from "../../bridge/flv-feed.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import { listsFourCc } from "../../rtmp/peer-capabilities.ts"
import type { RtmpPlayRequested } from "../../rtmp/server-events.ts"
import type { FlvBroadcasts } from "../flv-broadcast.ts"
import { FlvSubscriber } from "../flv-subscriber.ts"
import { type Logger, sessionLabel } from "../log.ts"
import { RtmpFlvOutput, type RtmpOutput } from "./flv-output.ts"
import type { RtmpMessageCache } from "./message-cache.ts"

/** What a reader needs from the connection it lives on. */
export interface ReaderContext {
  readonly id: string
  readonly name: StreamName
  /** The permission; told when the playback is over. */
  readonly grant: AccessGrant
  /** The peer, for lists. */
  readonly remoteAddress: string | undefined
  readonly registry: StreamRegistry
  readonly logger: Logger
  readonly nowMs: () => number
  readonly messages: RtmpMessageCache
  /** What readers of a stream share; left out, each gets its own. */
  readonly broadcasts?: FlvBroadcasts
  readonly output: RtmpOutput
  readonly limits: FlvFeedLimits
  /** Called when the publisher was lost and may return, and when one has. */
  readonly onPublisher: (isThere: boolean) => void
  /** Called when the stream is over or the reader is too slow. */
  readonly onEnded: (reason: string) => void
  /** Called for an error while a frame was being sent, which must not reach the publisher. */
  readonly onError: (error: unknown) => void
}

/** Joins a stream for one playback over RTMP. Throws `stream.not_live` or `session.limit`. */
export function createRtmpReader({ streamId, capabilities }: RtmpPlayRequested, context: ReaderContext): FlvSubscriber {
  const { id, name, registry, messages, output, broadcasts, grant } = context
  return new FlvSubscriber({
    ...context,
    protocol: "rtmp",
    transport: "tcp",
    role: "reader",
    stream: registry.find(name),
    accepts: { opus: listsFourCc(capabilities.audio, "Opus") === true, takesVideo: (codec) => codec === "h264" },
    output: new RtmpFlvOutput(output, messages, streamId, broadcasts),
    onStopped: (facts) => grant.ended({ sessionId: sessionLabel(id), ...facts }),
  })
}
