import type { Context, MiddlewareHandler } from "hono"
import { bodyLimit } from "hono/body-limit"
import { GatewayError } from "../src/errors.ts"

/** CORS for any origin (no cookies are used), on success and error alike. */
export const allowOrigins: MiddlewareHandler = async (c, next) => {
  await next()
  c.header("access-control-allow-origin", "*")
  c.header("access-control-expose-headers", EXPOSED_HEADERS)
}

/** Answers OPTIONS, also where a browser asks for permission, and tells of `extra` with every answer. */
export function allowMethods(methods: string, extra: Readonly<Record<string, string>> = {}): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.method === "OPTIONS") {
      c.res = c.body(null, 200, {
        ...EMPTY,
        allow: methods,
        "access-control-allow-methods": methods,
        "access-control-allow-headers": "Authorization, Content-Type, If-Match",
        "access-control-max-age": "86400",
      })
    } else await next()
    for (const [name, value] of Object.entries(extra)) c.header(name, value)
    if (c.res.status === 405) c.header("allow", methods)
  }
}

/** Whether a browser asks for permission before its real request. */
export function isPreflight(c: Context): boolean {
  return c.req.method === "OPTIONS" && c.req.header("access-control-request-method") !== undefined
}

/** Refuses a body of more than `maxBodyBytes` while it is read, with or without Content-Length. */
export function limitBody(maxBodyBytes: number): MiddlewareHandler {
  return bodyLimit({
    maxSize: maxBodyBytes,
    onError: () => {
      throw new GatewayError("http.too_large", `the body has more than ${maxBodyBytes} bytes`)
    },
  })
}

/** The type of the body in lower case, without parameters; empty where the request names none. */
export function mediaType(c: Context): string {
  const [type = ""] = (c.req.header("content-type") ?? "").split(";", 1)
  return type.trim().toLowerCase()
}

/** Throws `http.media_type` unless the body is of the first type, parameters aside; the message names the others, too. */
export function requireMediaType(c: Context, expected: string, ...others: readonly string[]): void {
  if (mediaType(c) === expected) return
  throw new GatewayError("http.media_type", `the Content-Type must be ${[expected, ...others].join(" or ")}`)
}

/** Throws `http.method`. */
export function refuseMethod(allowed: string): never {
  throw new GatewayError("http.method", `this address takes ${allowed}`)
}

/** The token of `Authorization: Bearer`, RFC 6750 section 2.1. */
export function bearerToken(c: Context): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1]
}

/** The token of a session: of `Authorization: Bearer`, else of the query's `token`. */
export function requestToken(c: Context): string | undefined {
  return bearerToken(c) ?? (c.req.query("token") || undefined)
}

/** Parses a JSON body. Throws `http.json`. */
export async function readJson(c: Context): Promise<unknown> {
  try {
    return JSON.parse(await c.req.text())
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new GatewayError("http.json", "the body is not valid JSON", { cause })
  }
}

/** Headers of an answer without a body; without them it would end by a chunk, which simple clients do not know. */
export const EMPTY = { "content-length": "0" }

const EXPOSED_HEADERS = "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After, WWW-Authenticate"
