import { GatewayError } from "../../src/errors.ts"
import { fuzzFlvTargets } from "./fuzz-flv-targets.ts"
import { fuzzSessionOrder } from "./fuzz-rtmp-order.ts"
import { fuzzRtmpTargets } from "./fuzz-rtmp-targets.ts"
import { Mutator } from "./mutator.ts"

/** A parser, or a machine made of parsers, and inputs that reach its depths when they are changed a little. */
export interface FuzzTarget {
  readonly name: string
  readonly samples: readonly Uint8Array[]
  /**
   * Feeds one input, which is only lent; `index` is good for choices. Throws a GatewayError for what is refused, any other Error for a
   * mistake. Feeding the same input again must be possible.
   */
  run(input: Uint8Array, index: number): void
}

/** What a run of the fuzzer has seen. */
export interface RtmpFuzzReport {
  readonly inputs: number
  /** Inputs that were not refused. */
  readonly accepted: number
  /** The input that took longest, without pauses for other processes. */
  readonly slowest: { readonly target: string; readonly bytes: number; readonly ms: number }
  readonly targets: ReadonlyMap<string, { inputs: number; accepted: number }>
}

/**
 * Feeds mutated inputs to all parsers of RTMP and FLV in turn. Throws an Error with the input in hexadecimal where anything but a
 * GatewayError comes out, or an input takes too long for its length.
 */
export function fuzzRtmp(count: number, seed: number): RtmpFuzzReport {
  const targets = [...fuzzRtmpTargets(), fuzzSessionOrder(), ...fuzzFlvTargets()].map((target, index) => ({
    target,
    mutator: new Mutator(target.samples, seed * 100 + index),
    totals: { inputs: 0, accepted: 0 },
  }))
  let slowest = { target: "", bytes: 0, ms: 0 }
  for (let index = 0; index < count; index++) {
    const { target, mutator, totals } = targets[index % targets.length] as (typeof targets)[number]
    const input = mutator.next()
    try {
      totals.inputs++
      const startMs = performance.now()
      if (isAccepted(() => target.run(input, index))) totals.accepted++
      const ms = repeated(target, input, index, performance.now() - startMs)
      if (ms > SLOW_MS + input.length * SLOW_MS_PER_BYTE) throw new Error(`took ${ms} ms`)
      if (ms > slowest.ms) slowest = { target: target.name, bytes: input.length, ms }
    } catch (cause) {
      const hex = Buffer.from(input).toString("hex")
      throw new Error(`input ${index} of seed ${seed} to ${target.name}: ${String(cause)}\n${hex}`, { cause })
    }
  }
  let accepted = 0
  for (const { totals } of targets) accepted += totals.accepted
  return {
    inputs: count,
    accepted,
    slowest,
    targets: new Map(targets.map(({ target, totals }) => [target.name, totals])),
  }
}

/** A pause for another process or for the collector is not the input's: what seemed long is measured again in time of the processor. */
function repeated(target: FuzzTarget, input: Uint8Array, index: number, firstMs: number): number {
  let ms = firstMs
  for (let again = 0; again < 3 && ms > DOUBTFUL_MS; again++) {
    const startMs = processorMs()
    isAccepted(() => target.run(input, index))
    ms = Math.min(ms, processorMs() - startMs)
  }
  return ms
}

function processorMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** True where it passes; only a GatewayError may stand in its way. */
function isAccepted(action: () => void): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (error instanceof GatewayError) return false
    throw error
  }
}

/** From here on an input is timed again. */
const DOUBTFUL_MS = 1
/** Far above what any input takes, and far below what would hurt. */
const SLOW_MS = 25
const SLOW_MS_PER_BYTE = 0.02
