/** What a peer wants to publish or play, taken apart; the names are as the peer sent them and not yet checked. */
export interface RtmpStreamAddress {
  /** Application, without query; may have several path segments. */
  readonly app: string
  /** Stream name, without query. */
  readonly stream: string
  /** Query parameters of the URL, the application and the stream name; where they disagree the later one wins. */
  readonly query: ReadonlyMap<string, string>
  readonly tcUrl: string
}

/**
 * Joins what came with `connect` and with `publish` or `play`; any of the three may carry a query such as `?token=x`. Where all of
 * the address stands in one of the two, as when an OBS user leaves the stream key empty, the last segment is the stream.
 */
export function parseStreamAddress(tcUrl: string, appName: string, streamName: string): RtmpStreamAddress {
  const [app, appQuery] = splitQuery(appName)
  const [stream, streamQuery] = splitQuery(streamName)
  const query = new Map<string, string>()
  for (const part of [splitQuery(tcUrl)[1], appQuery, streamQuery]) {
    for (const [name, value] of new URLSearchParams(part)) query.set(name, value)
  }
  return { ...splitNames(trimSlashes(app), trimSlashes(stream)), query, tcUrl }
}

function splitNames(app: string, stream: string): { readonly app: string; readonly stream: string } {
  if (app !== "" && stream !== "") return { app, stream }
  const whole = app || stream
  const at = whole.lastIndexOf("/")
  return at < 0 ? { app, stream } : { app: trimSlashes(whole.slice(0, at)), stream: whole.slice(at + 1) }
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
