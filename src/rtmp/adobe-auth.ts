import type { RtmpUrl } from "./rtmp-url.ts"

/** What Adobe's authentication needs from outside. */
export interface AdobeAuthTools {
  /** MD5 of a text in UTF-8, in base64. */
  md5Base64(text: string): string
  /** Eight random hexadecimal digits. */
  readonly nonce: string
}

/**
 * The query with which `connect` must come again, from the description of its rejection by a server with Adobe's authentication; undefined
 * where it is another rejection, or the answer to credentials that are wrong. First the server wants the user's name, then the answer to its
 * challenge. Not specified in public: this is what encoders send and servers with that plug-in take.
 */
export function adobeAuthQuery(
  description: string,
  { name, password }: NonNullable<RtmpUrl["user"]>,
  { md5Base64, nonce }: AdobeAuthTools,
): string | undefined {
  if (!description.includes("authmod=adobe")) return undefined
  const known = `?authmod=adobe&user=${name}`
  const challenge = parseChallenge(description)
  const reason = challenge.get("reason")
  if (reason === undefined) return known
  if (reason !== "needauth") return undefined
  const secret = md5Base64(name + (challenge.get("salt") ?? "") + password)
  const opaque = challenge.get("opaque")
  const response = md5Base64(secret + (opaque ?? challenge.get("challenge") ?? "") + nonce)
  return `${known}&challenge=${nonce}&response=${response}${opaque === undefined ? "" : `&opaque=${opaque}`}`
}

/** Taken apart by hand, as a plus sign in base64 is none of a form's blanks. */
function parseChallenge(description: string): ReadonlyMap<string, string> {
  const query = description.slice(description.indexOf("?") + 1)
  if (!description.includes("?")) return new Map()
  return new Map(
    query.split("&").map((pair): [string, string] => {
      const at = pair.indexOf("=")
      return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}
