import { Hono } from "hono"
import { z } from "zod"
import { GatewayError } from "../src/errors.ts"
import { WHEP_EVENTS, type WhepEvent, type WhepEventName, type WhepEventSink } from "../src/whep/event-feeds.ts"
import type { ClientEnv } from "./client.ts"
import { allowMethods, EMPTY, limitBody, mediaType, readJson, refuseMethod, requireMediaType } from "./requests.ts"
import type { SignalingSession } from "./sessions.ts"

/** A feed that one HTTP response can read. */
export interface EventFeed {
  /** Hands over what waits and every later event; returns the way to stop it. */
  subscribe(sink: WhepEventSink): () => void
}

/** The feeds of one session; they end with it. */
export interface EventFeeds {
  /** What the session tells; a request for anything else is refused. */
  readonly available: readonly WhepEventName[]
  /** Opens a feed and returns its unguessable id. Throws `session.limit`. */
  open(events: readonly WhepEventName[]): string
  find(feedId: string): EventFeed | undefined
  /** False where there is no such feed. */
  close(feedId: string): boolean
}

/**
 * The WHEP extension `urn:ietf:params:whep:ext:core:server-sent-events` (webrtc-http-egress-events): POST the names of
 * the wanted events, read the feed at the Location as server-sent events, DELETE it.
 */
export function eventRoutes(findSession: (id: string) => SignalingSession, maxBodyBytes: number) {
  const app = new Hono<ClientEnv>()
  const feedsOf = (id: string): EventFeeds => {
    const { events } = findSession(id)
    if (events === undefined) throw new GatewayError("http.not_found", "this session has no events to tell")
    return events
  }

  app.use("/sessions/:id/events", allowMethods("POST, OPTIONS", { "accept-post": JSON_TYPE }))
  app.post("/sessions/:id/events", limitBody(maxBodyBytes), async (c) => {
    const id = c.req.param("id")
    const feeds = feedsOf(id)
    // The body may be left out (section "Server Sent Events extension"): then all events are wanted.
    const isEmpty = (await c.req.text()) === ""
    if (!isEmpty || mediaType(c) !== "") requireMediaType(c, JSON_TYPE)
    const events = isEmpty ? feeds.available : requireEvents(await readJson(c), feeds.available)
    const location = `${c.var.client.baseUrl}/sessions/${id}/events/${feeds.open(events)}`
    return c.body(null, 201, { ...EMPTY, location, "cache-control": "no-store" })
  })
  app.all("/sessions/:id/events", () => refuseMethod("POST and OPTIONS"))

  app.use("/sessions/:id/events/:feed", allowMethods("GET, HEAD, DELETE, OPTIONS"))
  app.get("/sessions/:id/events/:feed", (c) => {
    const feed = feedsOf(c.req.param("id")).find(c.req.param("feed"))
    if (feed === undefined) throw noFeed()
    const headers = {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no", // nginx would keep events back
    }
    return c.req.method === "HEAD" ? c.body(null, 200, headers) : c.body(streamEvents(feed), 200, headers)
  })
  app.delete("/sessions/:id/events/:feed", (c) => {
    if (!feedsOf(c.req.param("id")).close(c.req.param("feed"))) throw noFeed()
    return c.body(null, 200, EMPTY)
  })
  app.all("/sessions/:id/events/:feed", () => refuseMethod("GET, HEAD, DELETE and OPTIONS"))
  return app
}

function noFeed(): GatewayError {
  return new GatewayError("session.not_found", "there is no such event stream, or it has ended")
}

function requireEvents(body: unknown, available: readonly WhepEventName[]): readonly WhepEventName[] {
  const result = z.array(z.enum(WHEP_EVENTS)).max(MAX_NAMES).safeParse(body)
  if (result.success && result.data.every((name) => available.includes(name))) return result.data
  throw new GatewayError("http.json", `the body must be a JSON array with some of: ${available.join(", ")}`)
}

/** The feed as text/event-stream; a reader that is too slow is cut off, as it would be told old news. */
function streamEvents(feed: EventFeed): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let stop = () => {}
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let isOpen = true
        const send = (text: string) => {
          if (!isOpen) return
          controller.enqueue(encoder.encode(text))
          if ((controller.desiredSize ?? 0) <= 0) end()
        }
        const end = () => {
          if (!isOpen) return
          stop()
          controller.close()
        }
        const timer = setInterval(() => send(": still here\n\n"), KEEP_ALIVE_MS)
        timer.unref?.()
        let unsubscribe: (() => void) | undefined
        stop = () => {
          isOpen = false
          clearInterval(timer)
          unsubscribe?.()
        }
        // A first line, so that proxies pass the headers on.
        send(": events follow\n\n")
        unsubscribe = feed.subscribe({ event: (event) => send(serializeEvent(event)), end })
        if (!isOpen) unsubscribe()
      },
      cancel: () => stop(),
    },
    new ByteLengthQueuingStrategy({ highWaterMark: MAX_UNREAD_BYTES }),
  )
}

/** One `data` line, whatever the data (section "Server Sent Events extension"): JSON has no line breaks of its own. */
function serializeEvent({ type, data }: WhepEvent): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}

const JSON_TYPE = "application/json"
const MAX_NAMES = 16
const KEEP_ALIVE_MS = 15_000
const MAX_UNREAD_BYTES = 64 * 1024
