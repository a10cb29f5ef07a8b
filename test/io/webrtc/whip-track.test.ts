import { expect, test } from "vitest"
import { WhipTrack } from "../../../src/io/webrtc/whip-track.ts"
import type { RtpBatch } from "../../../src/media/packet.ts"
import type { RtpPacket } from "../../../src/rtp/packet.ts"
import { ReceiverRoundTrip } from "../../../src/rtp/round-trip.ts"
import { PublisherClock } from "../../../src/rtp/timeline-clock.ts"
import type { AnsweredMedia } from "../../../src/sdp/answer.ts"
import { hex } from "../../support/bytes.ts"

const MEDIA: AnsweredMedia = {
  kind: "video",
  codec: "h264",
  mid: "0",
  payloadType: 96,
  rtxPayloadType: 97,
  clockRateHz: 90_000,
  packetizationMode: 1,
  remoteSources: [],
  extensionIds: {},
  redPayloadType: undefined,
  prefersRed: false,
  profileIdc: undefined,
  rids: [],
  parameterSets: [],
  feedback: [],
  local: undefined,
}

const createTrack = (wishes: "pli" | "fir" = "pli") => {
  const emitted: RtpBatch[] = []
  const track = new WhipTrack({
    media: MEDIA,
    rid: undefined,
    emit: (batch) => void emitted.push(batch),
    clock: new PublisherClock(0),
    roundTrip: new ReceiverRoundTrip(),
    previous: undefined,
    localSsrc: 1,
    keyframeIntervalMs: 4_000,
    wishes,
  })
  return Object.assign(track, { emitted })
}

function packet(ssrc: number, sequenceNumber: number, payload = hex("41 aa"), payloadType = 96): RtpPacket {
  const timestamp = sequenceNumber * 3_000
  return { payloadType, marker: true, sequenceNumber, timestamp, ssrc, payload } as RtpPacket
}

/** Pushes packets 33 ms apart and returns the lane's numbers, undefined for those that do not get in. */
function run(track: ReturnType<typeof createTrack>, packets: readonly RtpPacket[], startUs = 0) {
  return packets.map((one, i) => {
    track.emitted.length = 0
    track.push(one, startUs + i * 33_333)
    return track.emitted[0]?.packets[0]?.sequenceNumber
  })
}

test("late packets of a source that another has followed are left out, and its retransmissions", () => {
  const track = createTrack()
  run(track, [packet(10, 100), packet(10, 101), packet(11, 7, hex("00 64 41 aa"), 97)])
  const numbers = run(track, [
    packet(20, 5_000),
    packet(10, 102),
    packet(11, 8, hex("00 65 41 aa"), 97),
    packet(20, 5_001),
  ])
  expect(numbers).toEqual([2, undefined, undefined, 3])
})

test("three sources at a time settle on the last one", () => {
  const track = createTrack()
  const packets = Array.from({ length: 30 }, (_, i) => packet(10 + (i % 3), 100 + i))
  const forwarded = packets.filter((one) => run(track, [one])[0] !== undefined)
  expect(forwarded.map(({ ssrc }) => ssrc)).toEqual([10, 11, ...Array.from({ length: 10 }, () => 12)])
})

test("a source whose successor has gone silent is taken back", () => {
  const track = createTrack()
  run(track, [packet(10, 100), packet(20, 900)])
  expect(run(track, [packet(10, 101), packet(10, 102)], 5_000_000)).toEqual([2, 3])
})

test("a retransmission takes its place, and an empty one is padding that passes", () => {
  const track = createTrack()
  run(track, [packet(10, 100), packet(10, 103)])
  expect(run(track, [packet(11, 1, hex("00 65 41 aa"), 97), packet(11, 2, hex("00 66"), 97)])).toEqual([1, 2])
  expect(run(track, [packet(11, 3, hex("00"), 97)])).toEqual([undefined])
  expect(track.totals.retransmitted).toBe(2)
})

test("a keyframe that has become too old is asked for, until a new one comes", () => {
  const track = createTrack()
  const isAskedFor = (nowMs: number) => track.pollFeedback(nowMs).some(({ type }) => type === "pli")
  const keyframe = hex("78 0004 6742c01e 0003 68ce3c 0002 6588")
  track.push(packet(10, 100, keyframe), 1_000_000)
  expect(isAskedFor(5_000)).toBe(false)
  expect(isAskedFor(5_001)).toBe(true)
  track.push(packet(10, 101, keyframe), 5_100_000)
  expect(isAskedFor(9_000)).toBe(false)
  expect(isAskedFor(9_101)).toBe(true)
})

test("another gateway is asked by FIR for a keyframe that viewers want, and by PLI for a picture that is lost", () => {
  const track = createTrack("fir")
  const idr = hex("65 aa")
  run(track, [packet(10, 100, idr)])
  track.pollFeedback(0)
  const asked = [40, 80].map((nowMs) => {
    track.wantKeyframe(nowMs)
    return track.pollFeedback(nowMs)
  })
  const fir = (sequenceNumber: number) => ({ type: "fir", senderSsrc: 1, requests: [{ ssrc: 10, sequenceNumber }] })
  expect(asked).toEqual([[fir(1)], [fir(2)]])
  run(track, [packet(10, 9_000)], 620_000)
  expect(track.pollFeedback(660)).toEqual([{ type: "pli", senderSsrc: 1, mediaSsrc: 10 }])
})

test("a source that does not begin with a keyframe is asked for one, since its beginning may be lost", () => {
  const keyframe = hex("78 0004 6742c01e 0003 68ce3c 0002 6588")
  for (const { payload, isAsked } of [
    { payload: keyframe, isAsked: false },
    { payload: hex("41 aa"), isAsked: true },
  ]) {
    const track = createTrack()
    run(track, [packet(10, 100, payload)])
    expect(track.pollFeedback(1).some(({ type }) => type === "pli")).toBe(isAsked)
  }
})

test("how soon retransmissions are asked for again goes by the round trip that they take", () => {
  const track = createTrack()
  const asksMs: number[] = []
  run(track, [packet(10, 100), packet(10, 102)])
  track.pollFeedback(50)
  track.push(packet(11, 1, hex("00 65 41 aa"), 97), 80_000)
  run(track, [packet(10, 104)], 100_000)
  for (let nowMs = 101; nowMs < 220; nowMs++) {
    if (track.pollFeedback(nowMs).some(({ type }) => type === "nack")) asksMs.push(nowMs)
  }
  // It took 30 ms, and a fifth of that is added.
  expect(asksMs).toEqual([105, 141, 177, 213])
})

test("packets that are too long for viewers, cut off or out of place are dropped and counted", () => {
  const track = createTrack()
  const numbers = run(track, [
    packet(10, 100),
    packet(10, 101, new Uint8Array(1_801).fill(0x41)),
    packet(11, 1, hex("00"), 97),
    packet(12, 2, hex("00 65 41 aa"), 97),
    packet(10, 40_000),
    packet(10, 99),
    packet(10, 101),
  ])
  expect(numbers).toEqual([0, undefined, undefined, undefined, undefined, undefined, 1])
  expect(track.totals.dropped).toBe(5)
})
