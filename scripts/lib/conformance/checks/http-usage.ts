import { assume, type Check, demand, sharedCheck, whepCheck } from "../check.ts"
import { summary } from "../context.ts"
import { describe, type Exchange, FRAGMENT, isClientError, isSuccess, listOf, mediaType, SDP } from "../http.ts"

/** GET, HEAD, OPTIONS, problem details, redirections: rules 1, 2, 8, 27, 34, 41. */
export const httpUsageChecks: readonly Check[] = [
  ...sharedCheck({
    id: "get-endpoint",
    rule: 1,
    section: "4.1",
    whepSection: "4.1",
    level: "MUST",
    title: "GET on the endpoint gives an empty 2xx",
    run: async (context) => demandEmpty(await context.request(context.endpoint)),
  }),
  ...sharedCheck({
    id: "get-session",
    rule: 1,
    section: "4.1",
    whepSection: "4.1",
    level: "MUST",
    title: "GET on a session gives an empty 2xx",
    run: async (context) => demandEmpty(await context.request((await context.openAt()).url)),
  }),
  ...sharedCheck({
    id: "problem-details",
    rule: 2,
    section: "4.1",
    whepSection: "4.1",
    level: "MAY",
    title: "Problem details (RFC 9457) of errors are well-formed",
    async run(context) {
      const refused = await context.post("x", { "content-type": "text/plain" })
      assume(mediaType(refused) === "application/problem+json", "errors come without problem details")
      const problem = parse(refused.body)
      demand(problem !== undefined, "the problem is not a JSON object")
      const { status = refused.status } = problem as { status?: unknown }
      demand(status === refused.status, `the problem says status ${status}, the response ${refused.status}`)
      return summary(refused)
    },
  }),
  ...sharedCheck({
    id: "preflight-endpoint",
    rule: 8,
    section: "4.2",
    whepSection: "4.4",
    level: "MUST",
    title: "A browser may POST offers from any page (CORS preflight)",
    async run(context) {
      const answered = await context.anonymous(context.endpoint, preflight("POST", "authorization,content-type"))
      return demandPermission(answered, "post", ["authorization", "content-type"])
    },
  }),
  ...sharedCheck({
    id: "preflight-session",
    rule: 8,
    section: "4.2",
    whepSection: "4.4",
    level: "MUST",
    title: "A browser may PATCH and DELETE sessions (CORS preflight)",
    async run(context) {
      const { url } = await context.openAt()
      const headers = ["authorization", "content-type", "if-match"]
      demandPermission(await context.anonymous(url, preflight("PATCH", headers.join())), "patch", headers)
      const deletion = await context.anonymous(url, preflight("DELETE", "authorization"))
      return demandPermission(deletion, "delete", ["authorization"])
    },
  }),
  ...sharedCheck({
    id: "cors-answer",
    rule: 8,
    section: "4.2",
    whepSection: "4.4",
    level: "MUST",
    title: "A page of another origin may read the answer, its Location, ETag and Link",
    async run(context) {
      const { headers } = (await context.standard()).exchange
      const origin = headers.get("access-control-allow-origin")
      demand(origin !== null, "the answer has no Access-Control-Allow-Origin")
      const exposed = listOf(headers, "access-control-expose-headers")
      const hidden = ["location", "etag", "link"].filter((name) => headers.has(name) && !isNamed(exposed, name))
      demand(hidden.length === 0, `Access-Control-Expose-Headers leaves out ${hidden.join(", ")}`)
      return `exposed to ${origin}: ${exposed.join(", ")}`
    },
  }),
  ...sharedCheck({
    id: "accept-post",
    rule: 8,
    section: "4.2",
    whepSection: "4.4",
    level: "SHOULD",
    title: "OPTIONS answers 200 with Accept-Post: application/sdp",
    async run(context) {
      const answered = await context.request(context.endpoint, { method: "OPTIONS" })
      demand(answered.status === 200, describe(answered))
      const accepted = answered.headers.get("accept-post")
      demand(listOf(answered.headers, "accept-post").includes(SDP), `Accept-Post is ${accepted ?? "missing"}`)
      return `Accept-Post: ${accepted}`
    },
  }),
  ...["whip", "whep"].map(
    (protocol): Check => ({
      id: "no-301",
      protocol: protocol as Check["protocol"],
      rule: protocol === "whip" ? 27 : 41,
      section: protocol === "whip" ? "RFC 9725 4.5" : "WHEP 4.7",
      level: "MUST",
      title: "POST is not redirected by 301 or 302",
      needs: "http",
      async run(context) {
        const { redirects } = (await context.standard()).exchange
        demand(!redirects.some((status) => status === 301 || status === 302), `redirected by ${redirects.join(", ")}`)
        return redirects.length === 0 ? "not redirected" : `redirected by ${redirects.join(", ")}`
      },
    }),
  ),
  whepCheck({
    id: "head-endpoint",
    rule: 34,
    section: "4.2",
    level: "SHOULD",
    title: "HEAD on the endpoint gives 200 with Content-Type: application/sdp",
    async run(context) {
      const answered = await context.request(context.endpoint, { method: "HEAD" })
      demand(answered.status === 200, describe(answered))
      demand(mediaType(answered) === SDP, `Content-Type is ${mediaType(answered) || "missing"}`)
      return `${describe(answered)} with ${SDP}`
    },
  }),
  ...sharedCheck({
    id: "accept-patch",
    rule: 9,
    section: "RFC 5789 3.1",
    whepSection: "RFC 5789 3.1",
    level: "SHOULD",
    title: "OPTIONS on a session tells what PATCH takes",
    async run(context) {
      const session = await context.openAt()
      await context.trickle(session)
      const { headers } = await context.request(session.url, { method: "OPTIONS" })
      const accepted = headers.get("accept-patch")
      demand(listOf(headers, "accept-patch").includes(FRAGMENT), `Accept-Patch is ${accepted ?? "missing"}`)
      return `Accept-Patch: ${accepted}`
    },
  }),
]

