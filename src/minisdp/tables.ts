/** Codecs by their code on the wire; those from 6 on exist only in v0-ext. SPEC section 4.2. */
export const CODEC_NAMES = [
  "opus",
  "MP4A-LATM",
  "MP4A-ADTS",
  "H264",
  "H265",
  "flexfec-03",
  "ByteVC1",
  "rtx",
  "AV1",
] as const
export type CodecName = (typeof CODEC_NAMES)[number]

/** How many of `CODEC_NAMES` v0-base knows. */
export const BASE_CODECS = 6

/** Clock rates in Hz by their code on the wire; code 14 decodes as 0. */
export const CLOCK_RATES_HZ = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350, 0, 0, 90_000,
]

/** URIs of RTP header extensions by their index on the wire; those from 10 on exist only in v0-ext. SPEC section 4.4. */
export const EXTENSION_URIS = [
  "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
  "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
  "http://www.webrtc.org/experiments/rtp-hdrext/meta-data-01",
  "http://www.webrtc.org/experiments/rtp-hdrext/meta-data-02",
  "http://www.webrtc.org/experiments/rtp-hdrext/meta-data-03",
  "http://www.webrtc.org/experiments/rtp-hdrext/decoding-timestamp",
  "http://www.webrtc.org/experiments/rtp-hdrext/video-composition-time",
  "http://www.webrtc.org/experiments/rtp-hdrext/video-frame-type",
  "uri:webrtc:rtc:rtp-hdrext:video:CompositionTime",
  "http://www.webrtc.org/experiments/rtp-hdrext/order-in-stream",
  "uri:webrtc:rtc:rtp-hdrext:video:reference-frame-timestamp",
  "uri:webrtc:rtc:rtp-hdrext:video:frame-seq-range",
  "uri:webrtc:rtc:rtp-hdrext:video:frame-type",
  "uri:webrtc:rtc:rtp-hdrext:audio:aac-config",
] as const
export type ExtensionUri = (typeof EXTENSION_URIS)[number]

/** How many of `EXTENSION_URIS` v0-base knows. */
export const BASE_EXTENSIONS = 10

/** Kinds of media section by their code on the wire. */
export const MEDIA_KINDS = ["audio", "video", "data"] as const
/** DTLS roles by their code; the reserved code 3 counts as actpass. */
export const ROLES = ["actpass", "active", "passive", "actpass"] as const
/** Directions by their code; 3 is not one. */
export const DIRECTIONS = ["sendonly", "recvonly", "sendrecv"] as const
