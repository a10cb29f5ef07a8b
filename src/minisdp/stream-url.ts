import { GatewayError } from "../errors.ts"

/** What the URL of a request names: a stream, and what its sender shows in order to be let in. */
export interface StreamUrl {
  /** `app/stream`, unchecked. */
  readonly stream: string
  readonly token: string | undefined
  /** Empty where there is none, or something that is none. */
  readonly cookie: Uint8Array
}

/**
 * Reads the URL of a request without its scheme: `app/stream?token=…`, in the public form with a host in front and, where a client has one,
 * `&cookie=` with 32 hexadecimal digits. Throws `stream.name`.
 */
export function parseStreamUrl(url: string): StreamUrl {
  const [path = "", query = ""] = splitOnce(url, "?")
  const segments = path.split("/")
  if (segments.length < 2) {
    throw new GatewayError("stream.name", "the URL must end in {app}/{stream}, for example live/cam1")
  }
  const parameters = new URLSearchParams(query)
  return {
    stream: segments.slice(-2).join("/"),
    token: parameters.get("token") || undefined,
    cookie: parseHex(parameters.get("cookie") ?? ""),
  }
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function parseHex(text: string): Uint8Array {
  if (!/^([\da-f]{2}){1,32}$/i.test(text)) return new Uint8Array(0)
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
