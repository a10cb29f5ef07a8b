import {
  answerWhen,
  edit,
  editAnswers,
  editWhen,
  forwardWhen,
  isEndpoint,
  isFragment,
  isOffer,
  isSession,
  type Misbehave,
  withHeader,
} from "../stub.ts"
import { BOTH, type Mutation } from "../target.ts"

const isPreflight = ({ method, headers }: { method: string; headers: Headers }) =>
  method === "OPTIONS" && headers.has("access-control-request-method")

/** Servers that break what is about HTTP itself. */
export const httpUsageMutations: readonly Mutation[] = [
  {
    name: "GET on the endpoint gives 405, as in older drafts",
    protocols: BOTH,
    found: ["get-endpoint"],
    create: () => answerWhen((call) => call.method === "GET" && isEndpoint(call), 405),
  },
  {
    name: "GET on the endpoint gives a page",
    protocols: BOTH,
    found: ["get-endpoint"],
    create: () => editWhen((call) => call.method === "GET" && isEndpoint(call), { body: () => "<html>" }),
  },
  {
    name: "GET on a session gives a body",
    protocols: BOTH,
    found: ["get-session"],
    create: () => editWhen((call, { ok }) => call.method === "GET" && isSession(call) && ok, { body: () => "here" }),
  },
  {
    name: "problem details are no JSON",
    protocols: BOTH,
    found: ["problem-details"],
    create: () => editWhen((_, { status }) => status === 415, { body: () => "oops" }),
  },
  {
    name: "problem details tell of another status",
    protocols: BOTH,
    found: ["problem-details"],
    create: () => editWhen((_, { status }) => status === 415, { body: (text) => text.replace("415", "500") }),
  },
  {
    name: "a preflight of the endpoint names no origin",
    protocols: BOTH,
    found: ["preflight-endpoint"],
    create: () =>
      editWhen((call) => isPreflight(call) && isEndpoint(call), {
        headers: { "access-control-allow-origin": undefined },
      }),
  },
  {
    name: "a preflight of the endpoint leaves out Authorization",
    protocols: BOTH,
    found: ["preflight-endpoint"],
    create: () =>
      editWhen((call) => isPreflight(call) && isEndpoint(call), { headers: { "access-control-allow-headers": "*" } }),
  },
  {
    name: "a preflight of a session leaves out PATCH",
    protocols: BOTH,
    found: ["preflight-session"],
    create: () =>
      editWhen((call) => isPreflight(call) && isSession(call), {
        headers: { "access-control-allow-methods": "GET, POST, DELETE" },
      }),
  },
  {
    name: "answers are without CORS",
    protocols: BOTH,
    found: ["cors-answer"],
    create: () => editAnswers({ headers: { "access-control-allow-origin": undefined } }),
  },
  {
    name: "Location is hidden from pages",
    protocols: BOTH,
    found: ["cors-answer"],
    create: () => editAnswers({ headers: { "access-control-expose-headers": "ETag, Link" } }),
  },
  {
    name: "OPTIONS tells no Accept-Post",
    protocols: BOTH,
    found: ["accept-post"],
    create: () => editWhen(({ method }) => method === "OPTIONS", { headers: { "accept-post": undefined } }),
  },
  {
    name: "OPTIONS gives 204",
    protocols: BOTH,
    found: ["accept-post"],
    create: () => editWhen((call) => call.method === "OPTIONS" && !isPreflight(call), { status: 204 }),
  },
  {
    name: "OPTIONS of a session tells no Accept-Patch",
    protocols: BOTH,
    found: ["accept-patch"],
    create: () => editWhen(({ method }) => method === "OPTIONS", { headers: { "accept-patch": undefined } }),
  },
  {
    name: "POST is redirected by 301",
    protocols: BOTH,
    found: ["no-301"],
    create: () => redirect(301),
  },
  {
    name: "POST is redirected by 307, which is right",
    protocols: BOTH,
    found: [],
    create: () => redirect(307),
  },
  {
    name: "HEAD gives 405",
    protocols: ["whep"],
    found: ["head-endpoint"],
    create: () => answerWhen(({ method }) => method === "HEAD", 405),
  },
  {
    name: "HEAD has no Content-Type",
    protocols: ["whep"],
    found: ["head-endpoint"],
    create: () => editWhen(({ method }) => method === "HEAD", { headers: { "content-type": undefined } }),
  },
  {
    name: "any Content-Type is taken for an offer",
    protocols: BOTH,
    found: ["wrong-type"],
    create: () => forwardWhen(isOffer, (call) => ({ headers: withHeader(call, "content-type", "application/sdp") })),
  },
  {
    name: "PATCH takes any Content-Type",
    protocols: BOTH,
    found: ["patch-wrong-type"],
    create: () =>
      answerWhen(({ method, headers }) => method === "PATCH" && headers.get("content-type") === "text/plain", 204),
  },
  {
    name: "PATCH takes what is no fragment",
    protocols: BOTH,
    found: ["patch-malformed"],
    create: () => answerWhen((call) => isFragment(call) && !call.body.includes("a="), 204),
  },
]

function redirect(status: number): Misbehave {
  return async (call, forward) => {
    if (!isOffer(call) || call.path.includes("?")) return forward()
    return edit(new Response(null, { status }), { headers: { location: `${call.path}?here` } })
  }
}
