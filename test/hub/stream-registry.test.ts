import { describe, expect, test } from "vitest"
import type { LiveStream } from "../../src/hub/live-stream.ts"
import type { PublisherSession, SessionFacts } from "../../src/hub/session.ts"
import type { LaneConverters } from "../../src/hub/stream-lanes.ts"
import { parseStreamName } from "../../src/hub/stream-name.ts"
import { StreamRegistry } from "../../src/hub/stream-registry.ts"
import type { AacFrame, MediaFrame, OpusFrame, VideoFrame } from "../../src/media/frame.ts"
import { gatewayErrorCode } from "../support/errors.ts"

const LIMITS = {
  maxStreams: 2,
  maxSubscribers: 1,
  cacheMaxBytes: 1_000,
  cacheMaxMs: 1_000,
  keyframeRequestIntervalMs: 500,
  graceMs: 5_000,
  silentTakeoverMs: 1_000,
}
const GONE = { mayReturn: false, nowMs: 1 }
const NAME = parseStreamName("live", "cam1")

const FACTS: SessionFacts = {
  remoteAddress: undefined,
  transport: "udp",
  startedAtMs: 0,
  bytes: 0,
  bitrateBps: 0,
  codecs: [],
}

class FakePublisher implements PublisherSession {
  readonly id = "p"
  readonly protocol = "rtmp"
  readonly identity: string | undefined
  lastMediaMs = 0
  keyframeRequests = 0
  endedBecause: string | undefined

  constructor(identity?: string) {
    this.identity = identity
  }

  requestKeyframe(): void {
    this.keyframeRequests++
  }

  describe(): SessionFacts {
    return FACTS
  }

  end(reason: string): void {
    this.endedBecause = reason
  }
}

/** Converters that only count how often they are opened; formats have tests of their own. */
function countingConverters(opened: string[]): LaneConverters {
  const open = (name: string) => () => {
    opened.push(name)
    return { push: () => undefined, close: () => opened.push(`${name} closed`) }
  }
  return {
    videoFramesToPackets: open("packetizer"),
    videoPacketsToFrames: open("depacketizer"),
    opusFramesToPackets: open("opus packets"),
    opusPacketsToFrames: open("opus frames"),
    aacToOpus: open("aac to opus"),
    opusToAac: open("opus to aac"),
  }
}

function registry(opened: string[] = []): StreamRegistry {
  return new StreamRegistry(() => countingConverters(opened), LIMITS)
}

describe("names", () => {
  test.each(["cam1", "a.b", "A_b-9", "x".repeat(64)])("%s is a stream name", (name) => {
    expect(parseStreamName("live", name)).toBe(`live/${name}`)
  })

  test.each(["", "..", ".hidden", "a/b", "a b", "ä", "a\u0000", "x".repeat(65), "%2e%2e"])("%j is refused", (name) => {
    expect(gatewayErrorCode(() => parseStreamName("live", name))).toBe("stream.name")
    expect(gatewayErrorCode(() => parseStreamName(name, "cam1"))).toBe("stream.name")
  })
})

