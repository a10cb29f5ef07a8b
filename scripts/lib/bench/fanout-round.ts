import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as delay } from "node:timers/promises"
import { startGateway, type TestGateway } from "../../../test/support/gateway.ts"
import { startProcess } from "../../../test/support/process.ts"
import { Scope } from "../../../test/support/scope.ts"
import { liveStream, noViewers } from "../../../test/support/streams.ts"
import type { ViewersReport } from "../../bench/fanout-viewers.ts"
import { quantile } from "./numbers.ts"
import { cpuSeconds, memoryKb } from "./process-cost.ts"
import { publishClip } from "./publisher.ts"

/** Which `PacketFanout` the gateway uses. */
export type FanoutName = "typescript" | "native"

/** How many viewers, and how long they are watched. */
export interface RoundOptions {
  readonly viewers: number
  /** What is measured. */
  readonly seconds: number
  /** Before that, once all have joined: the just-in-time compiler has seen everything then. */
  readonly settleSeconds: number
}

/** What one gateway cost with all viewers connected. Times of CPU are those of the process with all its threads. */
export interface FanoutRound {
  readonly fanout: FanoutName
  readonly cpuUsPerPacket: number
  /** Of the CPU time, what was the gateway's own and not the kernel's; 0 to 1. */
  readonly userShare: number
  /** Thousandths of a core. */
  readonly cpuPerViewer: number
  readonly memoryPerViewerKb: number
  /** Without the media that was sent meanwhile. */
  readonly cpuMsPerJoin: number
  /** From the POST to the first packet of media. */
  readonly firstPacketP50Ms: number
  readonly firstPacketP95Ms: number
  readonly lossPercent: number
  /** Of the packets per viewer, what the one with the fewest got; 0 to 1. */
  readonly slowestShare: number
  readonly packetsPerSecondPerViewer: number
  readonly bytesPerPacket: number
  /** Packets that were opened for a sample, and those of them that were not authentic. */
  readonly sampledPackets: number
  readonly damagedPackets: number
  /** How late the event loop was while all watched, and at the worst while they joined. */
  readonly loopDelayP50Ms: number
  readonly loopDelayP99Ms: number
  readonly loopDelayMaxMs: number
  readonly joiningLoopDelayP99Ms: number
}

/** Measures one gateway with one publisher and these viewers. Throws where it does not start, or a viewer cannot join. */
export async function measureRound(fanout: FanoutName, options: RoundOptions): Promise<FanoutRound> {
  const scope = new Scope()
  try {
    const gateway = await startGateway(scope, { settings: { MEDIA__FANOUT: fanout } })
    publishClip(scope, gateway.rtmpUrl(STREAM))
    await liveStream(gateway, STREAM)
    return await measure(fanout, gateway, options)
  } finally {
    await scope.close()
  }
}

