import type { Fetch } from "../../scripts/lib/conformance/http.ts"

/** A request on its way to the gateway. */
export interface Call {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: Headers
  readonly body: string
}

/** Sends a request on, changed or as it is. */
export type Forward = (changes?: Partial<Call>) => Promise<Response>

/** A server that breaks one rule: what it does with a request instead of, before or after the gateway. */
export type Misbehave = (call: Call, forward: Forward) => Promise<Response>

/** The gateway behind a proxy that misbehaves. Addresses of other hosts lead to it, too. */
export function brokenServer(gatewayUrl: string, misbehave: Misbehave): Fetch {
  return async (request) => {
    const { pathname, search } = new URL(request.url)
    const body = await request.text()
    const call: Call = { method: request.method, path: pathname + search, headers: request.headers, body }
    return misbehave(call, (changes = {}) => {
      const { method, path, headers, body } = { ...call, ...changes }
      const hasBody = method !== "GET" && method !== "HEAD" && (body !== "" || method === "POST")
      const { signal } = request
      return fetch(gatewayUrl + path, { method, headers, redirect: "manual", signal, ...(hasBody && { body }) })
    })
  }
}

/** What to change in a response. */
export interface ResponseChanges {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | undefined>>
  readonly body?: (text: string) => string
}

/** A response with other headers, status or text. */
export async function edit(response: Response, { status, headers = {}, body }: ResponseChanges): Promise<Response> {
  const edited = new Headers(response.headers)
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) edited.delete(name)
    else edited.set(name, value)
  }
  const content = body === undefined ? response.body : body(await response.text())
  const newStatus = status ?? response.status
  return new Response(newStatus === 204 ? null : content, { status: newStatus, headers: edited })
}

/** The same for a body that comes piece by piece. */
export function editStream(response: Response, change: (text: string) => string): Response {
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  const changes = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => controller.enqueue(encoder.encode(change(decoder.decode(chunk)))),
  })
  return new Response(response.body?.pipeThrough(changes) ?? null, response)
}

/** A POST to an endpoint. */
export function isOffer({ method, path }: Call): boolean {
  return method === "POST" && isEndpoint({ path })
}

export function isEndpoint({ path }: Pick<Call, "path">): boolean {
  return /^\/wh[ie]p\//.test(path)
}

/** A session's own address, not one below it. */
export function isSession({ path }: Call): boolean {
  return /^\/sessions\/[^/]+$/.test(path)
}

/** A PATCH with a fragment. */
export function isFragment(call: Call): boolean {
  return call.method === "PATCH" && call.headers.get("content-type") === "application/trickle-ice-sdpfrag"
}

/** Changes the answers to offers (201); `when` looks at the offer. */
export function editAnswers(changes: ResponseChanges, when: (offer: string) => boolean = () => true): Misbehave {
  return async (call, forward) => {
    const response = await forward()
    return isOffer(call) && response.status === 201 && when(call.body) ? edit(response, changes) : response
  }
}

/** Changes all responses to some calls. */
export function editWhen(when: (call: Call, response: Response) => boolean, changes: ResponseChanges): Misbehave {
  return async (call, forward) => {
    const response = await forward()
    return when(call, response) ? edit(response, changes) : response
  }
}

/** Answers some calls without asking the gateway. */
export function answerWhen(when: (call: Call) => boolean, status: number): Misbehave {
  return async (call, forward) => (when(call) ? new Response(null, { status }) : forward())
}

/** Changes some calls before the gateway gets them. */
export function forwardWhen(when: (call: Call) => boolean, change: (call: Call) => Partial<Call>): Misbehave {
  return (call, forward) => forward(when(call) ? change(call) : {})
}

/** Headers with one changed. */
export function withHeader({ headers }: Call, name: string, value: string): Headers {
  const changed = new Headers(headers)
  changed.set(name, value)
  return changed
}