describe("publishing", () => {
  test("a live name is refused to another publisher and free again when the first one ends", () => {
    const streams = registry()
    const first = new FakePublisher()
    const stream = streams.publish(NAME, first, 0)
    expect(gatewayErrorCode(() => streams.publish(NAME, new FakePublisher(), 1))).toBe("stream.busy")
    streams.unpublish(stream, first, "done", GONE)
    expect(gatewayErrorCode(() => streams.find(NAME))).toBe("stream.not_live")
    streams.publish(NAME, new FakePublisher(), 2)
    expect(streams.list()).toHaveLength(1)
  })

  test.each([
    { held: "secret", given: "secret", code: undefined },
    { held: "secret", given: "secreT", code: "stream.busy" },
    { held: "secret", given: "secretsecret", code: "stream.busy" },
    { held: "secret", given: undefined, code: "stream.busy" },
    { held: undefined, given: "secret", code: "stream.busy" },
    { held: "", given: "x", code: "stream.busy" },
  ])("a name held with $held and asked for with $given gives $code", ({ held, given, code }) => {
    const streams = registry()
    streams.publish(NAME, new FakePublisher(held), 0)
    const action = () => streams.publish(NAME, new FakePublisher(given), 1)
    if (code === undefined) expect(action()).toBe(streams.find(NAME))
    else expect(gatewayErrorCode(action)).toBe(code)
  })

  test("a takeover ends the old session, keeps the stream and its viewers, and outlives the old session's end", () => {
    const streams = registry()
    const [before, after] = [new FakePublisher("t"), new FakePublisher("t")]
    const stream = streams.publish(NAME, before, 0)
    const ended: string[] = []
    stream.addSubscriber({ id: "v", protocol: "whep", describe: () => FACTS, end: (reason) => ended.push(reason) })
    expect(streams.publish(NAME, after, 5)).toBe(stream)
    expect(before.endedBecause).toMatch(/took over/)
    streams.unpublish(stream, before, "late", GONE)
    expect(streams.find(NAME).publisher).toBe(after)
    expect(ended).toEqual([])
    streams.unpublish(stream, after, "over", GONE)
    expect(ended).toEqual(["over"])
  })

  test("where neither side says who it is, only a publisher that has fallen silent is replaced", () => {
    const streams = registry()
    const first = new FakePublisher()
    const stream = streams.publish(NAME, first, 0)
    first.lastMediaMs = 5_000
    expect(gatewayErrorCode(() => streams.publish(NAME, new FakePublisher(), 5_999))).toBe("stream.busy")
    expect(gatewayErrorCode(() => streams.publish(NAME, new FakePublisher("known"), 9_000))).toBe("stream.busy")
    expect(first.endedBecause).toBeUndefined()
    expect(streams.publish(NAME, new FakePublisher(), 6_000)).toBe(stream)
    expect(first.endedBecause).toMatch(/silence/)
  })

  test("limits of streams and of subscribers are kept", () => {
    const streams = registry()
    const stream = streams.publish(NAME, new FakePublisher(), 0)
    streams.publish(parseStreamName("live", "cam2"), new FakePublisher(), 0)
    expect(gatewayErrorCode(() => streams.publish(parseStreamName("live", "cam3"), new FakePublisher(), 0))).toBe(
      "session.limit",
    )
    const subscriber = { id: "v", protocol: "rtmp" as const, describe: () => FACTS, end: () => undefined }
    stream.addSubscriber(subscriber)
    expect(gatewayErrorCode(() => stream.addSubscriber({ ...subscriber }))).toBe("session.limit")
  })

  test("keyframe requests reach the publisher no more often than the limit says", () => {
    const publisher = new FakePublisher()
    const stream = registry().publish(NAME, publisher, 0)
    for (const nowMs of [0, 100, 499, 500, 900, 1_000]) stream.requestKeyframe(nowMs)
    expect(publisher.keyframeRequests).toBe(3)
  })
})

describe("a publisher that was lost", () => {
  const LOST = { mayReturn: true, nowMs: 10_000 }

  /** A stream whose publisher was lost at 10 s, with a subscriber that notes what it is told. */
  function lost(identity?: string) {
    const streams = registry()
    const publisher = new FakePublisher(identity)
    const stream = streams.publish(NAME, publisher, 0)
    const told: string[] = []
    stream.addSubscriber({
      id: "v",
      protocol: "whep",
      describe: () => FACTS,
      end: (reason) => told.push(reason),
      onStreamEvent: ({ type }) => told.push(type),
    })
    streams.unpublish(stream, publisher, "lost", LOST)
    return { streams, stream, told }
  }

  test("may return for a while: subscribers stay and are told, new ones are refused", () => {
    const { streams, stream, told } = lost("me")
    expect(stream.publisher).toBeUndefined()
    expect(streams.list()).toEqual([stream])
    expect(gatewayErrorCode(() => streams.find(NAME))).toBe("stream.not_live")
    streams.sweep(14_999)
    const returned = new FakePublisher("me")
    expect(streams.publish(NAME, returned, 14_999)).toBe(stream)
    expect(streams.find(NAME).publisher).toBe(returned)
    streams.sweep(15_000)
    expect(told).toEqual(["inactive", "viewers", "active"])
  })

  test.each([
    { held: "me", given: "me", isTaken: true },
    { held: "me", given: "you", isTaken: false },
    { held: "me", given: undefined, isTaken: false },
    { held: undefined, given: undefined, isTaken: true },
    { held: undefined, given: "you", isTaken: true },
  ])("a name kept for $held and asked for by $given: $isTaken", ({ held, given, isTaken }) => {
    const { streams, stream } = lost(held)
    const action = () => streams.publish(NAME, new FakePublisher(given), 12_100)
    if (isTaken) expect(action()).toBe(stream)
    else expect(action).toThrow(/wait 3 s/)
  })

  test("ends its stream when the time is over, also where nobody has swept yet", () => {
    const { streams, stream, told } = lost()
    expect(streams.publish(NAME, new FakePublisher(), 15_000)).not.toBe(stream)
    expect(told).toEqual(["inactive", "the publisher did not return"])
    const other = lost()
    other.streams.sweep(15_000)
    expect(other.streams.list()).toEqual([])
    expect(other.told.at(-1)).toBe("the publisher did not return")
  })

  test("is not waited for any more when the stream is ended by name", () => {
    const { streams, told } = lost()
    expect(streams.endStream("live/nobody", "kicked")).toBe(false)
    expect(streams.endStream(NAME, "kicked")).toBe(true)
    expect(told).toEqual(["inactive", "kicked"])
    expect(streams.list()).toEqual([])
  })

  test("counts among the streams that a gateway may have, and does not wait where it was told to go", () => {
    const { streams, stream } = lost()
    streams.publish(parseStreamName("live", "cam2"), new FakePublisher(), 10_000)
    const third = parseStreamName("live", "cam3")
    expect(gatewayErrorCode(() => streams.publish(third, new FakePublisher(), 10_000))).toBe("session.limit")
    streams.close("closing")
    expect(streams.list()).toEqual([])
    expect(stream.subscribers.size).toBe(0)
  })
})

