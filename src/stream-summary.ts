import type { PullSummary } from "../routes/api/pull-schemas.ts"
import type { LayerSummary, SessionSummary, StreamSummary, TrackSummary } from "../routes/api/schemas.ts"
import type { LiveStream } from "./hub/live-stream.ts"
import type { Protocol } from "./hub/session.ts"
import type { SessionEntry } from "./hub/stream-registry.ts"
import type { VideoLayer } from "./hub/video-layers.ts"
import type { PullFacts } from "./io/pull/pulls.ts"
import { isVideoTrack, type Track } from "./media/frame.ts"

/** Describes a stream for the API. */
export function describeStream(stream: LiveStream, nowMs: number): StreamSummary {
  const { name, publisher, awaited, viewerCount, startedAtMs } = stream
  return {
    name,
    state: publisher === undefined ? "waiting" : "live",
    publisher: { protocol: publisherProtocol((publisher ?? awaited)?.protocol) },
    tracks: describeTracks(stream),
    layers: stream.layers.map((layer) => describeLayer(layer, nowMs)),
    viewers: viewerCount,
    since: wallClock(startedAtMs, nowMs),
  }
}

/** Describes a session for the API, under a public id, since its own one is the secret of its URL. */
export function describeSession(
  { role, stream, session }: SessionEntry,
  publicId: string,
  nowMs: number,
): SessionSummary {
  const { startedAtMs, remoteAddress, ...facts } = session.describe(nowMs)
  return {
    ...facts,
    id: publicId,
    protocol: session.protocol,
    role: role === "publisher" ? "publisher" : "viewer",
    stream,
    ...(remoteAddress !== undefined && { remoteAddress }),
    since: wallClock(startedAtMs, nowMs),
  }
}

/** Describes a pull for the API. */
export function describePull({ sinceMs, lastError, ...facts }: PullFacts, nowMs: number): PullSummary {
  return {
    ...facts,
    ...(sinceMs !== undefined && { since: wallClock(sinceMs, nowMs) }),
    ...(lastError !== undefined && { lastError: { code: lastError.code, message: lastError.message } }),
  }
}

function describeTracks({ tracks, sources, videoCodec, lanes }: LiveStream): TrackSummary[] {
  const known = [...tracks].map(describeTrack)
  // Packets are passed on without taking them apart: what is known is the codec that was agreed on, and the size from a keyframe.
  if (sources.video === "packets" && videoCodec !== undefined) {
    const sized = lanes.videoPackets.cached.find(({ widthPx }) => widthPx !== undefined)
    known.push({ kind: "video", codec: videoCodec, ...sizeOf(sized) })
  }
  if (sources.audio === "packets") known.push({ kind: "audio", codec: "opus" })
  return known
}

function describeTrack(track: Track): TrackSummary {
  if (isVideoTrack(track)) return { kind: "video", codec: track.codec, ...sizeOf(track) }
  return { kind: "audio", codec: track.codec, sampleRateHz: track.sampleRateHz, channels: track.channels }
}

function describeLayer(layer: VideoLayer, nowMs: number): LayerSummary {
  return { rid: layer.rid, ...sizeOf(layer), bitrateBps: layer.isActive(nowMs) ? layer.bitrateBps(nowMs) : 0 }
}

interface Sized {
  readonly widthPx?: number | undefined
  readonly heightPx?: number | undefined
}

function sizeOf({ widthPx, heightPx }: Sized = {}): { widthPx?: number; heightPx?: number } {
  return { ...(widthPx !== undefined && { widthPx }), ...(heightPx !== undefined && { heightPx }) }
}

function publisherProtocol(protocol: Protocol | undefined): "rtmp" | "whip" | "pull" {
  return protocol === "rtmp" || protocol === "pull" ? protocol : "whip"
}

/** A moment of the gateway's clock as RFC 3339. */
export function wallClock(atMs: number, nowMs: number): string {
  return new Date(Date.now() - (nowMs - atMs)).toISOString()
}
