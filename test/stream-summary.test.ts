import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { SessionSummary, StreamSummary } from "../routes/api/schemas.ts"
import type { PublisherSession, SessionFacts } from "../src/hub/session.ts"
import type { LaneConverters } from "../src/hub/stream-lanes.ts"
import { parseStreamName } from "../src/hub/stream-name.ts"
import { StreamRegistry } from "../src/hub/stream-registry.ts"
import type { VideoCodec } from "../src/media/codec.ts"
import type { RtpBatch } from "../src/media/packet.ts"
import { describeSession, describeStream } from "../src/stream-summary.ts"

const LIMITS = {
  maxStreams: 1,
  maxSubscribers: 9,
  cacheMaxBytes: 1e6,
  cacheMaxMs: 1e4,
  keyframeRequestIntervalMs: 1,
  graceMs: 5_000,
  silentTakeoverMs: 1_000,
}
const FACTS: SessionFacts = {
  remoteAddress: "192.0.2.1:5000",
  transport: "udp",
  startedAtMs: 0,
  bytes: 10,
  bitrateBps: 80,
  codecs: ["VP9"],
}

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 1, 0, 1) })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A stream of packets by WHIP that began a minute ago. */
function whipStream(codec: VideoCodec, facts = FACTS) {
  const registry = new StreamRegistry(() => ({}) as LaneConverters, LIMITS)
  const publisher: PublisherSession = {
    id: "secret",
    protocol: "whip",
    identity: "me",
    lastMediaMs: 60_000,
    requestKeyframe: () => undefined,
    end: () => undefined,
    describe: () => facts,
  }
  const stream = registry.publish(parseStreamName("live", "cam1"), publisher, 0)
  stream.useVideo("packets", codec)
  return { registry, stream, publisher }
}

function keyframe(widthPx: number, heightPx: number): RtpBatch {
  const packets = [{ sequenceNumber: 0, marker: true, payload: new Uint8Array(125) }]
  return { kind: "video", timestamp: 0, ptsUs: 0, startsKeyframe: true, widthPx, heightPx, packets }
}

test("a stream of packets is told by the codec that was agreed on and the size of its last keyframe", () => {
  const { stream } = whipStream("vp9")
  stream.pushPackets(keyframe(1_920, 1_080))
  const summary = describeStream(stream, 60_000)
  expect(StreamSummary.parse(summary)).toEqual({
    name: "live/cam1",
    state: "live",
    publisher: { protocol: "whip" },
    tracks: [{ kind: "video", codec: "vp9", widthPx: 1_920, heightPx: 1_080 }],
    layers: [],
    viewers: 0,
    since: "2026-01-01T00:00:00.000Z",
  })
})

test("simulcast layers are listed best first, with no bitrate where they are silent", () => {
  const { stream, publisher } = whipStream("h264")
  stream.pushPackets(keyframe(320, 180), "q")
  Object.assign(publisher, { lastMediaMs: 62_000 })
  stream.pushPackets(keyframe(1_280, 720), "f")
  const { layers } = StreamSummary.parse(describeStream(stream, 62_000))
  expect(layers).toEqual([
    { rid: "f", widthPx: 1_280, heightPx: 720, bitrateBps: expect.any(Number) },
    { rid: "q", widthPx: 320, heightPx: 180, bitrateBps: 0 },
  ])
  expect(layers[0]?.bitrateBps).toBeGreaterThan(0)
})

test("a stream whose publisher was lost is waiting, and still known by its protocol", () => {
  const { registry, stream, publisher } = whipStream("av1")
  registry.unpublish(stream, publisher, "lost", { mayReturn: true, nowMs: 60_000 })
  expect(StreamSummary.parse(describeStream(stream, 60_000))).toMatchObject({
    state: "waiting",
    publisher: { protocol: "whip" },
  })
})

test("a session is told under its public id only", () => {
  const { registry } = whipStream("vp9", { ...FACTS, packets: 3, roundTripMs: 12 })
  const [entry] = registry.sessions()
  const summary = entry && describeSession(entry, "public", 60_000)
  expect(SessionSummary.parse(summary)).toEqual({
    id: "public",
    protocol: "whip",
    role: "publisher",
    stream: "live/cam1",
    remoteAddress: "192.0.2.1:5000",
    transport: "udp",
    since: "2026-01-01T00:00:00.000Z",
    codecs: ["VP9"],
    bytes: 10,
    bitrateBps: 80,
    packets: 3,
    roundTripMs: 12,
  })
})

test("a session whose peer is not known yet has no address", () => {
  const { registry } = whipStream("vp9", { ...FACTS, remoteAddress: undefined })
  const [entry] = registry.sessions()
  expect(entry && describeSession(entry, "public", 60_000)).not.toHaveProperty("remoteAddress")
})
