/** One value of a Link header, RFC 8288. */
export interface Link {
  readonly target: string
  readonly rel: string
  readonly params: Readonly<Record<string, string>>
}

/** Reads all values of the Link header; what does not look like one is left out. */
export function readLinks(headers: Headers): Link[] {
  const links: Link[] = []
  for (const [, target = "", rest = ""] of (headers.get("link") ?? "").matchAll(
    /<([^>]*)>((?:[^<,"]|"(?:[^"\\]|\\.)*")*)/g,
  )) {
    const params: Record<string, string> = {}
    for (const [, name = "", quoted, plain] of rest.matchAll(
      /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;,\s]+))/g,
    )) {
      params[name.toLowerCase()] = quoted?.replace(/\\(.)/g, "$1") ?? plain ?? ""
    }
    links.push({ target, rel: params.rel ?? "", params })
  }
  return links
}

export const ICE_SERVER = "ice-server"
export const EVENTS = "urn:ietf:params:whep:ext:core:server-sent-events"
export const LAYER = "urn:ietf:params:whep:ext:core:layer"
