import { GatewayError } from "../errors.ts"

/** A checked stream name of the form `app/stream`. */
export type StreamName = string & { readonly __brand: "StreamName" }

/**
 * Checks a name as it comes from a URL or an RTMP command. Each part is 1 to 64 letters, digits, `.`, `_` or `-` and does
 * not begin with a dot, so that a name is safe in paths, logs and pages. Throws `stream.name`.
 */
export function parseStreamName(app: string, stream: string): StreamName {
  for (const [what, part] of [
    ["app", app],
    ["stream", stream],
  ] as const) {
    if (!NAME_PART.test(part)) {
      throw new GatewayError(
        "stream.name",
        `the ${what} name ${quote(part)} is not allowed: use 1 to 64 letters, digits, "-", "_" or ".", and do not begin with "."`,
      )
    }
  }
  return `${app}/${stream}` as StreamName
}

/** Shows a peer's text in an error message: cut short, and without control characters. */
function quote(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}

const NAME_PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/
