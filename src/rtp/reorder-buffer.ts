import { unwrapU16 } from "../media/time.ts"

/** An item that left the buffer in its turn. */
export interface Released<T> {
  readonly item: T
  /** Sequence numbers between the item before and this one that did not come in time. */
  readonly lostBefore: number
}

/** Bounds of a reorder buffer. */
export interface ReorderBufferOptions {
  /** Packets that wait for a missing one, at most. */
  readonly maxPackets?: number
  /** Time that a packet waits for one before it, at most. */
  readonly maxDelayMs?: number
}

/** What a reorder buffer could not use, counted since it was made. */
export interface ReorderBufferCounters {
  duplicates: number
  /** Came after the gap was given up. */
  late: number
  lost: number
  /** Jumps of the numbering that two packets in a row confirmed. */
  restarts: number
}

/**
 * Puts packets into the order of their 16-bit sequence numbers. One that comes in its turn goes through at once; only packets behind a
 * gap wait, until it is filled or one of the bounds is reached. A jump too far to be reordering or loss (RFC 3550
 * appendix A.1) is believed once the number after it comes too.
 */
export class ReorderBuffer<T> {
  readonly counters: ReorderBufferCounters = { duplicates: 0, late: 0, lost: 0, restarts: 0 }
  readonly #maxPackets: number
  readonly #maxDelayMs: number
  /** By extended sequence number; a Map keeps them in the order of arrival. */
  readonly #waiting = new Map<number, { item: T; arrivedMs: number }>()
  #next: number | undefined
  #lostSinceRelease = 0
  #suspect: { sequenceNumber: number; item: T } | undefined

  constructor(options: ReorderBufferOptions = {}) {
    this.#maxPackets = options.maxPackets ?? 512
    this.#maxDelayMs = options.maxDelayMs ?? 200
  }

  /** When `onTimeout` has something to do; undefined while nothing waits. */
  get nextTimeoutMs(): number | undefined {
    for (const { arrivedMs } of this.#waiting.values()) return arrivedMs + this.#maxDelayMs
    return undefined
  }

  /** Takes a packet and returns all that are in order now. */
  push(sequenceNumber: number, item: T, nowMs: number): Released<T>[] {
    const released: Released<T>[] = []
    this.#next ??= sequenceNumber
    const extended = unwrapU16(sequenceNumber, this.#next)
    const ahead = extended - this.#next
    if (ahead > MAX_DROPOUT || ahead < -MAX_MISORDER) this.#takeSuspect(sequenceNumber, item, released)
    else if (ahead < 0) this.counters.late++
    else if (this.#waiting.has(extended)) this.counters.duplicates++
    else if (ahead === 0) {
      this.#release(item, released)
      this.#drain(released)
    } else this.#waiting.set(extended, { item, arrivedMs: nowMs })
    if (this.#waiting.size > this.#maxPackets) this.#skipGap(released)
    this.#expire(nowMs, released)
    return released
  }

  /** Gives up gaps that are too old and returns what waited for them. */
  onTimeout(nowMs: number): Released<T>[] {
    const released: Released<T>[] = []
    this.#expire(nowMs, released)
    return released
  }

  #expire(nowMs: number, released: Released<T>[]): void {
    for (let due = this.nextTimeoutMs; due !== undefined && due <= nowMs; due = this.nextTimeoutMs) {
      this.#skipGap(released)
    }
  }

  #skipGap(released: Released<T>[]): void {
    while (this.#waiting.size > 0 && !this.#waiting.has(this.#next as number)) {
      this.#next = (this.#next as number) + 1
      this.counters.lost++
      this.#lostSinceRelease++
    }
    this.#drain(released)
  }

  #drain(released: Released<T>[]): void {
    for (let entry = this.#takeNext(); entry !== undefined; entry = this.#takeNext())
      this.#release(entry.item, released)
  }

  #takeNext(): { item: T } | undefined {
    const next = this.#next as number
    const entry = this.#waiting.get(next)
    if (entry !== undefined) this.#waiting.delete(next)
    return entry
  }

  #release(item: T, released: Released<T>[]): void {
    released.push({ item, lostBefore: this.#lostSinceRelease })
    this.#lostSinceRelease = 0
    this.#next = (this.#next as number) + 1
    this.#suspect = undefined
  }

  #takeSuspect(sequenceNumber: number, item: T, released: Released<T>[]): void {
    const suspect = this.#suspect
    this.#suspect = { sequenceNumber, item }
    if (suspect === undefined || sequenceNumber !== ((suspect.sequenceNumber + 1) & 0xffff)) return
    while (this.#waiting.size > 0) this.#skipGap(released)
    this.counters.restarts++
    this.#lostSinceRelease++ // nobody knows how many, but it is not nothing
    this.#next = suspect.sequenceNumber
    this.#release(suspect.item, released)
    this.#release(item, released)
  }
}

const MAX_DROPOUT = 3_000
const MAX_MISORDER = 3_000