function demandEmpty(answered: Exchange): string {
  demand(isSuccess(answered), summary(answered))
  demand(answered.body === "", `${describe(answered)} with a body of ${answered.body.length} characters`)
  return `${describe(answered)}, empty`
}

function preflight(method: string, headers: string) {
  const names = { "access-control-request-method": method, "access-control-request-headers": headers }
  return { method: "OPTIONS", headers: { origin: "https://player.example", ...names } }
}

function demandPermission(answered: Exchange, method: string, headers: readonly string[]): string {
  demand(isSuccess(answered), summary(answered))
  const origin = answered.headers.get("access-control-allow-origin")
  demand(origin === "*" || origin === "https://player.example", `Access-Control-Allow-Origin is ${origin ?? "missing"}`)
  const methods = listOf(answered.headers, "access-control-allow-methods")
  // POST needs no permission by name, Fetch section 4.8.
  demand(method === "post" || isNamed(methods, method), `Access-Control-Allow-Methods is ${methods.join(", ")}`)
  const allowed = listOf(answered.headers, "access-control-allow-headers")
  // The wildcard does not cover Authorization, Fetch section 4.9.
  const refused = headers.filter(
    (name) => !(name === "authorization" ? allowed.includes(name) : isNamed(allowed, name)),
  )
  demand(refused.length === 0, `Access-Control-Allow-Headers leaves out ${refused.join(", ")}`)
  return `${describe(answered)}, ${method.toUpperCase()} with ${headers.join(", ")} is allowed`
}

function isNamed(list: readonly string[], name: string): boolean {
  return list.includes(name) || list.includes("*")
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** For rules that ask for a refusal of the client's request. */
export function demandRefusal(answered: Exchange, what: string): string {
  demand(isClientError(answered), `${what}: ${summary(answered)}`)
  return `${what}: ${summary(answered)}`
}
