/**
 * Reads the body of a response as JSON. Throws a `SyntaxError` where it is none, and a `RangeError` as soon as more than
 * `maxBytes` have come.
 */
export async function readJson(response: Response, maxBytes: number): Promise<unknown> {
  const decoder = new TextDecoder()
  let text = ""
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new RangeError(`the answer has more than ${maxBytes} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return JSON.parse(text + decoder.decode())
}

/** Why a request failed, in one line for the log; without the queries of addresses, which may hold secrets and which Deno quotes. */
export function failureReason(error: unknown): string {
  return rawReason(error).replaceAll(/(\bhttps?:\/\/[^\s?#)]*)[?#][^\s)]*/g, "$1?…")
}

/** fetch hides the reason in its error's cause. */
function rawReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === "TimeoutError") return "no answer in time"
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  const code = "code" in cause ? String(cause.code) : ""
  return cause.message === "" ? code || error.message : cause.message
}
