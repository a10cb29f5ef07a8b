import { parseArgs } from "node:util"
import { fuzzMiniSdp } from "./lib/fuzz-minisdp.ts"
import { fuzzRtmp, type RtmpFuzzReport } from "./lib/fuzz-rtmp.ts"
import { GROWING_INPUTS, growsTooFast, measureGrowth } from "./lib/fuzz-rtmp-growth.ts"
import { collectedHeapBytes } from "./lib/heap.ts"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "10000000" },
    seed: { type: "string", default: "1" },
    help: { type: "boolean", short: "h", default: false },
  },
})
const [target] = positionals
const [count, seed] = [Number(values.count), Number(values.seed)]
const isUsable =
  (target === "minisdp" || target === "rtmp") && Number.isInteger(count) && count > 0 && Number.isInteger(seed)
if (values.help || !isUsable) {
  process.stdout.write("usage: scripts/fuzz minisdp|rtmp [--count N] [--seed N]\n")
  process.exit(values.help ? 0 : 2)
}

const WARM_UP_INPUTS = 50_000
/** Compiled code and the like; a leak of one byte for each input would be more in a full run. */
const MAX_GROWTH_KB = 8 * 1024
/** One line for each tenth of the run. */
const part = Math.ceil(count / 10)
const startMs = performance.now()
if (target === "minisdp") runMiniSdp()
else runRtmp()

function runMiniSdp(): void {
  let [inputs, accepted, answers, slowestMs] = [0, 0, 0, 0]
  for (let round = 0; inputs < count; round++) {
    const report = fuzzMiniSdp(Math.min(part, count - inputs), seed * 1000 + round)
    inputs += report.inputs
    accepted += report.accepted
    answers += report.answers
    slowestMs = Math.max(slowestMs, report.slowestMs)
    print(inputs, `${accepted} accepted, ${answers} answered, slowest ${slowestMs.toFixed(2)} ms`)
  }
}

function runRtmp(): void {
  for (const input of GROWING_INPUTS) {
    const growth = measureGrowth(input)
    const { bytes, ms, msFourfold } = growth
    const times = `${bytes} bytes in ${ms.toFixed(2)} ms, four times as many in ${msFourfold.toFixed(2)} ms`
    process.stdout.write(`${input.name}: ${times}\n`)
    if (growsTooFast(growth)) throw new Error(`time grows faster than the input: ${input.name}`)
  }
  fuzzRtmp(WARM_UP_INPUTS, seed)
  const heapBytes = collectedHeapBytes()
  let [inputs, accepted] = [0, 0]
  let slowest: RtmpFuzzReport["slowest"] = { target: "", bytes: 0, ms: 0 }
  for (let round = 0; inputs < count; round++) {
    const report = fuzzRtmp(Math.min(part, count - inputs), seed * 1000 + round)
    inputs += report.inputs
    accepted += report.accepted
    if (report.slowest.ms > slowest.ms) slowest = report.slowest
    const grownKb = (collectedHeapBytes() - heapBytes) / 1024
    const slow = `slowest ${slowest.ms.toFixed(2)} ms (${slowest.target}, ${slowest.bytes} bytes)`
    print(inputs, `${accepted} accepted, ${slow}, ${grownKb.toFixed(0)} KiB more in use`)
    if (grownKb > MAX_GROWTH_KB) throw new Error(`memory grew by ${grownKb} KiB`)
  }
}

function print(inputs: number, figures: string): void {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  process.stdout.write(`${inputs} inputs in ${seconds} s: no error; ${figures}\n`)
}
