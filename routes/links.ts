/** A STUN or TURN server for a client; credentials only for TURN. */
export interface IceServerLink {
  /** `stun:host:port` or `turn:host:port?transport=udp`, RFC 7064 and RFC 7065. */
  readonly url: string
  readonly username?: string | undefined
  readonly credential?: string | undefined
}

/** An extension that a session offers (RFC 9725 section 4.9). */
export interface ExtensionLink {
  /** The extension's URN. */
  readonly rel: string
  /** From the root of the gateway, beginning with a slash. */
  readonly path: string
  readonly params?: Readonly<Record<string, string>>
}

/** The value of a Link header for an ICE server, RFC 9725 section 4.6. */
export function serializeIceServer({ url, username, credential }: IceServerLink): string {
  const parts = [`<${url}>; rel="ice-server"`]
  if (username !== undefined) parts.push(`username=${quote(username)}`)
  if (credential !== undefined) parts.push(`credential=${quote(credential)}`, 'credential-type="password"')
  return parts.join("; ")
}

/** The value of a Link header for an extension, with an absolute URL. */
export function serializeExtension({ rel, path, params = {} }: ExtensionLink, baseUrl: string): string {
  const attributes = Object.entries(params).map(([name, value]) => `; ${name}=${quote(value)}`)
  return `<${baseUrl}${path}>; rel=${quote(rel)}${attributes.join("")}`
}

/** A quoted-string, RFC 9110 section 5.6.4; control characters cannot stand in a header. */
function quote(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, "").replace(/["\\]/g, "\\$&")}"`
}
