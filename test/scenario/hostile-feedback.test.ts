import { expect, test } from "vitest"
import type { RtcpPacket } from "../../src/rtp/rtcp.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { picture } from "./support-pictures.ts"
import { TestViewer, WhipSource } from "./support-webrtc.ts"

useFakeClock()

const OWN = 0x10
const FOREIGN = 0x777
const FRAME_MS = 40

/** A camera and two viewers, of which one says whatever it likes. */
function scene() {
  const gateway = new TestGateway()
  const source = new WhipSource(gateway)
  let id = 0
  let heard = 0
  let keyframes = 0
  const run = (seconds: number, before: (id: number) => void = () => undefined) => {
    for (const end = id + (seconds * 1000) / FRAME_MS; id < end; id++) {
      before(id)
      // Keyframes come when they are asked for.
      const isWanted = source.feedback.slice(heard).some(({ type }) => type === "pli" || type === "fir")
      heard = source.feedback.length
      if (isWanted) keyframes++
      const isKeyframe = id === 0 || isWanted
      source.send(...source.packets("video", id * FRAME_MS * 90, picture(id, { isKeyframe }).payloads))
      advance(FRAME_MS)
    }
  }
  run(0.04)
  const liar = new TestViewer(gateway, { port: 1 })
  const witness = new TestViewer(gateway, { port: 2 })
  run(2)
  return { gateway, source, liar, witness, run, keyframes: () => keyframes }
}

const nack = (mediaSsrc: number, sequenceNumbers: readonly number[]): RtcpPacket => {
  return { type: "nack", senderSsrc: 1, mediaSsrc, sequenceNumbers }
}

test("a viewer that asks for a million packets gets no more than its share, and nobody notices", () => {
  const { gateway, liar, witness, run } = scene()
  const before = liar.describe()
  const newest = liar.video.at(-1)?.packet.sequenceNumber ?? 0
  const numbers = Array.from({ length: 4_000 }, (_, i) => newest - 199 + (i % 200))
  const storm = nack(
    OWN,
    numbers.map((number) => number & 0xffff),
  )
  let asked = 0
  run(10, () => {
    liar.sendRtcp(storm)
    asked += numbers.length
  })
  const after = liar.describe()
  const media = (after.packets ?? 0) - (before.packets ?? 0)
  expect(asked).toBe(1_000_000)
  expect(after.resentPackets).toBeGreaterThan(100)
  expect(after.resentPackets).toBeLessThan(media)
  expect(after.refusedFeedback).toBeGreaterThan(asked * 0.99)
  expect(witness.frames.length).toBe(liar.frames.length)
  expect(witness.describe()).toMatchObject({ resentPackets: 0, refusedFeedback: 0 })
  expect(gateway.bugs).toEqual([])
})

test("feedback about foreign sources is counted and changes nothing", () => {
  const { gateway, source, liar, run } = scene()
  const asked = source.feedback.length
  const target = { senderSsrc: 1, mediaSsrc: FOREIGN }
  const report = { ssrc: FOREIGN, fractionLost: 255, cumulativeLost: 9_999, extendedHighestSequenceNumber: 0 }
  liar.sendRtcp(
    nack(FOREIGN, [1, 2, 3]),
    { type: "pli", ...target },
    { type: "fir", senderSsrc: 1, requests: [{ ssrc: FOREIGN, sequenceNumber: 1 }] },
    { type: "remb", senderSsrc: 1, bitrateBps: 1, ssrcs: [FOREIGN] },
    {
      type: "receiver_report",
      senderSsrc: 1,
      reports: [{ ...report, jitter: 2 ** 31, lastSr: 1, delaySinceLastSr: 1 }],
    },
  )
  expect(liar.describe()).toMatchObject({ resentPackets: 0, refusedFeedback: 5, lostPackets: 0 })
  expect(liar.describe().jitterMs).toBeUndefined()
  expect(source.feedback.slice(asked).filter(({ type }) => type === "pli" || type === "fir")).toEqual([])
  run(2)
  expect(liar.frames.length).toBeGreaterThan(98)
  expect(gateway.bugs).toEqual([])
})

test("a REMB of 0, reports of total loss and impossible numbers harm only the viewer that sends them", () => {
  const { gateway, liar, witness, run } = scene()
  const report = { ssrc: OWN, fractionLost: 255, cumulativeLost: -1, extendedHighestSequenceNumber: 2 ** 32 - 1 }
  run(20, () => {
    liar.sendRtcp(
      { type: "remb", senderSsrc: 1, bitrateBps: 0, ssrcs: [OWN] },
      {
        type: "receiver_report",
        senderSsrc: 1,
        reports: [{ ...report, jitter: 2 ** 32 - 1, lastSr: 1, delaySinceLastSr: 0 }],
      },
      { type: "transport_feedback", ...FORGED_FEEDBACK },
    )
  })
  expect(liar.describe().lostPackets).toBe(0)
  expect(liar.describe().jitterMs).toBeLessThanOrEqual(60_000)
  expect(liar.frames.length).toBeGreaterThan(5)
  expect(witness.frames.length).toBeGreaterThan(21 * 25 * 0.95)
  expect(gateway.bugs).toEqual([])
})

test("a viewer that asks for keyframes all the time makes the publisher send one every two seconds at most", () => {
  const { liar, run, keyframes } = scene()
  run(10) // what the beginning asked for is over
  const before = keyframes()
  run(20, () => liar.sendPli())
  expect(keyframes() - before).toBeGreaterThan(5)
  expect(keyframes() - before).toBeLessThanOrEqual(20 / 2 + 3)
  expect(liar.describe().refusedFeedback).toBeGreaterThan(400)
})

const FORGED_FEEDBACK = {
  senderSsrc: 1,
  mediaSsrc: OWN,
  feedbackCount: 0,
  baseSequenceNumber: 40_000,
  arrivalsUs: Array.from({ length: 4_000 }, () => undefined),
}
