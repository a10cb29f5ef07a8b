import { expect, test } from "vitest"
import type { SessionFacts } from "../../src/hub/session.ts"
import { type MeasuredSession, SessionMetrics } from "../../src/metrics/session-metrics.ts"

class FakeSession {
  facts: SessionFacts = {
    remoteAddress: undefined,
    transport: "udp",
    startedAtMs: 0,
    bytes: 0,
    bitrateBps: 0,
    codecs: [],
  }

  describe(): SessionFacts {
    return this.facts
  }

  set(facts: Partial<SessionFacts>): void {
    this.facts = { ...this.facts, ...facts }
  }
}

const measured = (session: FakeSession, protocol = "whep"): MeasuredSession => ({ protocol, role: "viewer", session })

function values(metrics: SessionMetrics, name: string): Record<string, number> {
  const family = metrics.families().find((candidate) => candidate.name === name)
  const key = (labels: Readonly<Record<string, string>> = {}) => Object.values(labels).join(" ")
  return Object.fromEntries(family?.samples.map(({ labels, value }) => [key(labels), value]) ?? [])
}

test("counts go on rising when sessions end, states do not", () => {
  const metrics = new SessionMetrics()
  const [a, b] = [new FakeSession(), new FakeSession()]
  a.set({ bytes: 100, bitrateBps: 8, droppedFrames: 2 })
  b.set({ bytes: 50, bitrateBps: 4 })
  metrics.measure([measured(a), measured(b), measured(new FakeSession(), "rtmp")], 0)
  expect(values(metrics, "whipstitch_sessions")).toEqual({ "whep viewer": 2, "rtmp viewer": 1 })
  a.set({ bytes: 170 })
  metrics.measure([measured(a)], 1_000)
  expect(values(metrics, "whipstitch_bytes_total")).toEqual({ "whep viewer": 220, "rtmp viewer": 0 })
  expect(values(metrics, "whipstitch_dropped_frames_total")).toMatchObject({ "whep viewer": 2 })
  expect(values(metrics, "whipstitch_bitrate_bps")).toEqual({ "whep viewer": 8, "rtmp viewer": 0 })
  metrics.measure([], 2_000)
  expect(values(metrics, "whipstitch_sessions")).toEqual({ "whep viewer": 0, "rtmp viewer": 0 })
})

test("lost packets that come after all do not make the count go back", () => {
  const metrics = new SessionMetrics()
  const session = new FakeSession()
  for (const lostPackets of [5, 3, 4]) {
    session.set({ lostPackets })
    metrics.measure([measured(session)], 0)
  }
  expect(values(metrics, "whipstitch_lost_packets_total")).toEqual({ "whep viewer": 6 })
})

test("what viewers lose, get again and ask in vain is told by protocol, and the loss of the worst ones", () => {
  const metrics = new SessionMetrics()
  const sessions = [0, 0.02, 0.5].map((lossRatio) => {
    const session = new FakeSession()
    session.set({ lossRatio, resentPackets: 10, refusedFeedback: 2 })
    return measured(session)
  })
  metrics.measure(sessions, 0)
  expect(values(metrics, "whipstitch_loss_ratio")).toEqual({
    "whep viewer 0.5": 0.02,
    "whep viewer 0.9": 0.5,
    "whep viewer 1": 0.5,
  })
  expect(values(metrics, "whipstitch_resent_packets_total")).toEqual({ "whep viewer": 30 })
  expect(values(metrics, "whipstitch_refused_feedback_total")).toEqual({ "whep viewer": 6 })
})

test("round trips are told as quantiles, of the sessions that know theirs", () => {
  const metrics = new SessionMetrics()
  const sessions = [10, 20, 30, undefined].map((roundTripMs) => {
    const session = new FakeSession()
    if (roundTripMs !== undefined) session.set({ roundTripMs })
    return measured(session)
  })
  metrics.measure(sessions, 0)
  const [median, , longest] = Object.values(values(metrics, "whipstitch_round_trip_seconds"))
  expect([median, longest]).toEqual([0.02, 0.03])
})

test("tells the jitter of sessions that know theirs, and the packets of publishers that were of no use", () => {
  const metrics = new SessionMetrics()
  const session = new FakeSession()
  session.set({ jitterMs: 5, droppedPackets: 7 })
  metrics.measure([measured(session), measured(new FakeSession())], 0)
  expect(Object.values(values(metrics, "whipstitch_jitter_seconds"))).toEqual([0.005, 0.005, 0.005])
  expect(values(metrics, "whipstitch_dropped_packets_total")).toEqual({ "whep viewer": 7 })
})
