import type { ChunkReaderLimits } from "./chunk-reader.ts"
import type { LivenessLimits } from "./peer-liveness.ts"

/** Bounds and announcements of a server session. */
export interface RtmpServerOptions extends ChunkReaderLimits, LivenessLimits {
  /** Chunk size of what this side sends; also the one to serialise media with. */
  readonly chunkSizeBytes: number
  readonly windowAckBytes: number
  readonly maxMessageStreams: number
  /** From the connection to the first publish or play, and between two of them. */
  readonly commandTimeoutMs: number
  /** How long a publisher may be silent. */
  readonly idleTimeoutMs: number
}

/** Values that fit every encoder known to us. */
export const RTMP_SERVER_DEFAULTS: RtmpServerOptions = {
  chunkSizeBytes: 60_000,
  windowAckBytes: 2_500_000,
  maxMessageBytes: 8 * 1024 * 1024,
  maxPendingBytes: 12 * 1024 * 1024,
  maxChunkStreams: 64,
  maxMessageStreams: 8,
  commandTimeoutMs: 10_000,
  idleTimeoutMs: 30_000,
  pingIntervalMs: 30_000,
  pingTimeoutMs: 30_000,
}

/** Status codes with which a publisher or player can be refused. */
export type RtmpRefusal = "NetStream.Publish.BadName" | "NetStream.Publish.Denied" | RtmpPlayRefusal
/** Status codes with which a player can be refused. */
export type RtmpPlayRefusal = "NetStream.Play.StreamNotFound" | "NetStream.Play.Failed"
