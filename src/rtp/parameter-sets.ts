import { equalBytes } from "../media/bytes.ts"

/**
 * Collects the parameter sets of a stream of NAL units by kind (0 for those that a decoder needs first) and id, as they come in-band, in any
 * packets and in any order.
 */
export class ParameterSets {
  #active: Map<number, Uint8Array>[]
  #fresh: Map<number, Uint8Array>[]
  #isRunIntact = true

  /** `kinds` is how many kinds the codec has: 2 for SPS and PPS. */
  constructor(kinds: number) {
    this.#active = Array.from({ length: kinds }, () => new Map())
    this.#fresh = Array.from({ length: kinds }, () => new Map())
  }

  /** Takes a set and keeps a copy; returns false where it is too long or one too many, and forgets nothing then. */
  add(kind: number, id: number, nalUnit: Uint8Array): boolean {
    const sets = this.#fresh[kind]
    if (sets === undefined || nalUnit.length > MAX_SET_BYTES) return false
    if (!sets.has(id) && sets.size >= MAX_SETS) return false
    sets.set(id, new Uint8Array(nalUnit))
    return true
  }

  /** Packets were lost: what was collected since the last picture may be incomplete. */
  onLoss(): void {
    this.#isRunIntact = false
  }

  /**
   * A picture begins: what was collected before it counts from here on. A run with all kinds replaces all that was known, so that
   * sets of an encoder that is gone do not linger; others are merged by id. Returns true where anything differs from before.
   */
  activate(): boolean {
    const fresh = this.#fresh
    const replacesAll = this.#isRunIntact && fresh.every((sets) => sets.size > 0)
    this.#isRunIntact = true
    if (fresh.every((sets) => sets.size === 0)) return false
    const before = this.#active
    this.#active = replacesAll
      ? fresh
      : before.map((sets, kind) => merged(sets, fresh[kind] as Map<number, Uint8Array>))
    this.#fresh = fresh.map(() => new Map())
    return before.some((sets, kind) => !sameSets(sets, this.#active[kind] as Map<number, Uint8Array>))
  }

  /** The active sets of a kind, in the order in which their ids came first. */
  of(kind: number): Uint8Array[] {
    return [...(this.#active[kind]?.values() ?? [])]
  }
}

/** Sets that would be too many start over: the newest are the ones in use. */
function merged(sets: ReadonlyMap<number, Uint8Array>, newer: ReadonlyMap<number, Uint8Array>) {
  return new Map(sets.size + newer.size > MAX_SETS ? newer : [...sets, ...newer])
}

function sameSets(a: ReadonlyMap<number, Uint8Array>, b: ReadonlyMap<number, Uint8Array>): boolean {
  const others = [...b.values()]
  return a.size === b.size && [...a.values()].every((set, i) => equalBytes(set, others[i] as Uint8Array))
}

const MAX_SET_BYTES = 4096
const MAX_SETS = 31
