import { parseArgs } from "node:util"
import { fuzzMiniSdp } from "./lib/fuzz-minisdp.ts"

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
const isUsable = target === "minisdp" && Number.isInteger(count) && count > 0 && Number.isInteger(seed)
if (values.help || !isUsable) {
  process.stdout.write("usage: scripts/fuzz minisdp [--count N] [--seed N]\n")
  process.exit(values.help ? 0 : 2)
}

/** One line for each tenth of the run. */
const part = Math.ceil(count / 10)
const startMs = performance.now()
let [inputs, accepted, answers, slowestMs] = [0, 0, 0, 0]
for (let round = 0; inputs < count; round++) {
  const report = fuzzMiniSdp(Math.min(part, count - inputs), seed * 1000 + round)
  inputs += report.inputs
  accepted += report.accepted
  answers += report.answers
  slowestMs = Math.max(slowestMs, report.slowestMs)
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  const figures = `${accepted} accepted, ${answers} answered, slowest ${slowestMs.toFixed(2)} ms`
  process.stdout.write(`${inputs} inputs in ${seconds} s: no error; ${figures}\n`)
}
