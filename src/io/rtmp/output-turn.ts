/** Something that collects output and hands it to the system when told to. */
export interface Flushable {
  flush(): void
}

/**
 * Decides when outputs hand over what they have collected: at the end of the turn, or a little later where it is not urgent, so that it leaves
 * together with what is. Outputs that share a turn also share the joining of their messages: readers of one stream have the same ones.
 */
export class OutputTurn {
  #urgent: Flushable[] = []
  readonly #patient = new Set<Flushable>()
  /** The last joined messages, by the first of them. */
  readonly #joined = new WeakMap<Uint8Array, { readonly parts: readonly Uint8Array[]; readonly bytes: Uint8Array }>()
  #timer: NodeJS.Timeout | undefined

  /** Flushes an output at the end of this turn; call it once a turn for each. */
  soon(output: Flushable): void {
    if (this.#urgent.length === 0) queueMicrotask(() => this.#flushUrgent())
    this.#urgent.push(output)
  }

  /** Flushes an output within `MAX_PATIENCE_MS`. */
  later(output: Flushable): void {
    this.#patient.add(output)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      for (const waiting of this.#patient) waiting.flush()
    }, MAX_PATIENCE_MS)
  }

  /** The output has nothing left to flush. */
  settle(output: Flushable): void {
    this.#patient.delete(output)
  }

  /** One buffer of several messages, the same one for all who have the same messages. */
  join(parts: readonly Uint8Array[]): Uint8Array {
    const [first] = parts
    if (first === undefined || parts.length === 1) return first ?? NOTHING
    const known = this.#joined.get(first)
    if (known !== undefined && isSame(known.parts, parts)) return known.bytes
    const bytes = Buffer.concat(parts)
    this.#joined.set(first, { parts: [...parts], bytes })
    return bytes
  }

  #flushUrgent(): void {
    const outputs = this.#urgent
    this.#urgent = []
    for (const output of outputs) output.flush()
  }
}

function isSame(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Less than a frame of video, which sound may wait for. */
const MAX_PATIENCE_MS = 20
const NOTHING = new Uint8Array(0)
