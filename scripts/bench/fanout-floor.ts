/**
 * What datagrams cost when nothing is done but to send them: node scripts/bench/fanout-floor.ts VIEWERS SECONDS PACKETS_PER_SECOND BYTES, the
 * last two for each viewer. They go out as pictures do, 30 times a second. Prints µs of CPU for each as the only line.
 */
import { createSocket } from "node:dgram"
import { performance } from "node:perf_hooks"
import { setTimeout as delay } from "node:timers/promises"
import { openSink } from "../lib/bench/sink.ts"

const [viewers = 0, seconds = 0, packetsPerSecond = 0, bytes = 0] = process.argv.slice(2).map(Number)
const PICTURES_PER_SECOND = 30

const sink = await openSink()
const lookup = (address: string, _: unknown, done: (error: null, address: string, family: number) => void) =>
  done(null, address, 4)
const socket = createSocket({ type: "udp4", sendBufferSize: 4 << 20, lookup })
const datagram = new Uint8Array(bytes)
const packetsPerPicture = Math.max(1, Math.round(packetsPerSecond / PICTURES_PER_SECOND))

const before = process.cpuUsage()
const startMs = performance.now()
let sent = 0
for (let picture = 1; picture <= seconds * PICTURES_PER_SECOND; picture++) {
  for (let i = 0; i < viewers * packetsPerPicture; i++) socket.send(datagram, sink.port, "127.0.0.1")
  sent += viewers * packetsPerPicture
  await delay(Math.max(0, startMs + (picture * 1_000) / PICTURES_PER_SECOND - performance.now()))
}
const { user, system } = process.cpuUsage(before)
process.stdout.write(`${(user + system) / sent}\n`)
socket.close()
sink.close()
