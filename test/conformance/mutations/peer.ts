import { type Call, edit, editAnswers, isOffer, isSession, type Misbehave } from "../stub.ts"
import { type Mutation, PATIENCE } from "../target.ts"

const offers = (line: string) => (offer: string) => offer.includes(line)
const FINGERPRINT = /a=fingerprint:.*/g
const NOBODYS = `a=fingerprint:sha-256 ${Array(32).fill("00").join(":")}`

/** Servers that break what only a connected peer can see. */
export const peerMutations: readonly Mutation[] = [
  ...(["whip", "whep"] as const).flatMap((protocol): Mutation[] => [
    {
      name: `${protocol}: a session is there for a while after DTLS was closed`,
      protocols: [protocol],
      found: ["dtls-close"],
      // Longer than the suite waits for an end that it told of, shorter than for one that the server has to notice.
      create: () => lateEnd(2_500),
    },
    {
      name: `${protocol}: a client that vanishes is not noticed in time`,
      protocols: [protocol],
      found: ["consent"],
      options: { patience: { ...PATIENCE, silenceMs: 300 } },
      create: () => (_, forward) => forward(),
    },
    {
      name: `${protocol}: DELETE is answered and forgotten`,
      protocols: [protocol],
      found: ["delete-ends-media"],
      create: forgetDelete,
    },
  ]),
  ...(["actpass", "active", "passive"] as const).map(
    (setup): Mutation => ({
      name: `whip: setup:${setup} is answered with a certificate that the server has not`,
      protocols: ["whip"],
      found: [`connect-${setup}`],
      options: { patience: { ...PATIENCE, connectMs: 2_000 } },
      create: () => wrongCertificate(setup),
    }),
  ),
  {
    name: "whep: a player gets no sound",
    protocols: ["whep"],
    found: ["media"],
    options: { patience: { ...PATIENCE, connectMs: 2_000 } },
    create: () => editAnswers({ body: (sdp) => sdp.replace(/^(m=audio.*) 111/m, "$1 110") }, offers("m=audio")),
  },
  {
    name: "whep: the answer to a counter-offer leads to nothing",
    protocols: ["whep"],
    found: ["counter-offer-media"],
    options: { patience: { ...PATIENCE, connectMs: 2_000 } },
    create: () => async (call, forward) => (isAnswer(call) ? new Response(null, { status: 204 }) : forward()),
  },
]

function isAnswer({ method, headers }: Call): boolean {
  return method === "PATCH" && headers.get("content-type") === "application/sdp"
}

/** The address of a session that has ended by itself answers for a while longer. */
function lateEnd(lateMs: number): Misbehave {
  const goneSince = new Map<string, number>()
  return async (call, forward) => {
    const response = await forward()
    if (call.method !== "GET" || !isSession(call) || response.status !== 404) return response
    const since = goneSince.get(call.path) ?? performance.now()
    goneSince.set(call.path, since)
    return performance.now() - since < lateMs ? edit(response, { status: 200 }) : response
  }
}

function forgetDelete(): Misbehave {
  return async (call, forward) =>
    call.method === "DELETE" && isSession(call) ? new Response(null, { status: 200 }) : forward()
}

/** The answer to offers of such a role names a certificate that the server has not. */
function wrongCertificate(setup: string): Misbehave {
  return async (call, forward) => {
    const response = await forward()
    const isMeant = isOffer(call) && call.body.includes(`a=setup:${setup}`) && response.status === 201
    return isMeant ? edit(response, { body: (sdp) => sdp.replace(FINGERPRINT, NOBODYS) }) : response
  }
}
