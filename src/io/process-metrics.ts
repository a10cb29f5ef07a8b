import { monitorEventLoopDelay } from "node:perf_hooks"
import type { MetricFamily } from "../metrics/exposition.ts"
import { counter, gauge } from "../metrics/session-metrics.ts"

/** What this process takes: CPU, memory, and how late its event loop is. */
export class ProcessMetrics {
  readonly #delays = startMonitor()

  /** Delays are those since the last call. */
  families(): MetricFamily[] {
    const { user, system } = process.cpuUsage()
    const { rss, heapUsed } = process.memoryUsage()
    const families = [
      counter("process_cpu_seconds_total", "CPU time, user and system", [{ value: (user + system) / 1e6 }]),
      gauge("process_resident_memory_bytes", "resident memory", [{ value: rss }]),
      gauge("whipstitch_heap_used_bytes", "JavaScript objects and what they take", [{ value: heapUsed }]),
    ]
    const delays = this.#delays
    if (delays === undefined || delays.count === 0) return families
    const samples = QUANTILES.map((quantile) => ({
      labels: { quantile: String(quantile) },
      value: Math.max(0, delays.percentile(quantile * 100) / 1e9 - RESOLUTION_MS / 1000),
    }))
    delays.reset()
    return [
      ...families,
      gauge("whipstitch_event_loop_delay_seconds", "how late timers are, since the last look", samples),
    ]
  }

  close(): void {
    this.#delays?.disable()
  }
}

/** Undefined where the runtime has no such monitor. */
function startMonitor(): ReturnType<typeof monitorEventLoopDelay> | undefined {
  try {
    const monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    monitor.enable()
    return monitor
  } catch {
    return undefined
  }
}

const RESOLUTION_MS = 20
const QUANTILES = [0.5, 0.99, 1]
