import type { StreamSummary, TrackSummary } from "../routes/api.ts"
import type { LiveStream } from "./hub/live-stream.ts"
import { isVideoTrack, type Track } from "./media/frame.ts"

/** Describes a live stream for the API. */
export function describeStream(stream: LiveStream, nowMs: number): StreamSummary {
  const { name, publisher, sources, subscribers, startedAtMs } = stream
  const known = [...stream.tracks]
  const tracks: TrackSummary[] = known.map(describeTrack)
  // Packets are passed on unread: only the codec that was agreed on is known of them.
  if (sources.video === "packets") tracks.push({ kind: "video", codec: "h264" })
  if (sources.audio === "packets") tracks.push({ kind: "audio", codec: "opus" })
  return {
    name,
    publisher: { protocol: publisher.protocol === "rtmp" ? "rtmp" : "whip" },
    tracks,
    viewers: subscribers.size,
    since: new Date(Date.now() - (nowMs - startedAtMs)).toISOString(),
  }
}

function describeTrack(track: Track): TrackSummary {
  if (isVideoTrack(track)) {
    return { kind: "video", codec: track.codec, widthPx: track.widthPx, heightPx: track.heightPx }
  }
  return { kind: "audio", codec: track.codec, sampleRateHz: track.sampleRateHz, channels: track.channels }
}
