import { describe, expect, test } from "vitest"
import type { GatewayError } from "../../src/errors.ts"
import type { LaneConverters, LiveStream, PublisherSession } from "../../src/hub/live-stream.ts"
import { parseStreamName } from "../../src/hub/stream-name.ts"
import { StreamRegistry } from "../../src/hub/stream-registry.ts"
import type { AacFrame, MediaFrame, OpusFrame, VideoFrame } from "../../src/media/frame.ts"

const LIMITS = {
  maxStreams: 2,
  maxSubscribers: 1,
  cacheMaxBytes: 1_000,
  cacheMaxMs: 1_000,
  keyframeRequestIntervalMs: 500,
}
const NAME = parseStreamName("live", "cam1")

class FakePublisher implements PublisherSession {
  readonly id = "p"
  readonly protocol = "rtmp"
  readonly token: string | undefined
  keyframeRequests = 0
  endedBecause: string | undefined

  constructor(token?: string) {
    this.token = token
  }

  requestKeyframe(): void {
    this.keyframeRequests++
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

function codeOf(action: () => unknown): string | undefined {
  try {
    action()
  } catch (error) {
    return (error as GatewayError).code
  }
  return undefined
}

describe("names", () => {
  test.each(["cam1", "a.b", "A_b-9", "x".repeat(64)])("%s is a stream name", (name) => {
    expect(parseStreamName("live", name)).toBe(`live/${name}`)
  })

  test.each(["", "..", ".hidden", "a/b", "a b", "ä", "a\u0000", "x".repeat(65), "%2e%2e"])("%j is refused", (name) => {
    expect(codeOf(() => parseStreamName("live", name))).toBe("stream.name")
    expect(codeOf(() => parseStreamName(name, "cam1"))).toBe("stream.name")
  })
})

describe("publishing", () => {
  test("a live name is refused to another publisher and free again when the first one ends", () => {
    const streams = registry()
    const first = new FakePublisher()
    const stream = streams.publish(NAME, first, 0)
    expect(codeOf(() => streams.publish(NAME, new FakePublisher(), 1))).toBe("stream.busy")
    streams.unpublish(stream, first, "done")
    expect(codeOf(() => streams.find(NAME))).toBe("stream.not_live")
    expect(codeOf(() => streams.publish(NAME, new FakePublisher(), 2))).toBeUndefined()
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
    expect(codeOf(() => streams.publish(NAME, new FakePublisher(given), 1))).toBe(code)
  })

  test("a takeover ends the old session, keeps the stream and its viewers, and outlives the old session's end", () => {
    const streams = registry()
    const [before, after] = [new FakePublisher("t"), new FakePublisher("t")]
    const stream = streams.publish(NAME, before, 0)
    const ended: string[] = []
    stream.addSubscriber({ id: "v", protocol: "whep", end: (reason) => ended.push(reason) })
    expect(streams.publish(NAME, after, 5)).toBe(stream)
    expect(before.endedBecause).toMatch(/took over/)
    streams.unpublish(stream, before, "late")
    expect(streams.find(NAME).publisher).toBe(after)
    expect(ended).toEqual([])
    streams.unpublish(stream, after, "over")
    expect(ended).toEqual(["over"])
  })

  test("limits of streams and of subscribers are kept", () => {
    const streams = registry()
    const stream = streams.publish(NAME, new FakePublisher(), 0)
    streams.publish(parseStreamName("live", "cam2"), new FakePublisher(), 0)
    expect(codeOf(() => streams.publish(parseStreamName("live", "cam3"), new FakePublisher(), 0))).toBe("session.limit")
    const subscriber = { id: "v", protocol: "rtmp" as const, end: () => undefined }
    stream.addSubscriber(subscriber)
    expect(codeOf(() => stream.addSubscriber({ ...subscriber }))).toBe("session.limit")
  })

  test("keyframe requests reach the publisher no more often than the limit says", () => {
    const publisher = new FakePublisher()
    const stream = registry().publish(NAME, publisher, 0)
    for (const nowMs of [0, 100, 499, 500, 900, 1_000]) stream.requestKeyframe(nowMs)
    expect(publisher.keyframeRequests).toBe(3)
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
  const picture: VideoFrame = { track: H264, dtsUs: 40, ptsUs: 40, isKeyframe: true, nalUnits: [DATA] }
  const aac = (ptsUs: number): AacFrame => ({ track: AAC, ptsUs, data: DATA })
  const opus: OpusFrame = { track: OPUS, ptsUs: 0, data: DATA }

  function ways(first: MediaFrame | undefined, wanted: (stream: LiveStream) => () => void): string[] {
    const opened: string[] = []
    const stream = registry(opened).publish(NAME, new FakePublisher(), 0)
    if (first === undefined) {
      stream.useSource("video", "packets")
      stream.useSource("audio", "packets")
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
