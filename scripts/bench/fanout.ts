/**
 * What a WHEP viewer costs the gateway: a gateway in a process of its own, one publisher of 3 Mbit/s by RTMP, and viewers in other processes that
 * do the whole handshake and count what comes. Each implementation of the fan-out in turn, several times, and beside them, as machines differ,
 * plain datagrams, and a program in C++ that does nothing but send the same bursts. See scripts/bench/fanout for the command line.
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Scope } from "../../test/support/scope.ts"
import { compileBurstFloor, measureBurstFloor } from "../lib/bench/burst-floor.ts"
import { type FanoutName, type FanoutRound, measureRound } from "../lib/bench/fanout-round.ts"
import { median } from "../lib/bench/numbers.ts"
import { makeClip } from "../lib/bench/publisher.ts"

/** Each figure with its unit. */
const FIGURES: readonly (readonly [keyof FanoutRound, string, digits: number])[] = [
  ["cpuUsPerPacket", "µs of CPU per delivered packet", 2],
  ["userShare", "of it user time", 2],
  ["cpuPerViewer", "thousandths of a core per viewer", 2],
  ["memoryPerViewerKb", "kB of memory per viewer", 0],
  ["cpuMsPerJoin", "ms of CPU per join", 2],
  ["firstPacketP50Ms", "ms from the POST to the first packet, p50", 0],
  ["firstPacketP95Ms", "the same, p95", 0],
  ["lossPercent", "% of the packets lost", 3],
  ["slowestShare", "of the average, what the slowest viewer got", 2],
  ["packetsPerSecondPerViewer", "packets per second and viewer", 0],
  ["bytesPerPacket", "bytes per packet", 0],
  ["sampledPackets", "packets opened as a sample", 0],
  ["damagedPackets", "damaged ones among them", 0],
  ["loopDelayP50Ms", "ms of event-loop delay, p50", 2],
  ["loopDelayP99Ms", "the same, p99", 2],
  ["loopDelayMaxMs", "the same, longest", 2],
  ["joiningLoopDelayP99Ms", "the same, p99 while viewers join", 2],
]

const { values } = parseArgs({
  options: {
    viewers: { type: "string", default: "150" },
    seconds: { type: "string", default: "10" },
    settle: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    implementation: { type: "string", default: "both" },
    json: { type: "string" },
  },
})
const viewers = Number(values.viewers)
const options = { viewers, seconds: Number(values.seconds), settleSeconds: Number(values.settle) }
const names = (["typescript", "native"] as const).filter((name) => [name, "both"].includes(values.implementation))
if (names.length === 0) throw new Error("--implementation is typescript, native or both")

await makeClip(new Scope())
const rounds: FanoutRound[] = []
const floors: number[] = []
const burstFloors: number[] = []
const burstFloor = compileBurstFloor()
for (let i = 0; i < Number(values.rounds); i++) {
  for (const name of names) {
    const round = await measureRound(name, options)
    rounds.push(round)
    print(`round ${i + 1}  ${name.padEnd(10)}  ${summary(round)}`)
  }
  const { packetsPerSecondPerViewer, bytesPerPacket } = rounds.at(-1) as FanoutRound
  const sizes = [packetsPerSecondPerViewer, bytesPerPacket].map(Math.round)
  const floor = measureFloor([viewers, options.seconds, ...sizes])
  floors.push(floor)
  print(`round ${i + 1}  floor       ${floor.toFixed(2)} µs of CPU per datagram with plain dgram.send`)
  if (burstFloor === undefined) continue
  const [packetsPerSecond = 0, bytes = 0] = sizes
  const bursts = await measureBurstFloor(burstFloor, { viewers, seconds: options.seconds, packetsPerSecond, bytes })
  burstFloors.push(bursts)
  print(
    `round ${i + 1}  bursts      ${bursts.toFixed(2)} µs of CPU per datagram in C++ with UDP GSO, without encryption`,
  )
}

const floor = median(floors) as number
const medians = names.map((name) => ({ name, figures: mediansOf(name) }))
print(`\nmedians of ${values.rounds} rounds with ${viewers} viewers`)
print([...names.map((name) => name.padStart(12)), ""].join(""))
for (const [key, title, digits] of FIGURES) {
  print(`${medians.map(({ figures }) => (figures[key] as number).toFixed(digits).padStart(12)).join("")}  ${title}`)
}
const bursts = median(burstFloors)
const ratios = medians.map(({ figures }) => ((figures.cpuUsPerPacket as number) / floor).toFixed(2).padStart(12))
print(`${ratios.join("")}  CPU per packet, in relation to plain dgram.send (${floor.toFixed(2)} µs)`)
if (bursts !== undefined) {
  const ratios = medians.map(({ figures }) => ((figures.cpuUsPerPacket as number) / bursts).toFixed(2).padStart(12))
  print(`${ratios.join("")}  the same, in relation to bare bursts in C++ (${bursts.toFixed(2)} µs)`)
}
const [first, second] = medians.map(({ figures }) => figures.cpuUsPerPacket as number)
if (first !== undefined && second !== undefined) print(`${names.join(" / ")}: ${(first / second).toFixed(2)}`)
if (values.json !== undefined) {
  const result = { ...options, floorUsPerDatagram: floor, burstFloorUsPerDatagram: bursts, medians, rounds, floors }
  writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`)
}
process.exit(0)

function summary(round: FanoutRound): string {
  return [
    `${round.cpuUsPerPacket.toFixed(2)} µs a packet`,
    `${round.cpuPerViewer.toFixed(2)} thousandths of a core and ${round.memoryPerViewerKb.toFixed(0)} kB a viewer`,
    `${round.cpuMsPerJoin.toFixed(1)} ms a join`,
    `first packet ${round.firstPacketP50Ms.toFixed(0)}/${round.firstPacketP95Ms.toFixed(0)} ms`,
    `loss ${round.lossPercent.toFixed(3)} %`,
    `event loop ${round.loopDelayP50Ms.toFixed(1)}/${round.loopDelayP99Ms.toFixed(1)} ms`,
  ].join(", ")
}

function mediansOf(name: FanoutName): Partial<Record<keyof FanoutRound, number>> {
  const own = rounds.filter(({ fanout }) => fanout === name)
  return Object.fromEntries(FIGURES.map(([key]) => [key, median(own.map((round) => round[key] as number))]))
}

/** In µs for each datagram. */
function measureFloor(args: readonly number[]): number {
  const script = join(import.meta.dirname, "fanout-floor.ts")
  return Number(execFileSync(process.execPath, [script, ...args.map(String)], { encoding: "utf8" }))
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