async function measure(fanout: FanoutName, gateway: TestGateway, options: RoundOptions): Promise<FanoutRound> {
  const { viewers, seconds, settleSeconds } = options
  const { child } = gateway.process
  await letSomeComeAndGo(gateway, settleSeconds)
  const scope = new Scope()
  try {
    const emptyKb = memoryKb(child)
    await readLoopDelays(gateway)
    const beforeJoins = total(cpuSeconds(child))
    const groups = await Promise.all(split(viewers).map((count) => startViewers(scope, gateway, count)))
    const joinSeconds = total(cpuSeconds(child)) - beforeJoins
    const joined = groups.map(({ joined }) => joined)
    const joining = await readLoopDelays(gateway)
    await delay(settleSeconds * 1_000)
    await readLoopDelays(gateway)
    const cpuBefore = cpuSeconds(child)
    const first = await Promise.all(groups.map(({ report }) => report()))
    const startMs = performance.now()
    await delay(seconds * 1_000)
    const last = await Promise.all(groups.map(({ report }) => report()))
    const elapsedSeconds = (performance.now() - startMs) / 1_000
    const cpuAfter = cpuSeconds(child)
    const watching = await readLoopDelays(gateway)
    const memoryPerViewerKb = (memoryKb(child) - emptyKb) / viewers
    const user = cpuAfter.user - cpuBefore.user
    const cpu = total(cpuAfter) - total(cpuBefore)
    const perViewer = last.flatMap(({ packets }, i) => packets.map((n, k) => n - (first[i]?.packets[k] ?? 0)))
    const packets = sum(perViewer)
    const increase = (pick: (report: ViewersReport) => number) => sum(last.map(pick)) - sum(first.map(pick))
    const lost = increase((report) => report.lost)
    const joinMediaSeconds = (cpu / packets) * sum(joined.flatMap((report) => report.packets))
    const firstPacketMs = joined.flatMap((report) => report.firstPacketMs)
    return {
      fanout,
      cpuUsPerPacket: (cpu / packets) * 1e6,
      userShare: user / cpu,
      cpuPerViewer: (cpu / elapsedSeconds / viewers) * 1_000,
      memoryPerViewerKb,
      cpuMsPerJoin: ((joinSeconds - joinMediaSeconds) / viewers) * 1_000,
      firstPacketP50Ms: quantile(firstPacketMs, 0.5) ?? 0,
      firstPacketP95Ms: quantile(firstPacketMs, 0.95) ?? 0,
      lossPercent: (lost / (packets + lost)) * 100,
      slowestShare: Math.min(...perViewer) / (packets / viewers),
      packetsPerSecondPerViewer: packets / elapsedSeconds / viewers,
      bytesPerPacket: increase((report) => report.bytes) / packets,
      sampledPackets: sum(last.map(({ decrypted }) => decrypted)),
      damagedPackets: sum(last.map(({ damaged }) => damaged)),
      loopDelayP50Ms: watching.p50Ms,
      loopDelayP99Ms: watching.p99Ms,
      loopDelayMaxMs: watching.maxMs,
      joiningLoopDelayP99Ms: joining.p99Ms,
    }
  } finally {
    await scope.close()
  }
}

/** So that what the first viewers cost once is not counted for all. */
async function letSomeComeAndGo(gateway: TestGateway, seconds: number): Promise<void> {
  const scope = new Scope()
  await startViewers(scope, gateway, VIEWERS_BEFORE)
  await delay(seconds * 1_000)
  await scope.close()
  await noViewers(gateway, STREAM)
}

/** Begins a process with viewers, and returns once all of them get media. */
async function startViewers(scope: Scope, gateway: TestGateway, count: number) {
  const args = [join(import.meta.dirname, "../../bench/fanout-viewers.ts"), `${gateway.httpUrl}/whep/${STREAM}`]
  const { child, stderrLines } = startProcess(scope, process.execPath, [...args, String(count)], { stdout: "raw" })
  if (child.stdout === null) throw new Error("no standard output")
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<ViewersReport> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the viewers are gone: ${stderrLines.join("\n")}`)
    return JSON.parse(value)
  }
  const joined = await next()
  const report = () => {
    child.stdin?.write("\n")
    return next()
  }
  return { joined, report }
}

/** How late timers were since the last call, in milliseconds. */
async function readLoopDelays(gateway: TestGateway): Promise<{ p50Ms: number; p99Ms: number; maxMs: number }> {
  const text = await (await fetch(`${gateway.httpUrl}/metrics`)).text()
  const read = (share: string) => {
    const line = new RegExp(`^whipstitch_event_loop_delay_seconds\\{quantile="${share}"\\} (\\S+)$`, "m").exec(text)
    return Number(line?.[1]) * 1_000
  }
  return { p50Ms: read("0.5"), p99Ms: read("0.99"), maxMs: read("1") }
}

/** As many viewers for each process as it can serve without being the bottleneck. */
function split(viewers: number): number[] {
  const processes = Math.ceil(viewers / VIEWERS_PER_PROCESS)
  return Array.from({ length: processes }, (_, i) => Math.floor((viewers + i) / processes))
}

function total({ user, system }: { readonly user: number; readonly system: number }): number {
  return user + system
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((result, value) => result + value, 0)
}

const STREAM = "live/bench"
const VIEWERS_PER_PROCESS = 75
const VIEWERS_BEFORE = 8
