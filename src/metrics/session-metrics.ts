import type { SessionFacts } from "../hub/session.ts"
import type { MetricFamily, MetricLabels, MetricSample } from "./exposition.ts"

/** A session that is measured. */
export interface MeasuredSession {
  readonly protocol: string
  readonly role: "publisher" | "viewer"
  /** The same object at each measurement. */
  readonly session: { describe(nowMs: number): SessionFacts }
}

/**
 * Counts over all sessions by protocol and role. Sessions count for themselves, so they are looked at now and then: of one that ends in
 * between, what came since the last look is missing.
 */
export class SessionMetrics {
  readonly #seen = new WeakMap<MeasuredSession["session"], Counts>()
  readonly #totals = new Map<string, Group>()

  /** Takes the sessions that there are now. */
  measure(sessions: readonly MeasuredSession[], nowMs: number): void {
    for (const group of this.#totals.values()) group.restart()
    for (const { protocol, role, session } of sessions) {
      const facts = session.describe(nowMs)
      const counts = countsOf(facts)
      this.#group(protocol, role).add(facts, counts, this.#seen.get(session) ?? NO_COUNTS)
      this.#seen.set(session, counts)
    }
  }

  /** As of the last measurement. */
  families(): MetricFamily[] {
    const groups = [...this.#totals.values()]
    const samples = (value: (group: Group) => number): MetricSample[] =>
      groups.map((group) => ({ labels: group.labels, value: value(group) }))
    const roundTrips = groups.flatMap(({ labels, roundTripsMs }) => quantileSamples(roundTripsMs, labels))
    const losses = groups.flatMap(({ labels, lossRatios }) => quantileSamples(lossRatios, labels, 1))
    const jitters = groups.flatMap(({ labels, jittersMs }) => quantileSamples(jittersMs, labels))
    return [
      gauge(
        "whipstitch_sessions",
        "publishers, viewers, readers and pushes now",
        samples(({ sessions }) => sessions),
      ),
      gauge(
        "whipstitch_bitrate_bps",
        "media of the last seconds",
        samples(({ bitrateBps }) => bitrateBps),
      ),
      counter(
        "whipstitch_bytes_total",
        "media from publishers or to viewers",
        samples(({ counts }) => counts.bytes),
      ),
      counter(
        "whipstitch_dropped_frames_total",
        "frames left out for receivers that were too slow",
        samples(({ counts }) => counts.droppedFrames),
      ),
      counter(
        "whipstitch_lost_packets_total",
        "RTP packets that were lost",
        samples(({ counts }) => counts.lostPackets),
      ),
      counter(
        "whipstitch_dropped_packets_total",
        "RTP packets of publishers that were of no use",
        samples(({ counts }) => counts.droppedPackets),
      ),
      counter(
        "whipstitch_resent_packets_total",
        "RTP packets sent again to viewers that asked for them",
        samples(({ counts }) => counts.resentPackets),
      ),
      counter(
        "whipstitch_refused_feedback_total",
        "viewers' feedback that was ignored: about foreign sources, or asking for more than their share",
        samples(({ counts }) => counts.refusedFeedback),
      ),
      gauge("whipstitch_loss_ratio", "share of packets lost lately, of the sessions that know theirs", losses),
      gauge("whipstitch_round_trip_seconds", "round trips of the sessions that know theirs", roundTrips),
      gauge("whipstitch_jitter_seconds", "interarrival jitter of the sessions that know theirs", jitters),
    ]
  }

  #group(protocol: string, role: string): Group {
    const key = `${protocol} ${role}`
    const known = this.#totals.get(key)
    if (known !== undefined) return known
    const group = new Group({ protocol, role })
    this.#totals.set(key, group)
    return group
  }
}

/** Makes a metric that goes up and down. */
export function gauge(name: string, help: string, samples: readonly MetricSample[]): MetricFamily {
  return { name, help, type: "gauge", samples }
}

/** Makes a metric that only counts up. */
export function counter(name: string, help: string, samples: readonly MetricSample[]): MetricFamily {
  return { name, help, type: "counter", samples }
}

interface Counts {
  readonly bytes: number
  readonly droppedFrames: number
  readonly lostPackets: number
  readonly droppedPackets: number
  readonly resentPackets: number
  readonly refusedFeedback: number
}

class Group {
  readonly labels: MetricLabels
  counts: Counts = NO_COUNTS
  sessions = 0
  bitrateBps = 0
  roundTripsMs: number[] = []
  jittersMs: number[] = []
  lossRatios: number[] = []

  constructor(labels: MetricLabels) {
    this.labels = labels
  }

  restart(): void {
    this.sessions = 0
    this.bitrateBps = 0
    this.roundTripsMs = []
    this.jittersMs = []
    this.lossRatios = []
  }

  add({ bitrateBps, roundTripMs, jitterMs, lossRatio }: SessionFacts, now: Counts, before: Counts): void {
    this.sessions++
    this.bitrateBps += bitrateBps
    if (roundTripMs !== undefined) this.roundTripsMs.push(roundTripMs)
    if (jitterMs !== undefined) this.jittersMs.push(jitterMs)
    if (lossRatio !== undefined) this.lossRatios.push(lossRatio)
    this.counts = {
      bytes: this.counts.bytes + advance(now.bytes, before.bytes),
      droppedFrames: this.counts.droppedFrames + advance(now.droppedFrames, before.droppedFrames),
      lostPackets: this.counts.lostPackets + advance(now.lostPackets, before.lostPackets),
      droppedPackets: this.counts.droppedPackets + advance(now.droppedPackets, before.droppedPackets),
      resentPackets: this.counts.resentPackets + advance(now.resentPackets, before.resentPackets),
      refusedFeedback: this.counts.refusedFeedback + advance(now.refusedFeedback, before.refusedFeedback),
    }
  }
}

function countsOf(facts: Partial<SessionFacts>): Counts {
  const {
    bytes = 0,
    droppedFrames = 0,
    lostPackets = 0,
    droppedPackets = 0,
    resentPackets = 0,
    refusedFeedback = 0,
  } = facts
  return { bytes, droppedFrames, lostPackets, droppedPackets, resentPackets, refusedFeedback }
}

/** RTCP's count of lost packets goes back where one comes twice; ours must not. */
function advance(now: number, before: number): number {
  return Math.max(0, now - before)
}

/** `unit` is how many of the values' units make one of the metric's. */
function quantileSamples(values: readonly number[], labels: MetricLabels, unit = 1000): MetricSample[] {
  if (values.length === 0) return []
  const sorted = [...values].sort((a, b) => a - b)
  return QUANTILES.map((quantile) => {
    const at = Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))
    return { labels: { ...labels, quantile: String(quantile) }, value: (sorted[at] as number) / unit }
  })
}

const NO_COUNTS: Counts = countsOf({})
const QUANTILES = [0.5, 0.9, 1]
