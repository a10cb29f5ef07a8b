import { assume, type Check, demand, sharedCheck, whepCheck, whipCheck } from "../check.ts"
import { type ProtocolContext, summary } from "../context.ts"
import { describe, exchange, isSuccess, type RequestOptions, SDP } from "../http.ts"
import { ICE_SERVER, type Link, readLinks } from "../links.ts"
import { createOffer } from "../offers.ts"

/** Tokens, ICE servers, extensions' names, HTTPS and limits: rules 28, 29, 31, 32, 42. */
export const accessChecks: readonly Check[] = [
  ...sharedCheck({
    id: "ice-server-links",
    rule: 28,
    section: "4.6",
    whepSection: "4.8",
    level: "MAY",
    title: "ICE servers in Link headers are well-formed",
    async run(context) {
      const servers = iceServers((await context.standard()).exchange.headers)
      assume(servers.length > 0, "the server announces no ICE servers")
      for (const { target, params } of servers) {
        demand(ICE_URI.test(target), `no STUN or TURN URI: ${target}`)
        if (!/^turns?:/i.test(target)) continue
        const missing = ["username", "credential"].filter((name) => params[name] === undefined)
        demand(missing.length === 0, `${target} has no ${missing.join(" and ")}`)
        const type = params["credential-type"] ?? "password"
        demand(type === "password", `${target} has credential-type ${type}`)
      }
      return servers.map(({ target }) => target).join(", ")
    },
  }),
  ...sharedCheck({
    id: "no-ice-servers-in-preflight",
    rule: 28,
    section: "4.6",
    whepSection: "4.8",
    level: "SHOULD",
    title: "A CORS preflight gets no ICE servers",
    async run(context) {
      const headers = { origin: "https://player.example", "access-control-request-method": "POST" }
      const answered = await context.request(context.endpoint, { method: "OPTIONS", headers })
      demand(iceServers(answered.headers).length === 0, `Link: ${answered.headers.get("link")}`)
      return "none"
    },
  }),
  ...sharedCheck({
    id: "bearer-needed",
    rule: 29,
    section: "4.7",
    whepSection: "4.9",
    level: "MUST",
    title: "Without the token an offer gets 401 or 403",
    async run(context) {
      assume(context.options.token !== undefined, "needs --token and a server that asks for it")
      const answered = await context.anonymous(context.endpoint, offerTo(context))
      demand(answered.status === 401 || answered.status === 403, summary(answered))
      return summary(answered)
    },
  }),
  ...sharedCheck({
    id: "challenge",
    rule: 29,
    section: "4.7, RFC 9110 15.5.2",
    whepSection: "4.9, RFC 9110 15.5.2",
    level: "MUST",
    title: "A 401 names the Bearer scheme in WWW-Authenticate",
    async run(context) {
      assume(context.options.token !== undefined, "needs --token and a server that asks for it")
      const answered = await context.anonymous(context.endpoint, offerTo(context))
      assume(answered.status === 401, describe(answered))
      const challenge = answered.headers.get("www-authenticate")
      demand(/^bearer\b/i.test(challenge ?? ""), `WWW-Authenticate is ${challenge ?? "missing"}`)
      return `WWW-Authenticate: ${challenge}`
    },
  }),
  ...sharedCheck({
    id: "wrong-bearer",
    rule: 29,
    section: "4.7.1",
    whepSection: "4.9.1",
    level: "MUST",
    title: "With a wrong token an offer gets 401 or 403",
    async run(context) {
      assume(context.options.token !== undefined, "needs --token and a server that asks for it")
      const answered = await context.anonymous(
        context.endpoint,
        offerTo(context, `Bearer not-${context.options.token}`),
      )
      demand(answered.status === 401 || answered.status === 403, summary(answered))
      return summary(answered)
    },
  }),
  ...sharedCheck({
    id: "bearer-tolerated",
    rule: 29,
    section: "4.7.1",
    whepSection: "4.9.1",
    level: "MUST",
    title: "An offer with a Bearer token is taken, or refused with 401 or 403",
    async run(context) {
      assume(context.options.token === undefined, "all other checks send the token")
      const answered = await context.anonymous(context.endpoint, offerTo(context, "Bearer conformance"))
      demand(isSuccess(answered) || answered.status === 401 || answered.status === 403, summary(answered))
      return summary(answered)
    },
  }),
  whipCheck({
    id: "extension-names",
    rule: 31,
    section: "4.9",
    level: "MUST",
    title: "Extensions are advertised under urn:ietf:params:whip:ext:",
    run: (context) => demandPrefix(context, "urn:ietf:params:whip:ext:"),
  }),
  whepCheck({
    id: "extension-names",
    rule: 42,
    section: "4.10",
    level: "MUST",
    title: "Extensions are advertised under urn:ietf:params:whep:ext:",
    run: (context) => demandPrefix(context, "urn:ietf:params:whep:ext:"),
  }),
  ...sharedCheck({
    id: "https",
    rule: 32,
    section: "5",
    whepSection: "5",
    level: "MUST",
    title: "HTTPS is used",
    async run({ endpoint }) {
      const { protocol, hostname } = new URL(endpoint)
      assume(protocol === "https:" || !isLocal(hostname), `${hostname} is local, where TLS may be a proxy's`)
      demand(protocol === "https:", `${endpoint} is not encrypted`)
      return protocol.slice(0, -1)
    },
  }),
  ...sharedCheck({
    id: "rate-limit",
    rule: 32,
    section: "5",
    whepSection: "5",
    level: "SHOULD",
    title: "Too many POST, PATCH or DELETE of one client are limited",
    async run(context) {
      const { floodRequests, fetch } = context.options
      assume(floodRequests > 0, "not tried: --flood N sends N requests at once to see")
      const url = (await context.standard()).url ?? context.endpoint
      for (let sent = 0; sent < floodRequests; sent += FLOOD_AT_ONCE) {
        const answers = await Promise.all(
          Array.from({ length: FLOOD_AT_ONCE }, () => exchange(fetch, url, { method: "DELETE" })),
        )
        const limited = answers.find(({ status }) => status === 429 || status === 503)
        if (limited !== undefined) return `${limited.status} within ${sent + FLOOD_AT_ONCE} requests`
      }
      demand(false, `${floodRequests} requests and no limit`)
    },
  }),
]

