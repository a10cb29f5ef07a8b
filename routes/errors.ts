import type { Context, ErrorHandler, NotFoundHandler } from "hono"
import type { ContentfulStatusCode } from "hono/utils/http-status"
import { type ErrorCode, GatewayError } from "../src/errors.ts"

/** The HTTP status of every error code. */
export const STATUS_OF: Readonly<Record<ErrorCode, ContentfulStatusCode>> = {
  "bytes.truncated": 400,
  "config.invalid": 500,
  "media.h264": 422,
  "media.h265": 422,
  "media.av1": 422,
  "media.aac": 422,
  "media.opus": 422,
  "audio.transcode": 500,
  "rtmp.handshake": 400,
  "rtmp.chunk": 400,
  "rtmp.amf": 400,
  "rtmp.command": 400,
  "rtmp.timeout": 408,
  "rtmp.url": 400,
  "rtmp.unreachable": 502,
  "rtmp.refused": 502,
  "flv.tag": 400,
  "flv.file": 400,
  "rtp.packet": 400,
  "rtp.payload": 400,
  "rtcp.packet": 400,
  "stun.message": 400,
  "dtls.handshake": 400,
  "dtls.peer": 403,
  "srtp.packet": 400,
  "sdp.syntax": 400,
  "sdp.unsupported": 422,
  "sdp.not_acceptable": 406,
  "minisdp.packet": 400,
  "http.media_type": 415,
  "http.method": 405,
  "http.precondition_failed": 412,
  "http.precondition_required": 428,
  "http.not_found": 404,
  "http.too_large": 413,
  "http.json": 400,
  "http.rate_limited": 429,
  "access.required": 401,
  "access.invalid": 401,
  "access.denied": 403,
  "access.unavailable": 503,
  "stream.name": 400,
  "stream.start": 400,
  "stream.busy": 409,
  "stream.not_live": 409,
  "session.not_found": 404,
  "session.limit": 503,
  "recording.failed": 500,
  "recording.template": 422,
  "recording.not_found": 404,
  "gateway.closing": 503,
  "listen.failed": 500,
}

/**
 * Answers every error with problem details (RFC 9457). What is not a GatewayError is a bug: the client learns nothing
 * of it. `others` are statuses that some routes answer instead of `STATUS_OF`.
 */
export function errorHandler(
  onBug: (error: Error) => void,
  others: Readonly<Partial<Record<ErrorCode, ContentfulStatusCode>>> = {},
): ErrorHandler {
  return (error, c) => {
    if (error instanceof GatewayError) {
      return problem(c, error.code, others[error.code] ?? STATUS_OF[error.code], error.message)
    }
    onBug(error)
    return problem(c, "internal", 500, "the gateway failed to handle this request; its log says why")
  }
}

/** Answers addresses that nothing is served at. */
export const notFoundHandler: NotFoundHandler = (c) =>
  problem(c, "http.not_found", STATUS_OF["http.not_found"], "there is nothing at this address")

function problem(c: Context, code: ErrorCode | "internal", status: ContentfulStatusCode, detail: string): Response {
  const retryAfterSeconds = RETRY_AFTER_SECONDS[code]
  const challenge = CHALLENGES[code]
  const body = { type: "about:blank", title: TITLES[status] ?? "Error", status, detail, code }
  return c.body(`${JSON.stringify(body)}\n`, status, {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }),
    ...(challenge === undefined ? {} : { "www-authenticate": challenge }),
  })
}

/** `about:blank` problems carry the status phrase as title, RFC 9457 section 4.2.1. */
const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  428: "Precondition Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
}

/** When it is worth trying again; WHEP requires it for a stream that is not live. */
const RETRY_AFTER_SECONDS: Readonly<Partial<Record<ErrorCode | "internal", number>>> = {
  "stream.not_live": 2,
  "session.limit": 10,
  "access.unavailable": 5,
  "gateway.closing": 5,
}

/** RFC 6750 section 3: how to authenticate, and what was wrong with the token that came. */
const CHALLENGES: Readonly<Partial<Record<ErrorCode | "internal", string>>> = {
  "access.required": 'Bearer realm="whipstitch"',
  "access.invalid": 'Bearer realm="whipstitch", error="invalid_token"',
  "access.denied": 'Bearer realm="whipstitch", error="insufficient_scope"',
}
