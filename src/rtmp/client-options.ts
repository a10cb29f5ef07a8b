import type { AdobeAuthTools } from "./adobe-auth.ts"
import type { ChunkReaderLimits } from "./chunk-reader.ts"
import type { HmacSha256 } from "./handshake-digest.ts"
import type { RtmpUrl } from "./rtmp-url.ts"

/** Bounds and announcements of a client session. */
export interface RtmpClientLimits extends ChunkReaderLimits {
  /** Chunk size of what this side sends; also the one to serialise media with. */
  readonly chunkSizeBytes: number
  readonly windowAckBytes: number
  /** For each step until the stream flows: handshake, connect, createStream, publish or play. */
  readonly stepTimeoutMs: number
  /** How long a server may send nothing while we play. */
  readonly idleTimeoutMs: number
  /** How much a server may send ahead of the time; told by SetBufferLength. */
  readonly bufferLengthMs: number
}

/** What a client session is for. */
export interface RtmpClientOptions {
  readonly action: "publish" | "play"
  readonly address: RtmpUrl
  readonly limits: RtmpClientLimits
  /** For the digest form of the handshake, which some servers insist on; without it the simple one is spoken. */
  readonly hmac?: HmacSha256
  /** For servers that ask for the user and password of the address; without it they are refused. */
  readonly adobeAuth?: AdobeAuthTools
  /** The query that a `challenged` session before this one gave. */
  readonly connectQuery?: string | undefined
}

/** Values that fit every server known to us. */
export const RTMP_CLIENT_DEFAULTS: RtmpClientLimits = {
  chunkSizeBytes: 60_000,
  windowAckBytes: 2_500_000,
  maxMessageBytes: 8 * 1024 * 1024,
  maxPendingBytes: 12 * 1024 * 1024,
  maxChunkStreams: 64,
  stepTimeoutMs: 10_000,
  idleTimeoutMs: 30_000,
  bufferLengthMs: 1_000,
}
