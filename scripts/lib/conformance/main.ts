import { type Arguments, parseArguments, USAGE } from "./arguments.ts"
import type { Check, Protocol } from "./check.ts"
import { ALL_CHECKS } from "./checks/all.ts"
import { classify, ProtocolContext } from "./context.ts"
import { exchange } from "./http.ts"
import { count, formatResult, formatTotals, toJson } from "./report.ts"
import { runSuite } from "./run.ts"

/** `scripts/conformance`: exits with 1 where a MUST is broken or nothing could be judged, with 2 where the call is wrong or no server answers. */
let options: Arguments
try {
  options = parseArguments(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n\n${USAGE}`)
  process.exit(2)
}

const { whip, whep, idle, token, json, floodRequests, silenceMs } = options
const isColored = process.stdout.isTTY && process.env.NO_COLOR === undefined
for (const endpoint of [whip, whep]) {
  if (endpoint === undefined) continue
  try {
    await exchange(fetch, endpoint, { method: "OPTIONS" })
  } catch (error) {
    process.stderr.write(`${endpoint} gives ${classify(error).seen}\n`)
    process.exit(2)
  }
}
const results = await runSuite({
  checks: ALL_CHECKS.filter((check) => isWanted(check, options)),
  whip: contextOf("whip", whip),
  whep: contextOf("whep", whep),
  publishes: whip !== undefined,
  onResult: (result) => {
    if (!json) process.stdout.write(`${formatResult(result, isColored)}\n`)
  },
})
const totals = count(results)
process.stdout.write(json ? toJson(results) : `\n${formatTotals(totals)}\n`)
// libdatachannel's threads would keep the process.
process.exit(totals.fail > 0 || totals.pass === 0 ? 1 : 0)

function contextOf(protocol: Protocol, endpoint: string | undefined): ProtocolContext | undefined {
  if (endpoint === undefined) return undefined
  const patience = { closeMs: 5_000, connectMs: 10_000, eventMs: 2_000, silenceMs }
  return new ProtocolContext(protocol, { endpoint, idleEndpoint: idle, token, fetch, patience, floodRequests })
}

function isWanted({ rule, asRule, needs }: Check, { only, httpOnly }: Arguments): boolean {
  if (httpOnly && needs === "peer") return false
  return only.length === 0 || only.includes(rule) || (asRule !== undefined && only.includes(asRule))
}
