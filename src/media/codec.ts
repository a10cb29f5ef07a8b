/** Video codecs that cross the gateway in every form; the names are the RTP encoding names in lower case. */
export const VIDEO_CODECS = ["h264", "h265", "vp8", "vp9", "av1"] as const
/** One of `VIDEO_CODECS`. */
export type VideoCodec = (typeof VIDEO_CODECS)[number]

/** Audio codecs that pass from RTMP to RTMP and FLV as they are: WebRTC does not carry them, and nothing here decodes them. */
export const PASSED_AUDIO_CODECS = [
  "mp3",
  "flac",
  "ac-3",
  "ec-3",
  "speex",
  "nellymoser",
  "adpcm",
  "pcm",
  "pcma",
  "pcmu",
] as const
/** One of `PASSED_AUDIO_CODECS`. */
export type PassedAudioCodec = (typeof PASSED_AUDIO_CODECS)[number]

/** How people write a codec's name. */
export const CODEC_TITLES: Readonly<Record<VideoCodec | "opus" | "aac" | PassedAudioCodec, string>> = {
  h264: "H.264",
  h265: "HEVC",
  av1: "AV1",
  vp9: "VP9",
  vp8: "VP8",
  opus: "Opus",
  aac: "AAC",
  mp3: "MP3",
  flac: "FLAC",
  "ac-3": "AC-3",
  "ec-3": "E-AC-3",
  speex: "Speex",
  nellymoser: "Nellymoser",
  adpcm: "ADPCM",
  pcm: "PCM",
  pcma: "G.711 A-law",
  pcmu: "G.711 mu-law",
}
