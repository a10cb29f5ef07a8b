import { GatewayError } from "../../errors.ts"
import { FlvFileReader, type FlvFileTag } from "../../flv/file-reader.ts"
import { parseAmf0 } from "../../rtmp/amf0.ts"
import { VERSION } from "../../version.ts"
import { FlvSession, type FlvSourceOptions } from "./flv-session.ts"
import { pause } from "./pause.ts"
import type { PullAttempt, PullSource } from "./pull-source.ts"
import { ReadAhead } from "./read-ahead.ts"

/** A stream of FLV by HTTP or HTTPS, as many media servers serve it. */
export class HttpFlvSource implements PullSource {
  readonly origin: string
  readonly #url: URL
  readonly #authorization: string | undefined
  readonly #options: FlvSourceOptions

  /** User and password of `url` become Basic credentials. Throws `config.invalid`, without showing the URL. */
  constructor(url: string, options: FlvSourceOptions) {
    if (!URL.canParse(url)) throw new GatewayError("config.invalid", "write the URL as http://HOST/PATH.flv")
    const { username, password } = new URL(url)
    this.#url = withoutUser(url)
    this.#authorization = username === "" ? undefined : basic(decode(username), decode(password))
    this.origin = `${this.#url.origin}${this.#url.pathname}`
    this.#options = options
  }

  fetch(attempt: PullAttempt): Promise<string> {
    const transport = new AbortController()
    const session = new FlvSession(attempt, this.#options, () => transport.abort())
    void this.#read(session, transport.signal).then(
      () => session.end("the origin ended it"),
      (error: unknown) => session.end(error instanceof GatewayError ? error.message : "internal error", error),
    )
    return session.ended
  }

  async #read(session: FlvSession, signal: AbortSignal): Promise<void> {
    const { nowMs, maxMessageBytes } = this.#options
    const body = await this.#open(signal)
    session.begin(this.#url.host)
    const flv = new FlvFileReader(maxMessageBytes)
    const ahead = new ReadAhead()
    const chunks = body[Symbol.asyncIterator]()
    for (;;) {
      const { done, value } = await chunks.next().catch((cause: unknown) => {
        throw new GatewayError("stream.not_live", `the connection to the origin is lost: ${describe(cause)}`, { cause })
      })
      if (done || signal.aborted) return
      flv.push(value, (event) => {
        if (event.type === "header") return
        if (event.type === "script") onScript(session, event)
        else {
          ahead.note(event.timestampMs, nowMs())
          session.onMedia(event)
        }
      })
      for (let waitMs = ahead.waitMs(nowMs()); waitMs > 0 && !signal.aborted; waitMs = ahead.waitMs(nowMs())) {
        session.keepAlive()
        await pause(Math.min(waitMs, MAX_WAIT_MS), signal)
      }
    }
  }

  /** Follows redirects by itself, so that credentials stay with the host that they are for. */
  async #open(signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const deadline = AbortSignal.timeout(this.#options.connectTimeoutMs)
    // The deadline is for the headers; what ends later is up to the caller.
    const connecting = new AbortController()
    const abort = () => connecting.abort()
    deadline.addEventListener("abort", abort)
    signal.addEventListener("abort", abort)
    try {
      let url = this.#url
      for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
        const response = await this.#request(url, connecting.signal, deadline)
        const location = REDIRECTS.has(response.status) ? response.headers.get("location") : null
        if (location === null) return bodyOf(response)
        await response.body?.cancel()
        url = redirected(url, location)
      }
    } finally {
      deadline.removeEventListener("abort", abort)
    }
    throw new GatewayError("stream.not_live", `the origin redirects more than ${MAX_REDIRECTS} times`)
  }

  async #request(url: URL, signal: AbortSignal, deadline: AbortSignal): Promise<Response> {
    const isOrigin = url.origin === this.#url.origin
    const headers = {
      accept: "video/x-flv, */*",
      "user-agent": `Whipstitch/${VERSION}`,
      ...(isOrigin && this.#authorization !== undefined && { authorization: this.#authorization }),
    }
    try {
      return await fetch(url, { headers, signal, redirect: "manual" })
    } catch (cause) {
      const reason = deadline.aborted
        ? "the origin does not answer"
        : `the origin cannot be reached: ${describe(cause)}`
      throw new GatewayError("stream.not_live", reason, { cause })
    }
  }
}

/** The body of an answer, whatever its content type: many servers have a wrong one, and what is no FLV is noticed at its first bytes. */
function bodyOf({ status, body }: Response): AsyncIterable<Uint8Array> {
  if (status === 200 && body !== null) return body
  void body?.cancel().catch(() => {})
  if (status === 401 || status === 403) {
    throw new GatewayError(
      "access.denied",
      `the origin lets us not in (status ${status}): look at the URL's credentials`,
    )
  }
  throw new GatewayError("stream.not_live", `the origin answers with status ${status}`)
}

function redirected(from: URL, location: string): URL {
  const url = URL.canParse(location, from) ? withoutUser(new URL(location, from)) : undefined
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && from.protocol === "http:")
  if (url !== undefined && isSafe) return url
  throw new GatewayError("stream.not_live", "the origin redirects to an address that is no HTTP, or without TLS")
}

/** `onMetaData` is of use, but nothing depends on it: a script tag that cannot be read is passed over. */
function onScript(session: FlvSession, { payload }: FlvFileTag<"script">): void {
  try {
    const [name, values] = parseAmf0(payload)
    if (name === "onMetaData") session.onMetadata(values)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
  }
}

function withoutUser(url: string | URL): URL {
  const copy = new URL(url)
  copy.username = ""
  copy.password = ""
  return copy
}

/** RFC 7617. */
function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What `fetch` failed of; the error itself says no more than that it did. */
function describe(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message || ("code" in cause ? String(cause.code) : cause.name) : String(cause)
}

const MAX_REDIRECTS = 5
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** Shorter than any time-out for silence. */
const MAX_WAIT_MS = 200
