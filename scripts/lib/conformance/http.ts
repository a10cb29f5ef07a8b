/** A response with its body, and how it was asked for. */
export interface Exchange {
  readonly method: string
  /** Of the request that was answered, after redirections. */
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly body: string
  /** Statuses of the redirections that were followed. */
  readonly redirects: readonly number[]
}

/** What a request says beside its address. */
export interface RequestOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** How requests go out: the built-in one, or that of a test. */
export type Fetch = (request: Request) => Promise<Response>

/** Sends a request and reads the answer. Redirections are followed with the same method and body, and recorded, whatever their status. */
export async function exchange(fetch: Fetch, url: string, options: RequestOptions = {}): Promise<Exchange> {
  const redirects: number[] = []
  let target = url
  for (;;) {
    const response = await fetch(toRequest(target, options))
    const location = response.headers.get("location")
    if (!REDIRECTIONS.has(response.status) || location === null || redirects.length >= MAX_REDIRECTIONS) {
      const { status, headers } = response
      return { method: options.method ?? "GET", url: target, status, headers, body: await response.text(), redirects }
    }
    await response.body?.cancel()
    redirects.push(response.status)
    target = new URL(location, target).href
  }
}

/** A request that is given up after a while. */
export function toRequest(url: string, { method = "GET", headers = {}, body }: RequestOptions): Request {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const withBody = body === undefined ? {} : { body }
  return new Request(url, { method, headers, redirect: "manual", signal, ...withBody })
}

/** Whether the status is 2xx. */
export function isSuccess({ status }: { readonly status: number }): boolean {
  return status >= 200 && status < 300
}

/** Whether the request was refused as the client's fault. */
export function isClientError({ status }: { readonly status: number }): boolean {
  return status >= 400 && status < 500
}

/** The media type in lower case without parameters; empty where there is none. */
export function mediaType({ headers }: { readonly headers: Headers }): string {
  return (headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? ""
}

/** The items of a header that lists them, in lower case. */
export function listOf(headers: Headers, name: string): string[] {
  return (headers.get(name) ?? "").split(",").map((item) => item.trim().toLowerCase())
}

/** `POST gave 201`, for what was seen. */
export function describe({ method, status }: Exchange): string {
  return `${method} gave ${status}`
}

export const SDP = "application/sdp"
export const FRAGMENT = "application/trickle-ice-sdpfrag"
export const JSON_TYPE = "application/json"
const REDIRECTIONS = new Set([301, 302, 307, 308])
const MAX_REDIRECTIONS = 5
const TIMEOUT_MS = 10_000
