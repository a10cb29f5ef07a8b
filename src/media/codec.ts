/** Video codecs that pass from WHIP publishers to WHEP viewers; the names are the RTP encoding names in lower case. */
export const VIDEO_CODECS = ["h264", "h265", "vp8", "vp9", "av1"] as const
/** One of `VIDEO_CODECS`. */
export type VideoCodec = (typeof VIDEO_CODECS)[number]

/** How people write a codec's name. */
export const CODEC_TITLES: Readonly<Record<VideoCodec | "opus" | "aac", string>> = {
  h264: "H.264",
  h265: "HEVC",
  av1: "AV1",
  vp9: "VP9",
  vp8: "VP8",
  opus: "Opus",
  aac: "AAC",
}
