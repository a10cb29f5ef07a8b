/** RTP header extensions (RFC 8285) that the gateway knows, by a short name, with the URI that SDP gives them. */
export const HEADER_EXTENSION_URIS = {
  mid: "urn:ietf:params:rtp-hdrext:sdes:mid",
  rid: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
  repairedRid: "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
  absSendTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
  transportCc: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
  absCaptureTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
  playoutDelay: "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
  videoOrientation: "urn:3gpp:video-orientation",
} as const

/** The short name of a header extension. */
export type HeaderExtensionName = keyof typeof HEADER_EXTENSION_URIS

/** Ids of header extensions in one media section, 1 to 14 (the one-byte form); absent where not agreed on. */
export type HeaderExtensionIds = Readonly<Partial<Record<HeaderExtensionName, number>>>

/** Extensions that belong to the media and so go from the publisher to every viewer that takes them, under that viewer's id. */
export const PASSED_EXTENSIONS = ["absCaptureTime", "playoutDelay", "videoOrientation"] as const
/** One of `PASSED_EXTENSIONS`. */
export type PassedExtensionName = (typeof PASSED_EXTENSIONS)[number]

/** A header extension element as it came, without its id. */
export interface PassedExtension {
  readonly name: PassedExtensionName
  /** 1 to 16 bytes. */
  readonly value: Uint8Array
}
