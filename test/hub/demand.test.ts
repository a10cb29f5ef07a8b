import { beforeEach, describe, expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { OnDemandStreams } from "../../src/hub/demand.ts"
import type { LiveStream } from "../../src/hub/live-stream.ts"
import type { Protocol, PublisherSession, SubscriberSession } from "../../src/hub/session.ts"
import { parseStreamName, type StreamName } from "../../src/hub/stream-name.ts"
import { StreamRegistry } from "../../src/hub/stream-registry.ts"
import type { VideoTrack } from "../../src/media/frame.ts"
import { hex } from "../support/bytes.ts"

/** Fetches begin with the first viewer and end after the last; the clock is the test's. */
const CAM1 = parseStreamName("live", "cam1")
let nowMs: number
let registry: StreamRegistry
let demand: OnDemandStreams
let fetches: { readonly name: StreamName; failure: GatewayError | undefined; closed: string | undefined }[]

beforeEach(() => {
  nowMs = 1_000
  fetches = []
  registry = new StreamRegistry(NO_CONVERTERS, LIMITS)
  demand = new OnDemandStreams({
    registry,
    nowMs: () => nowMs,
    startTimeoutMs: 10_000,
    maxFetches: 2,
    offer: (name) => (name.startsWith("live/") ? () => begin(name) : undefined),
  })
})

describe("the first viewer", () => {
  test("starts the fetch and waits for a picture; those who come meanwhile share it", async () => {
    const results = [watch(CAM1), watch(CAM1)]
    const stream = publish(CAM1)
    await pass(500)
    expect(await settled(results)).toEqual(["waits", "waits"])
    pushPicture(stream)
    await pass(25)
    expect(await settled(results)).toEqual(["may watch", "may watch"])
    expect(fetches).toHaveLength(1)
    expect(await settled([watch(CAM1)])).toEqual(["may watch"])
  })

  test("of sound alone waits until there will be no picture", async () => {
    const results = [watch(CAM1)]
    const stream = publish(CAM1)
    stream.pushFrame({ track: AAC, ptsUs: 0, data: hex("21") })
    await pass(2_000)
    expect(await settled(results)).toEqual(["waits"])
    await pass(1_100)
    expect(await settled(results)).toEqual(["may watch"])
  })

  test("of a stream that nobody offers, or that is there by itself, waits for nothing", async () => {
    publish(CAM1)
    expect(await settled([watch(CAM1), watch(parseStreamName("other", "cam1"))])).toEqual(["may watch", "may watch"])
    expect(fetches).toEqual([])
  })

  test("is turned away when the origin fails, in words that tell nothing of it", async () => {
    const results = [watch(CAM1), watch(CAM1)]
    fetch(0).failure = new GatewayError("access.denied", "the key at 10.0.0.1 is wrong")
    await pass(25)
    expect(await settled(results)).toEqual([CANNOT, CANNOT])
    expect(fetch(0).closed).toBe("it cannot be fetched")
    expect([...demand.failures()]).toMatchObject([[CAM1, { error: { code: "access.denied" } }]])
  })

  test("is turned away when nothing has come in time", async () => {
    const results = [watch(CAM1)]
    await pass(9_900)
    const late = watch(CAM1)
    await pass(100)
    expect(await settled([...results, late])).toEqual([CANNOT, CANNOT])
    expect(fetch(0).closed).toBeDefined()
  })
})

describe("an origin that failed", () => {
  test("is left alone for 2 s, however many viewers come", async () => {
    const first = watch(CAM1)
    fetch(0).failure = NOT_LIVE
    await pass(25)
    await settled([first])
    nowMs += 1_900
    expect(await settled(Array.from({ length: 500 }, () => watch(CAM1)))).toEqual(Array(500).fill(CANNOT))
    expect(fetches).toHaveLength(1)
    nowMs += 200
    expect(await settled([watch(CAM1)])).toEqual(["waits"])
    expect(fetches).toHaveLength(2)
    expect([...demand.failures()]).toEqual([])
  })

  test("in mid-stream keeps its viewers, and is not given up while they wait", async () => {
    const { stream, viewer } = await watchedStream()
    registry.unpublish(stream, publisherOf(stream), "lost", { mayReturn: true, nowMs })
    fetch(0).failure = NOT_LIVE
    const late = watch(CAM1)
    await pass(25)
    expect(await settled([late])).toEqual([CANNOT])
    expect(fetch(0).closed).toBeUndefined()
    expect(stream.subscribers.has(viewer)).toBe(true)
  })
})

describe("a stream that nobody watches any more", () => {
  test("is fetched until the idle time is over; a new viewer begins that anew", async () => {
    const { stream, viewer } = await watchedStream()
    await pass(60_000)
    stream.removeSubscriber(viewer)
    await pass(4_900)
    expect(await settled([watch(CAM1)])).toEqual(["may watch"])
    await pass(4_900)
    expect(fetch(0).closed).toBeUndefined()
    await pass(200)
    expect(fetch(0).closed).toBe("nobody watches")
    expect(demand.isBusy).toBe(false)
  })

  test("is not kept by its recording, nor by what sends it on", async () => {
    const { stream, viewer } = await watchedStream()
    stream.addSubscriber(subscriber("recording"))
    stream.addSubscriber(subscriber("push"))
    stream.removeSubscriber(viewer)
    await pass(5_100)
    expect(fetch(0).closed).toBe("nobody watches")
  })
})

test("no more streams are fetched at once than allowed, and one that ends makes room", async () => {
  const names = ["a", "b", "c"].map((name) => parseStreamName("live", name))
  const results = names.map(watch)
  expect(await settled(results)).toEqual(["waits", "waits", "session.limit"])
  fetch(0).failure = NOT_LIVE
  await pass(25)
  expect(await settled([watch(parseStreamName("live", "c"))])).toEqual(["waits"])
})

test("at the end all fetches are closed, and who waits is told", async () => {
  const results = [watch(CAM1)]
  demand.close("the gateway is closing")
  expect(await settled(results)).toEqual(["gateway.closing"])
  expect(fetch(0).closed).toBe("the gateway is closing")
})

/** A stream with a picture and one viewer. */
async function watchedStream(): Promise<{ stream: LiveStream; viewer: SubscriberSession }> {
  const woken = watch(CAM1)
  const stream = publish(CAM1)
  pushPicture(stream)
  await pass(25)
  await settled([woken])
  const viewer = subscriber("whep")
  stream.addSubscriber(viewer)
  return { stream, viewer }
}

function begin(name: StreamName) {
  const fetched: (typeof fetches)[number] = { name, failure: undefined, closed: undefined }
  fetches.push(fetched)
  return {
    get failure() {
      return fetched.failure
    },
    idleTimeoutMs: 5_000,
    close: (reason: string) => {
      fetched.closed = reason
    },
  }
}

function fetch(index: number) {
  const fetched = fetches[index]
  if (fetched === undefined) throw new Error(`fetch ${index} has not begun`)
  return fetched
}

/** What becomes of a viewer: the code of an error stands for it, `CANNOT` for the sentence about the origin. */
function watch(name: StreamName): Promise<string> {
  return demand.wake(name).then(
    () => "may watch",
    ({ code, message }) => (code === "stream.not_live" ? message : code),
  )
}

/** What the results are by now. */
function settled(results: readonly Promise<string>[]): Promise<string[]> {
  return Promise.all(results.map((result) => Promise.race([result, tick().then(() => "waits")])))
}

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Time passes, and the sweep with it. */
async function pass(durationMs: number): Promise<void> {
  for (const untilMs = nowMs + durationMs; nowMs < untilMs; ) {
    nowMs = Math.min(untilMs, nowMs + 25)
    demand.sweep(nowMs)
  }
  await tick()
}

function publish(name: StreamName): LiveStream {
  const session: PublisherSession = {
    id: "publisher",
    protocol: "pull",
    identity: "pull 1",
    lastMediaMs: nowMs,
    requestKeyframe: () => {},
    end: () => {},
    describe: () => {
      throw new Error("not asked for")
    },
  }
  return registry.publish(name, session, nowMs)
}

function publisherOf(stream: LiveStream): PublisherSession {
  if (stream.publisher === undefined) throw new Error("there is no publisher")
  return stream.publisher
}

function subscriber(protocol: Protocol): SubscriberSession {
  return {
    id: protocol,
    protocol,
    end: () => {},
    describe: () => {
      throw new Error("not asked for")
    },
  }
}

function pushPicture(stream: LiveStream): void {
  stream.pushFrame({ track: H264, dtsUs: 0, ptsUs: 0, isKeyframe: true, units: [hex("65 88")] })
}

const CANNOT = "live/cam1 cannot be fetched from its origin at the moment: try again in some seconds"
const NOT_LIVE = new GatewayError("stream.not_live", "nobody publishes it")
const H264: VideoTrack = {
  kind: "video",
  codec: "h264",
  sps: [hex("6742c01e")],
  pps: [hex("68ce")],
  widthPx: 640,
  heightPx: 360,
}
const AAC = {
  kind: "audio",
  codec: "aac",
  audioSpecificConfig: hex("1190"),
  sampleRateHz: 48_000,
  channels: 2,
} as const
const LIMITS = {
  maxStreams: 10,
  maxSubscribers: 10,
  cacheMaxBytes: 1e6,
  cacheMaxMs: 10_000,
  graceMs: 5_000,
  silentTakeoverMs: 1_000,
  keyframeRequestIntervalMs: 1_000,
}
const NO_CONVERTERS = () => {
  const none = () => ({ push: () => {}, close: () => {} })
  return {
    videoFramesToPackets: none,
    videoPacketsToFrames: none,
    opusFramesToPackets: none,
    opusPacketsToFrames: none,
    aacToOpus: none,
    opusToAac: none,
  }
}
