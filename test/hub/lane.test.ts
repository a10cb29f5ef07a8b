import { expect, test } from "vitest"
import { type CachePolicy, type Converter, Lane } from "../../src/hub/lane.ts"

interface Item {
  readonly at: number
  readonly key?: boolean
  readonly size?: number
}

const ROOMY = { maxBytes: 1_000, maxDurationUs: 1_000 }

function lane(keep: CachePolicy["keep"] = "fromStart", limits = ROOMY): Lane<Item> {
  return new Lane<Item>(({ at, key = false, size = 1 }) => ({ startsHere: key, ptsUs: at, sizeBytes: size }), {
    keep,
    ...limits,
  })
}

function collect(source: Lane<Item>, replay: boolean): { times: number[]; stop: () => void } {
  const times: number[] = []
  return { times, stop: source.subscribe((item) => times.push(item.at), { replay }) }
}

test("a subscriber gets the items since the last start point, then the live ones", () => {
  const video = lane()
  for (const item of [{ at: 1 }, { at: 2, key: true }, { at: 3 }, { at: 4, key: true }, { at: 5 }]) video.push(item)
  const viewer = collect(video, true)
  video.push({ at: 6 })
  expect(viewer.times).toEqual([4, 5, 6])
})

test("a subscriber that asks for no replay gets only live items", () => {
  const video = lane()
  video.push({ at: 1, key: true })
  const viewer = collect(video, false)
  video.push({ at: 2 })
  expect(viewer.times).toEqual([2])
})

test.each([
  { name: "bytes", limits: { maxBytes: 3, maxDurationUs: 1_000 }, item: { at: 3, size: 3 } },
  { name: "time", limits: { maxBytes: 1_000, maxDurationUs: 10 }, item: { at: 12 } },
])("a run that outgrows the limit of $name is dropped until the next start point", ({ limits, item }) => {
  const video = lane("fromStart", limits)
  video.push({ at: 1, key: true })
  video.push(item)
  expect(video.cached).toEqual([])
  video.push({ at: 13 })
  expect(video.cached).toEqual([])
  video.push({ at: 14, key: true })
  expect(video.cached.map(({ at }) => at)).toEqual([14])
})

test("a window keeps the newest items within its limits and from the time of the last picture", () => {
  const audio = lane("window", { maxBytes: 1_000, maxDurationUs: 20 })
  for (let at = 0; at <= 50; at += 10) audio.push({ at })
  expect(audio.cached.map(({ at }) => at)).toEqual([30, 40, 50])
  audio.trimBefore(40)
  expect(audio.cached.map(({ at }) => at)).toEqual([40, 50])
})

interface CountingConverter extends Converter<Item> {
  readonly items: number[]
}

function derive(source: Lane<Item>, target: Lane<Item>): { opened: CountingConverter[]; closed: number } {
  const state = { opened: [] as CountingConverter[], closed: 0 }
  target.deriveFrom(source, (emit) => {
    const items: number[] = []
    const converter = {
      items,
      push: (item: Item) => {
        items.push(item.at)
        emit(item)
      },
      close: () => {
        state.closed++
      },
    }
    state.opened.push(converter)
    return converter
  })
  return state
}

test("a derived lane is made once for all its subscribers and only while it has some", () => {
  const source = lane()
  const derived = lane()
  const state = derive(source, derived)
  source.push({ at: 1, key: true })
  expect(state.opened).toHaveLength(0)

  const first = collect(derived, true)
  const second = collect(derived, true)
  source.push({ at: 2 })
  expect(first.times).toEqual([1, 2])
  expect(second.times).toEqual([1, 2])
  expect(state.opened.map(({ items }) => items)).toEqual([[1, 2]])

  first.stop()
  expect(state.closed).toBe(0)
  second.stop()
  second.stop()
  expect(state.closed).toBe(1)
  expect(source.hasSubscribers).toBe(false)
  expect(derived.cached).toEqual([])
})

test("a subscriber that wants no replay makes the converter start with the next item", () => {
  const source = lane()
  const derived = lane()
  const state = derive(source, derived)
  source.push({ at: 1, key: true })
  collect(derived, false)
  source.push({ at: 2 })
  expect(state.opened[0]?.items).toEqual([2])
})

test("subscribers stay when a lane gets another source, and the new converter learns where the old one stopped", () => {
  const source = lane()
  const derived = lane()
  derive(source, derived)
  const viewer = collect(derived, true)
  source.push({ at: 7, key: true })
  derived.detach()

  const next = lane()
  let previous: number | undefined
  derived.deriveFrom(next, (emit, last) => {
    previous = last?.at
    return { push: emit, close: () => undefined }
  })
  next.push({ at: 8, key: true })
  source.push({ at: 9 })
  expect(previous).toBe(7)
  expect(viewer.times).toEqual([7, 8])
})

test("an item that comes late is passed on and cached, but the last one stays the last", () => {
  const packets = new Lane<Item>(
    ({ at }) => ({ startsHere: at === 1, ptsUs: at, sizeBytes: 1 }),
    {
      keep: "fromStart",
      ...ROOMY,
    },
    { follows: (item, last) => item.at > last.at },
  )
  const viewer = collect(packets, false)
  for (const at of [1, 3, 2]) packets.push({ at })
  expect(viewer.times).toEqual([1, 3, 2])
  expect(packets.cached.map(({ at }) => at)).toEqual([1, 3, 2])
  expect(packets.last?.at).toBe(3)
})

test("a subscriber that throws keeps nothing from the others, and the error goes where the lane was told", () => {
  const errors: unknown[] = []
  const source = new Lane<Item>(
    ({ at }) => ({ startsHere: false, ptsUs: at, sizeBytes: 1 }),
    { keep: "fromStart", ...ROOMY },
    { onSubscriberError: (error) => errors.push(error) },
  )
  source.subscribe(
    () => {
      throw new Error("a bug")
    },
    { replay: false },
  )
  const viewer = collect(source, false)
  for (const at of [1, 2]) source.push({ at })
  expect(viewer.times).toEqual([1, 2])
  expect(errors).toHaveLength(2)
})

test("a subscriber that throws at every item still gets all of them, but only its first errors are told", () => {
  const errors: unknown[] = []
  const source = new Lane<Item>(
    ({ at }) => ({ startsHere: false, ptsUs: at, sizeBytes: 1 }),
    { keep: "fromStart", ...ROOMY },
    { onSubscriberError: (error) => errors.push(error) },
  )
  const times: number[] = []
  source.subscribe(
    ({ at }) => {
      times.push(at)
      throw new Error("a bug")
    },
    { replay: false },
  )
  for (let at = 1; at <= 40; at++) source.push({ at })
  expect(times).toHaveLength(40)
  expect(errors).toHaveLength(10)
})

test("a start point that comes late keeps the items that overtook it", () => {
  const packets = new Lane<Item>(
    ({ at, key = false }) => ({ startsHere: key, ptsUs: at, sizeBytes: 1 }),
    { keep: "fromStart", ...ROOMY },
    { follows: (item, last) => item.at > last.at },
  )
  for (const item of [{ at: 1, key: true }, { at: 2 }, { at: 4 }, { at: 3, key: true }, { at: 5 }]) packets.push(item)
  expect(packets.cached.map(({ at }) => at)).toEqual([3, 4, 5])
})
