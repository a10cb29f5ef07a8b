/** What a peer wants to publish or play, taken apart; the names are as the peer sent them and not yet checked. */
export interface RtmpStreamAddress {
  /** Application, the first segment of the path; empty where it is missing. */
  readonly app: string
  /** Stream name, the second segment; empty where it is missing. */
  readonly stream: string
  /** The query's `token`, else all that follows the stream name in the path: a stream key. */
  readonly token: string | undefined
  /** The query's `start`: where in the stream a player wants to begin. */
  readonly start: string | undefined
}

/**
 * Joins what came with `connect` and with `publish` or `play` and reads it as `APP/NAME` or `APP/NAME/KEY`. Encoders part that
 * path where they like: before the last segment (ffmpeg, GStreamer), or wherever the user of OBS ended the server's address. Any of
 * the three may carry a query such as `?token=x`; where they disagree the later one wins.
 */
export function parseStreamAddress(tcUrl: string, appName: string, streamName: string): RtmpStreamAddress {
  const [app, appQuery] = splitQuery(appName)
  const [stream, streamQuery] = splitQuery(streamName)
  const path = takeSegment(`${trimSlashes(app)}/${trimSlashes(stream)}`)
  const name = takeSegment(path.rest)
  const queries = [splitQuery(tcUrl)[1], appQuery, streamQuery]
  const token = lastValue(queries, "token") ?? (name.rest === "" ? undefined : name.rest)
  return { app: path.segment, stream: name.segment, token, start: lastValue(queries, "start") }
}

/** Not an empty one. In an RTMP address a plus sign is one: nobody writes a space so, and base64 has them. */
function lastValue(queries: readonly string[], name: string): string | undefined {
  const values = queries.map((query) => new URLSearchParams(query.replaceAll("+", "%2B")).getAll(name).at(-1))
  return values.findLast((value) => value !== undefined && value !== "")
}

/** The rest may hold slashes, as a key in base64 does. */
function takeSegment(path: string): { readonly segment: string; readonly rest: string } {
  const trimmed = trimSlashes(path)
  const at = trimmed.indexOf("/")
  return at < 0
    ? { segment: trimmed, rest: "" }
    : { segment: trimmed.slice(0, at), rest: trimSlashes(trimmed.slice(at)) }
}

function splitQuery(text: string): [path: string, query: string] {
  const at = text.indexOf("?")
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)]
}

function trimSlashes(path: string): string {
  let from = 0
  let to = path.length
  while (from < to && path[from] === "/") from++
  while (to > from && path[to - 1] === "/") to--
  return path.slice(from, to)
}
