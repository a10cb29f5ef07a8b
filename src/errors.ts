/** Stable names of everything a peer or a user can get wrong; the part before the dot is the layer that noticed. */
export type ErrorCode =
  | "bytes.truncated"
  | "config.invalid"
  | "media.h264"
  | "media.h265"
  | "media.av1"
  | "media.aac"
  | "media.opus"
  | "audio.transcode"
  | "rtmp.handshake"
  | "rtmp.chunk"
  | "rtmp.amf"
  | "rtmp.command"
  | "rtmp.timeout"
  | "rtmp.url"
  | "rtmp.unreachable"
  | "rtmp.refused"
  | "flv.tag"
  | "flv.file"
  | "rtp.packet"
  | "rtp.payload"
  | "rtcp.packet"
  | "stun.message"
  | "dtls.handshake"
  | "dtls.peer"
  | "srtp.packet"
  | "sdp.syntax"
  | "sdp.unsupported"
  | "sdp.not_acceptable"
  | "minisdp.packet"
  | "http.media_type"
  | "http.method"
  | "http.precondition_failed"
  | "http.precondition_required"
  | "http.not_found"
  | "http.too_large"
  | "http.json"
  | "http.rate_limited"
  | "access.required"
  | "access.invalid"
  | "access.denied"
  | "access.unavailable"
  | "stream.name"
  | "stream.busy"
  | "stream.not_live"
  | "session.not_found"
  | "session.limit"
  | "recording.failed"
  | "recording.template"
  | "recording.not_found"
  | "gateway.closing"
  | "listen.failed"

/** A failure we expect: bad peer input, a bad request, a refused operation. Any other Error is a bug in the gateway. */
export class GatewayError extends Error {
  override readonly name = "GatewayError"
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
