import { GatewayError } from "../errors.ts"

/** An address of a stream at an RTMP server, taken apart. Only `redacted` and `redactedKey` are fit for logs and lists. */
export interface RtmpUrl {
  readonly isTls: boolean
  /** Host name or IP address, an IPv6 one without brackets. */
  readonly host: string
  readonly port: number
  /** The path up to its last segment, as `connect` has it. */
  readonly app: string
  /** The last segment with the query, as `publish` and `play` have it. */
  readonly stream: string
  /** Server and application, as `connect` has it. */
  readonly tcUrl: string
  /** What stands before the `@`: for servers with Adobe's authentication. */
  readonly user: { readonly name: string; readonly password: string } | undefined
  /** Without user and query. */
  readonly redacted: string
  /** The same without the last path segment, which is the key where one publishes. */
  readonly redactedKey: string
}

/**
 * Reads `rtmp://[USER:PASSWORD@]HOST[:PORT]/APP/STREAM[?QUERY]`, or `rtmps://`. The application is all of the path before the last
 * segment, or before a segment with a prefix such as `mp4:`. Throws `rtmp.url`, whose message does not quote the address.
 */
export function parseRtmpUrl(url: string): RtmpUrl {
  const [, scheme, user, host, port, path] = URL_PARTS.exec(url) ?? []
  if (scheme === undefined || host === undefined || path === undefined) throw invalidUrl()
  const isTls = scheme.toLowerCase() === "rtmps"
  const [app, stream] = splitPath(path)
  if (app === "" || stream === "" || Number(port) > 65_535) throw invalidUrl()
  const server = `${isTls ? "rtmps" : "rtmp"}://${host}${port === undefined ? "" : `:${port}`}`
  return {
    isTls,
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port: port === undefined ? (isTls ? RTMPS_PORT : RTMP_PORT) : Number(port),
    app,
    stream,
    tcUrl: `${server}/${app}`,
    user: user === undefined ? undefined : parseUser(user),
    redacted: `${server}/${withoutQuery(app)}/${withoutQuery(stream)}`,
    redactedKey: `${server}/${withoutQuery(app)}/…`,
  }
}

/**
 * The address that a redirect of a server leads to: servers write the application alone, or the stream too. Throws `rtmp.url` for what
 * is no address, and `rtmp.refused` where it leads from TLS to a connection that everybody can read.
 */
export function resolveRedirect(from: RtmpUrl, redirect: string): string {
  const isWhole = isRtmpUrl(redirect) && segmentCount(parseRtmpUrl(redirect).app) >= segmentCount(from.app)
  const [place = "", query = ""] = isWhole ? [redirect] : redirect.split(/(?=\?)/)
  const url = isWhole
    ? redirect
    : `${place.replace(/\/+$/, "")}/${from.stream}${query && `${from.stream.includes("?") ? "&" : "?"}${query.slice(1)}`}`
  if (from.isTls && !parseRtmpUrl(url).isTls) {
    throw new GatewayError(
      "rtmp.refused",
      "the server sends us on to an address without TLS: write that address yourself if it may be",
    )
  }
  return url
}

/** True where an address is one that `parseRtmpUrl` reads. */
export function isRtmpUrl(url: string): boolean {
  try {
    parseRtmpUrl(url)
    return true
  } catch {
    return false
  }
}

function splitPath(pathAndQuery: string): [app: string, stream: string] {
  const queryAt = pathAndQuery.search(/[?#]/)
  const path = queryAt < 0 ? pathAndQuery : pathAndQuery.slice(0, queryAt)
  const segments = path.split("/").filter((segment) => segment !== "")
  const prefixed = segments.findIndex((segment, index) => index > 0 && /^\w+:/.test(segment))
  const at = prefixed > 0 ? prefixed : segments.length - 1
  const query = pathAndQuery.slice(path.length)
  const stream = segments.slice(Math.max(at, 0)).join("/")
  return [segments.slice(0, Math.max(at, 0)).join("/"), stream === "" ? "" : stream + query]
}

function parseUser(text: string): { name: string; password: string } {
  const at = text.indexOf(":")
  const [name, password] = at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)]
  try {
    return { name: decodeURIComponent(name), password: decodeURIComponent(password) }
  } catch {
    throw invalidUrl()
  }
}

function segmentCount(path: string): number {
  return path.split("/").length
}

function withoutQuery(text: string): string {
  return text.split(/[?#]/, 1)[0] as string
}

function invalidUrl(): GatewayError {
  return new GatewayError("rtmp.url", "the address must look like rtmp://HOST/APP/STREAM or rtmps://HOST/APP/STREAM")
}

const URL_PARTS = /^(rtmps?):\/\/(?:([^@/?#\s]*)@)?([\w.-]+|\[[\da-f:.]+\])(?::(\d{1,5}))?\/([^\s]*)$/i
const RTMP_PORT = 1935
const RTMPS_PORT = 443