describe("sessions", () => {
  test("are listed with their stream and part, and ended by id", () => {
    const streams = registry()
    const publisher = new FakePublisher()
    const stream = streams.publish(NAME, publisher, 0)
    const ended: string[] = []
    const viewer = { id: "v", protocol: "whep", describe: () => FACTS, end: (why: string) => ended.push(why) } as const
    stream.addSubscriber(viewer)
    expect(streams.sessions()).toEqual([
      { role: "publisher", stream: NAME, session: publisher },
      { role: "subscriber", stream: NAME, session: viewer },
    ])
    expect(streams.end("nobody", "kicked")).toBe(false)
    expect(streams.end("v", "kicked")).toBe(true)
    expect(ended).toEqual(["kicked"])
    expect(streams.end("p", "kicked")).toBe(true)
    expect(publisher.endedBecause).toBe("kicked")
  })
})

describe("lanes", () => {
  const H264 = { kind: "video", codec: "h264", sps: [], pps: [], widthPx: 640, heightPx: 360 } as const
  const AAC = {
    kind: "audio",
    codec: "aac",
    audioSpecificConfig: Uint8Array.of(0x12, 0x10),
    sampleRateHz: 44_100,
    channels: 2,
  } as const
  const OPUS = { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels: 2 } as const
  const DATA = new Uint8Array(4)
  const picture: VideoFrame = { track: H264, dtsUs: 40, ptsUs: 40, isKeyframe: true, units: [DATA] }
  const aac = (ptsUs: number): AacFrame => ({ track: AAC, ptsUs, data: DATA })
  const opus: OpusFrame = { track: OPUS, ptsUs: 0, data: DATA }

  function ways(first: MediaFrame | undefined, wanted: (stream: LiveStream) => () => void): string[] {
    const opened: string[] = []
    const stream = registry(opened).publish(NAME, new FakePublisher(), 0)
    if (first === undefined) {
      stream.useVideo("packets", "h264")
      stream.useAudio("packets")
    } else stream.pushFrame(first)
    wanted(stream)()
    return opened
  }

  const none = () => undefined
  test.each([
    {
      name: "RTMP picture to WebRTC",
      first: picture,
      want: (s: LiveStream) => s.lanes.videoPackets.subscribe(none, { replay: true }),
      opened: ["packetizer", "packetizer closed"],
    },
    {
      name: "RTMP picture to RTMP",
      first: picture,
      want: (s: LiveStream) => s.lanes.videoFrames.subscribe(none, { replay: true }),
      opened: [],
    },
    {
      name: "AAC to WebRTC",
      first: aac(0),
      want: (s: LiveStream) => s.lanes.audioPackets.subscribe(none, { replay: false }),
      opened: ["opus packets", "aac to opus", "aac to opus closed", "opus packets closed"],
    },
    {
      name: "Opus from Enhanced RTMP to WebRTC",
      first: opus,
      want: (s: LiveStream) => s.lanes.audioPackets.subscribe(none, { replay: false }),
      opened: ["opus packets", "opus packets closed"],
    },
    {
      name: "WebRTC sound to RTMP",
      first: undefined,
      want: (s: LiveStream) => s.lanes.aacFrames.subscribe(none, { replay: true }),
      opened: ["opus to aac", "opus frames", "opus frames closed", "opus to aac closed"],
    },
    {
      name: "WebRTC picture to WebRTC",
      first: undefined,
      want: (s: LiveStream) => s.lanes.videoPackets.subscribe(none, { replay: true }),
      opened: [],
    },
  ])("$name opens $opened", ({ first, want, opened }) => {
    expect(ways(first, want)).toEqual(opened)
  })

  test("a publisher that takes over begins after what the lanes hold, or at the present moment", () => {
    const stream = registry().publish(NAME, new FakePublisher("t"), 1_000)
    stream.pushFrame({ ...picture, ptsUs: 5_000_000 })
    stream.replacePublisher(new FakePublisher("t"))
    expect(stream.startUs(2_000)).toBe(5_040_000)
    expect(stream.startUs(8_000)).toBe(7_000_000)
  })

  test("a keyframe drops the sound from before it", () => {
    const stream = registry().publish(NAME, new FakePublisher(), 0)
    for (const ptsUs of [0, 20, 40]) stream.pushFrame(aac(ptsUs))
    stream.pushFrame(picture)
    expect(stream.lanes.aacFrames.cached.map(({ ptsUs }) => ptsUs)).toEqual([40])
    expect([...stream.tracks].map(({ codec }) => codec).sort()).toEqual(["aac", "h264"])
  })
})
