import type { H264Track, VideoFrame } from "../media/frame.ts"

/** What a transcoder of video tells the one that opened it. */
export interface VideoTranscoderEvents {
  /** A picture without reordering: H.264, in the order of presentation, `dtsUs` and `ptsUs` as the source's `ptsUs`. */
  onFrame(frame: VideoFrame<H264Track>): void
  /** It is over and gives no more pictures; comes once at most, and never after `close()`. */
  onFailure(reason: string): void
}

/** An open transcoder of one stream. Its input begins with a keyframe and keeps its size; other parameter sets may change. */
export interface VideoTranscoder {
  push(frame: VideoFrame<H264Track>): void
  /** Ends it; no event comes afterwards. */
  close(): void
}

/** Decodes video and encodes it again without B-frames; the port that ffmpeg's process implements, and others may. */
export interface VideoTranscoders {
  /** Undefined where there is no encoder, or as many transcoders as there may be; the log says which. */
  open(stream: string, events: VideoTranscoderEvents): VideoTranscoder | undefined
}
