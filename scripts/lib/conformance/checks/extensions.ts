import { assume, type Check, demand, whepCheck } from "../check.ts"
import { type ProtocolContext, summary } from "../context.ts"
import { readEvents } from "../event-stream.ts"
import { describe, isSuccess, JSON_TYPE } from "../http.ts"
import { EVENTS, LAYER, type Link, readLinks } from "../links.ts"

/** Server-sent events and layer selection (webrtc-http-egress-events): rules 43 to 46. */
export const extensionChecks: readonly Check[] = [
  whepCheck({
    id: "events-link",
    rule: 43,
    section: "events, Server Sent Events",
    level: "MAY",
    title: "The Link of the events extension names known events",
    async run(context) {
      const { exchange } = await context.standard()
      const { target, params } = assumeLink(readLinks(exchange.headers), EVENTS)
      demand(URL.canParse(target, exchange.url), `no URL: ${target}`)
      const unknown = advertised(params).filter((name) => !KNOWN_EVENTS.includes(name))
      demand(unknown.length === 0, `unknown events: ${unknown.join(", ")}`)
      return params.events === undefined ? "it names no events" : `events: ${params.events}`
    },
  }),
  whepCheck({
    id: "events-created",
    rule: 44,
    section: "events, Server Sent Events",
    level: "MUST",
    title: "POST of wanted events gives 201 with the Location of their stream",
    async run(context) {
      const { url, events } = await eventsOf(context)
      const answered = await postJson(context, url, events.slice(0, 2))
      demand(answered.status === 201, summary(answered))
      demand(answered.headers.has("location"), "there is no Location")
      return `${describe(answered)} for ${events.slice(0, 2).join(", ")}`
    },
  }),
  whepCheck({
    id: "unknown-event",
    rule: 44,
    section: "events, Server Sent Events",
    level: "MUST",
    title: "POST of an unknown event gets 400 and no stream",
    async run(context) {
      const { url, events } = await eventsOf(context)
      const answered = await postJson(context, url, [...events.slice(0, 1), "conformance-unknown"])
      demand(answered.status === 400, summary(answered))
      demand(!answered.headers.has("location"), "400 with a Location")
      return summary(answered)
    },
  }),
  whepCheck({
    id: "no-initial-inactive",
    rule: 45,
    section: "events, inactive event",
    level: "MUST",
    title: "A stream of events does not begin with inactive",
    async run(context) {
      const { events } = await readFeed(context)
      demand(events[0]?.type !== "inactive", "the first event is inactive")
      return `first: ${events[0]?.type ?? "nothing"}`
    },
  }),
  whepCheck({
    id: "event-form",
    rule: 45,
    section: "events, Server Sent Events",
    level: "MUST",
    title: "An event has its type and one data line of JSON",
    async run(context) {
      const { events } = await readFeed(context)
      assume(events.length > 0, "no event came")
      for (const { type, data } of events) {
        demand(KNOWN_EVENTS.includes(type), `an event of type ${type || "message"}`)
        demand(data.length === 1, `${type} has ${data.length} data lines`)
        demand(type === "scte35" || isJson(data[0] ?? ""), `${type} has no JSON: ${data[0]}`)
      }
      return events.map(({ type, data }) => `${type} ${data[0]}`).join(", ")
    },
  }),
  whepCheck({
    id: "delete-events",
    rule: 45,
    section: "events, Server Sent Events",
    level: "MUST",
    title: "A stream of events that was deleted gives 404",
    async run(context) {
      const { feed } = await openFeed(context)
      const answered = await context.delete(feed)
      assume(isSuccess(answered), summary(answered))
      const { status } = await readEvents(context.options.fetch, feed, { token: context.options.token, timeoutMs: 0 })
      demand(status === 404, `GET gave ${status} after DELETE`)
      return `GET gave ${status} after DELETE`
    },
  }),
  whepCheck({
    id: "events-end",
    rule: 45,
    section: "events, Server Sent Events",
    level: "MUST",
    title: "Streams of events end with their session",
    async run(context) {
      const { feed, session } = await openFeed(context)
      const { fetch, token, patience } = context.options
      const reading = readEvents(fetch, feed, {
        token,
        timeoutMs: patience.closeMs,
        onOpen: async () => void (await context.delete(session)),
      })
      demand((await reading).isEnded, "the stream goes on after the session's DELETE")
      const { status } = await readEvents(fetch, feed, { token, timeoutMs: 0 })
      demand(status === 404, `GET gave ${status} after the session's end`)
      return `ended, GET gave ${status} afterwards`
    },
  }),
  whepCheck({
    id: "layer-needs-events",
    rule: 46,
    section: "events, Video Layer Selection",
    level: "MUST",
    title: "The layer extension comes with that of events, which names layers",
    async run(context) {
      const links = readLinks((await context.standard()).exchange.headers)
      assumeLink(links, LAYER)
      const events = links.find(({ rel }) => rel === EVENTS)
      demand(events !== undefined, "there is no Link for events")
      demand(advertised(events.params).includes("layers"), `events: ${events.params.events ?? "none"}`)
      return `events: ${events.params.events}`
    },
  }),
  whepCheck({
    id: "layer-automatic",
    rule: 46,
    section: "events, Video Layer Selection",
    level: "MUST",
    title: "POST of a selection without constraints gives 200",
    async run(context) {
      const { exchange } = await context.open()
      const { target } = assumeLink(readLinks(exchange.headers), LAYER)
      const url = new URL(target, exchange.url).href
      const limited = await postJson(context, url, { maxWidth: 16_384, maxHeight: 16_384 })
      demand(limited.status === 200, `a limit that all layers keep to: ${summary(limited)}`)
      const answered = await postJson(context, url, {})
      demand(answered.status === 200, summary(answered))
      return describe(answered)
    },
  }),
]

function assumeLink(links: readonly Link[], rel: string): Link {
  const link = links.find((candidate) => candidate.rel === rel)
  assume(link !== undefined, `the server does not advertise ${rel}`)
  return link
}

function advertised(params: Link["params"]): string[] {
  return (params.events ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean)
}

/** Opens a session with the extension; `events` is what it tells, `url` where to ask for it. */
async function eventsOf(context: ProtocolContext) {
  const session = await context.openAt()
  const { target, params } = assumeLink(readLinks(session.exchange.headers), EVENTS)
  const events = advertised(params).length > 0 ? advertised(params) : ["active", "inactive"]
  return { session: session.url, url: new URL(target, session.exchange.url).href, events }
}

async function openFeed(context: ProtocolContext) {
  const { session, url, events } = await eventsOf(context)
  const answered = await postJson(context, url, events)
  const location = answered.headers.get("location")
  assume(isSuccess(answered) && location !== null, summary(answered))
  return { session, feed: new URL(location, url).href }
}

/** The first events of a new feed. */
async function readFeed(context: ProtocolContext) {
  const { feed } = await openFeed(context)
  const { fetch, token, patience } = context.options
  const read = await readEvents(fetch, feed, { token, timeoutMs: patience.eventMs, stopsAtEvent: true })
  demand(read.status === 200 && read.isEventStream, `GET gave ${read.status}, not text/event-stream`)
  return read
}

function postJson(context: ProtocolContext, url: string, body: unknown) {
  const headers = { "content-type": JSON_TYPE }
  return context.request(url, { method: "POST", headers, body: JSON.stringify(body) })
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const KNOWN_EVENTS = ["active", "inactive", "layers", "reconnect", "viewercount", "scte35"]
