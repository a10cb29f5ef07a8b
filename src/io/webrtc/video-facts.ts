import type { LiveStream } from "../../hub/live-stream.ts"
import { av1Profile } from "../../media/av1-obu.ts"
import type { VideoCodec } from "../../media/codec.ts"
import type { Track } from "../../media/frame.ts"
import { parseH265Sps } from "../../media/h265.ts"

/** What an offer must have to play a stream's video. */
export interface VideoFacts {
  readonly codec: VideoCodec
  /** As `AvailableMedia` has it; undefined where the stream does not say it, as streams of packets do. */
  readonly profileIdc?: number | undefined
}

/** The codec of a stream and its profile, so that the viewer's matching payload type is chosen; H.264 before anything has come. */
export function videoFacts({ videoCodec: codec = "h264", tracks }: LiveStream): VideoFacts {
  for (const track of tracks) if (track.codec === codec) return { codec, profileIdc: profileOf(track) }
  return { codec }
}

function profileOf(track: Track): number | undefined {
  switch (track.codec) {
    case "h264":
      return track.sps[0]?.[1]
    case "h265":
      return track.sps[0] && parseH265Sps(track.sps[0])?.profileIdc
    case "av1":
      return av1Profile(track.sequenceHeader)
    case "vp9":
      return track.profile
    default:
      return undefined
  }
}
