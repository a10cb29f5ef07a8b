import { expect, test } from "vitest"
import { LiveStream } from "../../src/hub/live-stream.ts"
import type { PublisherSession, SessionFacts, StreamEvent, SubscriberSession } from "../../src/hub/session.ts"
import type { LaneConverters } from "../../src/hub/stream-lanes.ts"
import { parseStreamName } from "../../src/hub/stream-name.ts"
import type { RtpBatch } from "../../src/media/packet.ts"

const LIMITS = { maxSubscribers: 9, cacheMaxBytes: 1e6, cacheMaxMs: 1e4, keyframeRequestIntervalMs: 500 }
const FACTS = {} as SessionFacts
const SIZES: Record<string, number> = { q: 180, f: 720 }

class Publisher implements PublisherSession {
  readonly id = "p"
  readonly protocol = "whip"
  readonly identity = undefined
  lastMediaMs = 0
  readonly requests: (string | undefined)[] = []

  requestKeyframe(rid?: string): void {
    this.requests.push(rid)
  }

  end(): void {}

  describe(): SessionFacts {
    return FACTS
  }
}

/** A stream whose converters only note that they were opened. */
function liveStream(onSubscriberError?: (error: unknown) => void) {
  const opened: string[] = []
  const open = (name: string) => (codec: string) => {
    opened.push(`${name} of ${codec}`)
    return { push: () => undefined, close: () => undefined }
  }
  const converters = {
    videoFramesToPackets: open("packetizer"),
    videoPacketsToFrames: open("depacketizer"),
  } as unknown as LaneConverters
  const publisher = new Publisher()
  const stream = new LiveStream(parseStreamName("live", "cam1"), publisher, 0, converters, LIMITS, onSubscriberError)
  return { stream, publisher, opened }
}

function listener(stream: LiveStream): StreamEvent[] {
  const events: StreamEvent[] = []
  const session: SubscriberSession = {
    id: "v",
    protocol: "whep",
    end: () => undefined,
    describe: () => FACTS,
    onStreamEvent: (event) => events.push(event),
  }
  stream.addSubscriber(session)
  return events
}

function picture(sequenceNumber: number, nowMs: number, keyframe?: string): RtpBatch {
  const size = keyframe === undefined ? undefined : { widthPx: 1, heightPx: SIZES[keyframe] ?? 1 }
  const packets = [{ sequenceNumber, marker: true, payload: new Uint8Array(4) }]
  const times = { timestamp: nowMs * 90, ptsUs: nowMs * 1000 }
  return { kind: "video", ...times, startsKeyframe: keyframe !== undefined, ...size, packets }
}

test.each(["h265", "av1", "vp9", "vp8"] as const)("packets of %s become frames for those who read frames", (codec) => {
  const { stream, opened } = liveStream()
  stream.useVideo("packets", codec)
  stream.lanes.videoFrames.subscribe(() => undefined, { replay: true })
  expect(stream.videoCodec).toBe(codec)
  expect(opened).toEqual([`depacketizer of ${codec}`])
})

test("viewers are told when the codec changes, and not when only the form does", () => {
  const { stream, opened } = liveStream()
  const events = listener(stream)
  stream.lanes.videoFrames.subscribe(() => undefined, { replay: true })
  stream.useVideo("frames", "h264")
  stream.replacePublisher(new Publisher())
  expect(stream.videoCodec).toBe("h264")
  stream.useVideo("packets", "h264")
  stream.pushPackets(picture(0, 0, "x"))
  expect(events).toEqual([])
  stream.replacePublisher(new Publisher())
  stream.useVideo("packets", "vp8")
  expect(events).toEqual([{ type: "codec" }])
  expect(stream.lanes.videoPackets.cached).toEqual([])
  expect(stream.lanes.videoPackets.last).toBeDefined()
  expect(opened).toEqual(["depacketizer of h264", "depacketizer of vp8"])
})

test("the number of viewers is told when it has changed, once for all changes since the last sweep", () => {
  const { stream } = liveStream()
  const events = listener(stream)
  const others = [listener(stream), listener(stream)]
  stream.sweep(0)
  stream.sweep(250)
  expect(events).toEqual([{ type: "viewers", count: 3 }])
  for (const session of [...stream.subscribers].slice(1)) stream.removeSubscriber(session)
  stream.sweep(500)
  expect(events.at(-1)).toEqual({ type: "viewers", count: 1 })
  expect(others[0]).toHaveLength(1)
})

test("a subscriber that cannot take an event keeps it from nobody else", () => {
  const errors: unknown[] = []
  const { stream } = liveStream((error) => errors.push(error))
  stream.addSubscriber({
    id: "broken",
    protocol: "whep",
    end: () => undefined,
    describe: () => FACTS,
    onStreamEvent: () => {
      throw new Error("a bug")
    },
  })
  const events = listener(stream)
  stream.awaitPublisher(1_000)
  expect(events).toEqual([{ type: "inactive" }])
  expect(errors).toHaveLength(1)
})

test("keyframe requests reach the publisher for each layer apart, no more often than the limit says", () => {
  const { stream, publisher } = liveStream()
  for (const nowMs of [0, 100, 499, 500, 900, 1_000]) stream.requestKeyframe(nowMs)
  expect(publisher.requests).toEqual([undefined, undefined, undefined])
  stream.useVideo("packets", "h264")
  for (const rid of ["q", "f"]) stream.pushPackets(picture(0, 0, rid), rid)
  publisher.requests.length = 0
  for (const nowMs of [100, 200]) {
    stream.requestKeyframe(nowMs, "q")
    stream.requestKeyframe(nowMs)
  }
  expect(publisher.requests).toEqual(["q", "f"])
  stream.awaitPublisher(9_000)
  stream.requestKeyframe(8_000)
  expect(publisher.requests).toHaveLength(2)
})

test("of simulcast, the lane of all has the best layer, through a publisher without layers and back", () => {
  const { stream } = liveStream()
  const events = listener(stream)
  const numbers: (number | undefined)[] = []
  stream.lanes.videoPackets.subscribe(({ packets }) => numbers.push(packets[0]?.sequenceNumber), { replay: false })
  stream.useVideo("packets", "h264")
  for (const rid of ["q", "f"]) stream.pushPackets(picture(40_000, 0, rid), rid)
  for (const rid of ["q", "f"]) stream.pushPackets(picture(40_001, 40), rid)
  expect(stream.layers.map(({ rid, heightPx }) => [rid, heightPx])).toEqual([
    ["f", 720],
    ["q", 180],
  ])
  expect(events).toContainEqual({ type: "layers" })

  stream.replacePublisher(new Publisher())
  stream.useVideo("packets", "h264")
  expect(stream.layers).toEqual([])
  const last = stream.videoPacketLane().last?.packets[0]?.sequenceNumber ?? 0
  stream.pushPackets(picture(last + 1, 80, "x"))
  stream.replacePublisher(new Publisher())
  stream.useVideo("packets", "h264")
  stream.pushPackets(picture(7, 120, "f"), "f")
  expect(numbers).toEqual([40_000, 40_001, 40_002, 40_003, 40_004])
})

test("pushes and recordings are no viewers", () => {
  const { stream } = liveStream()
  const events = listener(stream)
  for (const protocol of ["push", "recording", "rtmp"] as const) {
    stream.addSubscriber({ id: protocol, protocol, end: () => undefined, describe: () => FACTS })
  }
  stream.sweep(0)
  expect([stream.viewerCount, stream.subscribers.size]).toEqual([2, 4])
  expect(events).toEqual([{ type: "viewers", count: 2 }])
})