function offerTo({ protocol }: ProtocolContext, authorization?: string): RequestOptions {
  const headers = { "content-type": SDP, ...(authorization !== undefined && { authorization }) }
  return { method: "POST", headers, body: createOffer(protocol) }
}

function iceServers(headers: Headers): Link[] {
  return readLinks(headers).filter(({ rel }) => rel === ICE_SERVER)
}

async function demandPrefix(context: ProtocolContext, prefix: string): Promise<string> {
  const links = readLinks((await context.standard()).exchange.headers)
  const extensions = links.map(({ rel }) => rel).filter((rel) => /^urn:|:ext:/.test(rel))
  const others = extensions.filter((rel) => !rel.startsWith(prefix))
  demand(others.length === 0, `advertised: ${others.join(", ")}`)
  return extensions.join(", ") || "no extension is advertised"
}

/** Loopback, private networks (RFC 1918, RFC 4193, RFC 3927, RFC 4291) and names without a dot. */
function isLocal(hostname: string): boolean {
  if (/^(127|10)\.|^192\.168\.|^169\.254\.|^172\.(1[6-9]|2\d|3[01])\./.test(hostname)) return true
  return /^\[(::1\]|f[cd]|fe[89ab])/i.test(hostname) || /^[^.[]+$|\.(local|internal|localhost)$/i.test(hostname)
}

/** RFC 7064 and RFC 7065. */
const ICE_URI = /^(stuns?:[^?\s]+|turns?:[^?\s]+(\?transport=[\w-]+)?)$/i
const FLOOD_AT_ONCE = 20
