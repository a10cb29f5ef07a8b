import { editAnswers, editWhen, forwardWhen, isOffer, withHeader } from "../stub.ts"
import { BOTH, type Mutation, TOKEN } from "../target.ts"

/** Servers that break what is about tokens, ICE servers, names of extensions, and protection. */
export const accessMutations: readonly Mutation[] = [
  {
    name: "a TURN server without credential",
    protocols: BOTH,
    found: ["ice-server-links"],
    create: () => editAnswers({ headers: { link: '<turn:turn.example>; rel="ice-server"; username="user"' } }),
  },
  {
    name: "an ICE server that is none",
    protocols: BOTH,
    found: ["ice-server-links"],
    create: () => editAnswers({ headers: { link: '<https://turn.example>; rel="ice-server"' } }),
  },
  {
    name: "a preflight gives ICE servers away",
    protocols: BOTH,
    found: ["no-ice-servers-in-preflight"],
    create: () =>
      editWhen(({ headers }) => headers.has("access-control-request-method"), {
        headers: { link: '<stun:stun.example>; rel="ice-server"' },
      }),
  },
  {
    name: "nobody needs the token",
    protocols: BOTH,
    found: ["bearer-needed"],
    create: () => forwardWhen((call) => isOffer(call) && !call.headers.has("authorization"), withToken),
  },
  {
    name: "any token will do",
    protocols: BOTH,
    found: ["wrong-bearer"],
    create: () => forwardWhen((call) => isOffer(call) && call.headers.has("authorization"), withToken),
  },
  {
    name: "401 without a challenge",
    protocols: BOTH,
    found: ["challenge"],
    create: () => editWhen((_, { status }) => status === 401, { headers: { "www-authenticate": undefined } }),
  },
  {
    name: "401 asks for Basic",
    protocols: BOTH,
    found: ["challenge"],
    create: () => editWhen((_, { status }) => status === 401, { headers: { "www-authenticate": "Basic" } }),
  },
  {
    name: "a server without tokens refuses clients that have one",
    protocols: BOTH,
    found: ["bearer-tolerated"],
    options: { token: undefined },
    create: () => async (call, forward) => {
      if (!isOffer(call)) return forward()
      return call.headers.has("authorization") ? new Response(null, { status: 400 }) : forward(withToken(call))
    },
  },
  {
    name: "an extension of WHEP is advertised by WHIP",
    protocols: ["whip"],
    found: ["extension-names"],
    create: () => editAnswers({ headers: { link: '</layers>; rel="urn:ietf:params:whep:ext:core:layer"' } }),
  },
  {
    name: "an extension under a name of its own",
    protocols: ["whep"],
    found: ["extension-names"],
    create: () => editAnswers({ headers: { link: '</layers>; rel="urn:example:whep:ext:layer"' } }),
  },
  {
    name: "no HTTPS for the world",
    protocols: BOTH,
    found: ["https"],
    options: { endpoint: "http://edge.example.com" },
    create: () => (_, forward) => forward(),
  },
  {
    name: "no limit of requests",
    protocols: BOTH,
    found: ["rate-limit"],
    options: { floodRequests: 40 },
    create: () => (_, forward) => forward(),
  },
  {
    name: "a limit of requests, which is right",
    protocols: BOTH,
    found: [],
    options: { floodRequests: 40 },
    create: () => {
      let misses = 0
      return async (_, forward) => {
        const response = await forward()
        if (response.status === 404) misses++
        if (misses <= 30) return response
        misses = 0
        return new Response(null, { status: 429 })
      }
    },
  },
]

function withToken(call: Parameters<typeof withHeader>[0]) {
  return { headers: withHeader(call, "authorization", `Bearer ${TOKEN}`) }
}
