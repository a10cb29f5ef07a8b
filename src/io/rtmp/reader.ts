import type { AccessGrant } from "../../access/access.ts"
import type { FlvFeedLimits } from "../../bridge/flv-feed.ts"
import { type FlvStart, parseFlvStart } from "../../bridge/flv-replay.ts"
import { AUDIO_FOURCC, VIDEO_FOURCC } from "../../flv/fourcc.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import type { VideoCodec } from "../../media/codec.ts"
import { listsFourCc, type PeerCapabilities } from "../../rtmp/peer-capabilities.ts"
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
  /** Where a player begins that does not say it. */
  readonly defaultStart: FlvStart
  /** Called when the publisher was lost and may return, and when one has. */
  readonly onPublisher: (isThere: boolean) => void
  /** Called when the stream is over or the reader is too slow. */
  readonly onEnded: (reason: string) => void
  /** Called for an error while a frame was being sent, which must not reach the publisher. */
  readonly onError: (error: unknown) => void
}

/** Joins a stream for one playback over RTMP. Throws `stream.not_live`, `stream.start` or `session.limit`. */
export function createRtmpReader(
  { streamId, capabilities, start }: RtmpPlayRequested,
  context: ReaderContext,
): FlvSubscriber {
  const { id, name, registry, messages, output, broadcasts, grant } = context
  return new FlvSubscriber({
    ...context,
    protocol: "rtmp",
    transport: "tcp",
    role: "reader",
    stream: registry.find(name),
    start: parseFlvStart(start, context.defaultStart),
    accepts: {
      opus: listsFourCc(capabilities.audio, AUDIO_FOURCC.opus) === true,
      takesVideo: (codec) => takesVideo(capabilities, codec),
    },
    output: new RtmpFlvOutput(output, messages, streamId, broadcasts),
    onStopped: (facts) => grant.ended({ sessionId: sessionLabel(id), ...facts }),
  })
}

/**
 * Everybody takes H.264, and players of today decode HEVC, AV1 and VP9 without saying so; VP8 they have to list, since ffmpeg 9 has never heard of it in
 * FLV. One that has a list without the codec does not take it.
 */
function takesVideo(capabilities: PeerCapabilities, codec: VideoCodec): boolean {
  return codec === "h264" || (listsFourCc(capabilities.video, VIDEO_FOURCC[codec]) ?? codec !== "vp8")
}
