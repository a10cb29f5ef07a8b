import { edit, editAnswers, editWhen, isFragment, isOffer, type Misbehave, withHeader } from "../stub.ts"
import { BOTH, type Mutation } from "../target.ts"

/** Servers that break what a POST of an offer gives. */
export const setupMutations: readonly Mutation[] = [
  { name: "200 instead of 201", protocols: BOTH, found: ["created"], create: () => editAnswers({ status: 200 }) },
  {
    name: "the answer is text/plain",
    protocols: BOTH,
    found: ["answer-type"],
    create: () => editAnswers({ headers: { "content-type": "text/plain" } }),
  },
  {
    name: "no Location",
    protocols: BOTH,
    found: ["location"],
    create: () => editAnswers({ headers: { location: undefined } }),
  },
  {
    name: "Location is relative to the endpoint",
    protocols: BOTH,
    found: ["location-form"],
    create: () => editLocation((url) => `../..${new URL(url).pathname}`),
  },
  {
    name: "Location has a query",
    protocols: BOTH,
    found: ["location-form"],
    create: () => editLocation((url) => `${url}?action=delete`),
  },
  {
    name: "the answer renames a section",
    protocols: BOTH,
    found: ["answer-shape"],
    create: () => editText((text) => text.replace("a=mid:0", "a=mid:zero").replace("BUNDLE 0", "BUNDLE zero")),
  },
  {
    name: "the answer has payload types of its own",
    protocols: BOTH,
    found: ["answer-shape"],
    create: () => editText((text) => text.replace(/^(m=audio .*) 111/m, "$1 112")),
  },
  {
    name: "the answer turns the sections around",
    protocols: BOTH,
    found: ["answer-shape"],
    create: () => editText((text) => text.replace(/(^m=audio[\s\S]*?)(^m=video[\s\S]*)/m, "$2$1")),
  },
  {
    name: "an SDP without credentials gets 201",
    protocols: BOTH,
    found: ["malformed-offer"],
    create: () => async (call, forward) => {
      const isMalformed = isOffer(call) && call.headers.get("content-type") === "application/sdp" && call.body !== ""
      if (!isMalformed || call.body.includes("a=ice-ufrag")) return forward()
      return new Response("v=0\r\n", { status: 201, headers: { "content-type": "application/sdp" } })
    },
  },
  {
    name: "no ETag",
    protocols: BOTH,
    found: ["strong-etag"],
    create: () => editAnswers({ headers: { etag: undefined } }),
  },
  { name: "a weak ETag", protocols: BOTH, found: ["strong-etag"], create: () => editTag((tag) => `W/${tag}`) },
  {
    name: "an ETag without quotes",
    protocols: BOTH,
    found: ["strong-etag"],
    create: () => editTag((tag) => tag.slice(1, -1)),
  },
  {
    name: "all sessions begin with the same ETag",
    protocols: BOTH,
    found: ["unique-etag"],
    create: sameTag,
  },
  {
    name: "sessions are counted",
    protocols: BOTH,
    found: ["unguessable-url"],
    create: countedSessions,
  },
  {
    name: "a stream that is not live gives 404",
    protocols: ["whep"],
    found: ["not-live"],
    create: () => editWhen((_, { status }) => status === 409, { status: 404 }),
  },
  {
    name: "409 without Retry-After",
    protocols: ["whep"],
    found: ["not-live"],
    create: () => editWhen((_, { status }) => status === 409, { headers: { "retry-after": undefined } }),
  },
]

function editText(body: (text: string) => string): Misbehave {
  return editAnswers({ body })
}

function editLocation(change: (url: string) => string): Misbehave {
  return editHeader("location", change)
}

function editTag(change: (tag: string) => string): Misbehave {
  return editHeader("etag", change)
}

function editHeader(name: string, change: (value: string) => string): Misbehave {
  return async (call, forward) => {
    const response = await forward()
    if (!isOffer(call) || response.status !== 201) return response
    return edit(response, { headers: { [name]: change(response.headers.get(name) as string) } })
  }
}

/** The tag is the same in every 201, and each session knows it for its own first one. */
function sameTag(): Misbehave {
  const first = new Map<string, string>()
  return async (call, forward) => {
    const tag = first.get(call.path)
    const isSame = isFragment(call) && call.headers.get("if-match") === SAME_TAG && tag !== undefined
    const response = await forward(isSame ? { headers: withHeader(call, "if-match", tag) } : {})
    if (!isOffer(call) || response.status !== 201) return response
    const location = response.headers.get("location") as string
    first.set(new URL(location).pathname, response.headers.get("etag") as string)
    return edit(response, { headers: { etag: SAME_TAG } })
  }
}

/** Each session's address is a number. */
function countedSessions(): Misbehave {
  const realIds: string[] = []
  return async (call, forward) => {
    const path = call.path.replace(
      /^\/sessions\/(\d+)(?=\/|$)/,
      (_, number: string) => `/sessions/${realIds[Number(number)]}`,
    )
    const response = await forward({ path })
    const location = response.headers.get("location")
    if (location === null || !isOffer(call)) return response
    const id = new URL(location).pathname.split("/")[2] as string
    realIds.push(id)
    const number = `${realIds.length - 1}`
    const link = response.headers.get("link")?.replaceAll(id, number)
    return edit(response, { headers: { location: location.replace(id, number), link } })
  }
}

const SAME_TAG = '"ice-1"'
