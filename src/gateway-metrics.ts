import type { StreamRegistry } from "./hub/stream-registry.ts"
import { ProcessMetrics } from "./io/process-metrics.ts"
import type { Pulls } from "./io/pull/pulls.ts"
import type { PushManager } from "./io/push/push-manager.ts"
import type { Recordings } from "./io/recording/recordings.ts"
import type { MetricFamily } from "./metrics/exposition.ts"
import { counter, gauge, SessionMetrics } from "./metrics/session-metrics.ts"
import { VERSION } from "./version.ts"

/** The parts of a gateway that are measured. */
export interface MeasuredParts {
  readonly registry: StreamRegistry
  readonly pulls: Pulls
  readonly pushes: PushManager
  readonly recordings: Recordings
  readonly nowMs: () => number
}

/** All metrics of a gateway. Looks at the sessions every few seconds, so that counts of those that end are not missed. */
export class GatewayMetrics {
  readonly #parts: MeasuredParts
  readonly #sessions = new SessionMetrics()
  readonly #process = new ProcessMetrics()
  readonly #timer = setInterval(() => this.#measure(), MEASURE_INTERVAL_MS).unref()

  constructor(parts: MeasuredParts) {
    this.#parts = parts
  }

  families(): MetricFamily[] {
    this.#measure()
    const { registry, nowMs } = this.#parts
    const streams = registry.list()
    const live = streams.filter(({ publisher }) => publisher !== undefined).length
    return [
      gauge("whipstitch_info", "the version that runs", [{ labels: { version: VERSION }, value: 1 }]),
      gauge("whipstitch_uptime_seconds", "time since the start", [{ value: nowMs() / 1000 }]),
      gauge("whipstitch_streams", "streams, live or waiting for a publisher that was lost", [
        { labels: { state: "live" }, value: live },
        { labels: { state: "waiting" }, value: streams.length - live },
      ]),
      ...this.#sessions.families(),
      this.#pullFamily(),
      ...this.#pushFamilies(),
      ...this.#recordingFamilies(),
      ...this.#process.families(),
    ]
  }

  close(): void {
    clearInterval(this.#timer)
    this.#process.close()
  }

  #measure(): void {
    const { registry, nowMs } = this.#parts
    const sessions = registry.sessions().map(({ role, session }) => {
      return { protocol: session.protocol, role: role === "publisher" ? role : ("viewer" as const), session }
    })
    this.#sessions.measure(sessions, nowMs())
  }

  #pullFamily(): MetricFamily {
    const pulls = this.#parts.pulls.list()
    const inState = (state: string) => pulls.filter((pull) => pull.state === state).length
    const samples = PULL_STATES.map((state) => ({ labels: { state }, value: inState(state) }))
    return gauge("whipstitch_pulls", "pulls by state", samples)
  }

  #pushFamilies(): MetricFamily[] {
    const { pushes, nowMs } = this.#parts
    const entries = pushes.list(nowMs())
    const { bytes, droppedFrames, attempts, errors } = pushes.totals
    const inState = (state: string) => entries.filter((push) => push.state.type === state).length
    return [
      gauge(
        "whipstitch_pushes",
        "pushes by state",
        PUSH_STATES.map((state) => ({ labels: { state }, value: inState(state) })),
      ),
      gauge("whipstitch_push_bitrate_bps", "media to all targets in the last seconds", [
        { value: entries.reduce((sum, { bitrateBps }) => sum + bitrateBps, 0) },
      ]),
      counter("whipstitch_push_bytes_total", "media to all targets", [{ value: bytes }]),
      counter("whipstitch_push_dropped_frames_total", "frames left out for slow targets", [{ value: droppedFrames }]),
      counter("whipstitch_push_attempts_total", "connections to targets that were tried", [{ value: attempts }]),
      counter("whipstitch_push_errors_total", "connections to targets that failed or were lost", [{ value: errors }]),
    ]
  }

  #recordingFamilies(): MetricFamily[] {
    const { running, failures, bytes } = this.#parts.recordings.totals
    return [
      gauge("whipstitch_recordings", "recordings that run", [{ value: running }]),
      counter("whipstitch_recording_bytes_total", "bytes of recorded files", [{ value: bytes }]),
      counter("whipstitch_recording_failures_total", "recordings that ended by an error", [{ value: failures }]),
    ]
  }
}

const MEASURE_INTERVAL_MS = 5_000
const PULL_STATES = ["idle", "connecting", "live", "backingOff", "failed"]
const PUSH_STATES = ["waiting", "connecting", "live", "backingOff", "failed"]
