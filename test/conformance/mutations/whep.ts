import { answerWhen, type Call, edit, editStream, editWhen, forwardWhen, type Misbehave } from "../stub.ts"
import type { Mutation } from "../target.ts"

const isCounterOffer = (_: Call, { status, headers }: Response) =>
  status === 406 && headers.get("content-type")?.startsWith("application/sdp") === true
const isAnswer = ({ method, headers }: Call) => method === "PATCH" && headers.get("content-type") === "application/sdp"
const isEvents = ({ method, path }: Call) => method === "POST" && path.endsWith("/events")
const isFeed = ({ path }: Call) => /\/events\/[^/]+$/.test(path)

/** Servers that break counter-offers, events and layers. */
export const whepMutations: readonly Mutation[] = [
  ...ofWhep([
    {
      name: "a counter-offer without Location",
      found: ["counter-offer-shape"],
      create: () => editWhen(isCounterOffer, { headers: { location: undefined } }),
    },
    {
      name: "a counter-offer that is recvonly",
      found: ["counter-offer-direction"],
      create: () => editWhen(isCounterOffer, { body: (sdp) => sdp.replaceAll("a=sendonly", "a=recvonly") }),
    },
    {
      name: "a counter-offer that is over",
      found: ["valid-until"],
      create: () => validUntil("Wed, 09 Oct 2024 10:00:00 GMT"),
    },
    { name: "a counter-offer until 30", found: ["valid-until"], create: () => validUntil("30") },
    {
      name: "an answer gets 200",
      found: ["answer-204"],
      create: () => editWhen((call, { status }) => isAnswer(call) && status === 204, { status: 200 }),
    },
    {
      name: "any answer gets 204",
      found: ["malformed-answer"],
      create: () => editWhen((call, { status }) => isAnswer(call) && status === 400, { status: 204 }),
    },
    {
      name: "no counter-offers, which is right",
      found: [],
      create: () => answerWhen(({ headers }) => headers.get("accept") === "application/sdp", 422),
    },
  ]),
  ...ofWhep([
    {
      name: "an event that nobody knows is advertised",
      found: ["events-link"],
      create: () => editLinks((link) => link.replace(',reconnect"', ',reconnect,weather"')),
    },
    {
      name: "a stream of events gets 200",
      found: ["events-created"],
      create: () => editWhen((call, { status }) => isEvents(call) && status === 201, { status: 200 }),
    },
    {
      name: "a stream of events without Location",
      found: ["events-created"],
      create: () => editWhen(isEvents, { headers: { location: undefined } }),
    },
    {
      name: "unknown events are left out",
      found: ["unknown-event"],
      create: () => forwardWhen(isEvents, ({ body }) => ({ body: body.replace(',"conformance-unknown"', "") })),
    },
    {
      name: "the first event is inactive",
      found: ["no-initial-inactive"],
      create: () =>
        editEvents((text) => text.replace("event: active\n", "event: inactive\ndata: {}\n\nevent: active\n")),
    },
    {
      name: "data in two lines",
      found: ["event-form"],
      create: () => editEvents((text) => text.replaceAll("data: {", "data: {\ndata: ")),
    },
    {
      name: "data that is no JSON",
      found: ["event-form"],
      create: () => editEvents((text) => text.replaceAll("data: {}", "data: yes")),
    },
    {
      name: "events have no type",
      found: ["event-form"],
      create: () => editEvents((text) => text.replace(/^event:.*\n/gm, "")),
    },
    {
      name: "DELETE leaves the events",
      found: ["delete-events"],
      create: () => answerWhen((call) => call.method === "DELETE" && isFeed(call), 200),
    },
    { name: "events go on after their session", found: ["events-end"], create: endless },
    {
      name: "layers without an event that tells them",
      found: ["layer-needs-events"],
      create: () => editLinks((link) => link.replace("layers,", "")),
    },
    {
      name: "a selection without constraints gets 400",
      found: ["layer-automatic"],
      create: () => answerWhen(({ path, body }) => path.endsWith("/layers") && body === "{}", 400),
    },
  ]),
]

function ofWhep(mutations: readonly Omit<Mutation, "protocols">[]): Mutation[] {
  return mutations.map((mutation) => ({ ...mutation, protocols: ["whep"] }))
}

function validUntil(date: string): Misbehave {
  return editWhen(isCounterOffer, { headers: { "content-type": `application/sdp; valid-until="${date}"` } })
}

function editLinks(change: (link: string) => string): Misbehave {
  return async (_, forward) => {
    const response = await forward()
    const link = response.headers.get("link")
    return response.status === 201 && link !== null ? edit(response, { headers: { link: change(link) } }) : response
  }
}

function editEvents(change: (text: string) => string): Misbehave {
  return async (call, forward) => {
    const response = await forward()
    return isFeed(call) && call.method === "GET" && response.ok ? editStream(response, change) : response
  }
}

/** Never closes a stream of events. */
function endless(): Misbehave {
  return async (call, forward) => {
    const response = await forward()
    if (!isFeed(call) || call.method !== "GET" || !response.ok) return response
    const { readable, writable } = new TransformStream()
    response.body?.pipeTo(writable, { preventClose: true }).catch(() => undefined)
    return new Response(readable, response)
  }
}
