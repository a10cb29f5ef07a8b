import { expect, test } from "vitest"
import { type WhepEvent, WhepEventFeeds } from "../../src/whep/event-feeds.ts"
import { gatewayErrorCode } from "../support/errors.ts"

function reader() {
  const events: WhepEvent[] = []
  const state = { isEnded: false }
  const sink = {
    event: (event: WhepEvent) => void events.push(event),
    end: () => {
      state.isEnded = true
    },
  }
  return { sink, events, state }
}

function feeds(greeting: WhepEvent[] = []) {
  let count = 0
  return new WhepEventFeeds(
    () => `feed-${++count}`,
    () => greeting,
  )
}

const event = (type: WhepEvent["type"], data: object = {}): WhepEvent => ({ type, data })

test("rule 45: a feed begins with how things stand, and leaves out what was not asked for", () => {
  const all = feeds([event("active"), event("layers", { 0: [] })])
  const feed = all.find(all.open(["active", "viewercount"]))
  const { sink, events } = reader()
  feed?.subscribe(sink)
  all.push(event("inactive"))
  all.push(event("viewercount", { viewercount: 3 }))
  expect(events).toEqual([event("active"), event("viewercount", { viewercount: 3 })])
})

test("rule 45: what happens while nobody reads waits, up to a bound", () => {
  const all = feeds()
  const feed = all.find(all.open(["viewercount"]))
  for (let viewercount = 0; viewercount < 100; viewercount++) all.push(event("viewercount", { viewercount }))
  const { sink, events } = reader()
  feed?.subscribe(sink)
  expect(events).toHaveLength(64)
  expect(events.at(-1)).toEqual(event("viewercount", { viewercount: 99 }))
})

test("a second reader takes the place of the first, whose end comes too late to stop it", () => {
  const all = feeds()
  const feed = all.find(all.open(["active"]))
  const [first, second] = [reader(), reader()]
  const stopFirst = feed?.subscribe(first.sink)
  feed?.subscribe(second.sink)
  stopFirst?.()
  all.push(event("active"))
  expect([first.state.isEnded, first.events, second.events]).toEqual([true, [], [event("active")]])
})

test("rule 45: closing a feed drops its queue and ends its reader; all end with the session", () => {
  const all = feeds()
  const [one, two] = [all.open(["active"]), all.open(["active"])]
  const [first, second] = [reader(), reader()]
  all.find(one)?.subscribe(first.sink)
  all.find(two)?.subscribe(second.sink)
  expect([all.close(one), all.close(one), all.find(one)]).toEqual([true, false, undefined])
  expect([first.state.isEnded, second.state.isEnded]).toEqual([true, false])
  all.end()
  expect([second.state.isEnded, all.find(two)]).toEqual([true, undefined])
})

test("a session has four feeds at most", () => {
  const all = feeds()
  for (let i = 0; i < 4; i++) all.open(["active"])
  expect(gatewayErrorCode(() => all.open(["active"]))).toBe("session.limit")
})
