import { GatewayError } from "../../errors.ts"
import type { BinaryCoder } from "./binary-coder.ts"
import { AdaptiveBits, mix, NONE, Successors } from "./predictor.ts"
import { type HoleKind, NUMBER } from "./templates.ts"
import type { ValueSpeller } from "./value-speller.ts"

/**
 * Foretells what fills the holes of templates. A value is a symbol: a number below 2^31 is itself, any other text has a
 * number above that. What no way foretells is spelled.
 */
export class ValueModel {
  readonly #speller: ValueSpeller
  readonly #flags = new AdaptiveBits(FLAGS)
  readonly #followers = new Successors(FOLLOWER_BITS)
  readonly #words: string[] = []
  readonly #wordIds = new Map<string, number>()
  /** For each hole of each template: the way that foretold it last, and the value it had last. */
  readonly #ways = new Uint8Array(HOLES)
  readonly #lastValues = new Uint32Array(HOLES).fill(NONE)
  #frozen = { words: 0, ways: this.#ways, lastValues: this.#lastValues }

  // What follows belongs to one text.
  #types: number[] = []
  #typesDone = 0
  #recent: number[] = []
  #recentNext = 0
  #firstOfLineBefore = NONE

  // What follows belongs to one line.
  /** A hash over the line's values that are short numbers. */
  smallValues = 0
  #template = 0
  #place = 0
  #first = NONE
  #before = NONE
  #contextHigh = 0
  #contextMiddle = 0
  #contextLow = 0
  #contextPair = 0
  readonly #tried = new Uint32Array(WAYS)

  constructor(speller: ValueSpeller) {
    this.#speller = speller
  }

  /** The payload type whose rtpmap line is due, 0 where there is none. */
  get nextType(): number {
    return this.#types[this.#typesDone] ?? 0
  }

  begin(): void {
    this.#types = []
    this.#typesDone = 0
    this.#recent = []
    this.#recentNext = 0
    this.#firstOfLineBefore = NONE
  }

  beginLine(template: number): void {
    this.#template = template
    this.#place = 0
    this.smallValues = 0
    this.#first = NONE
    this.#before = NONE
  }

  endLine(isRtpmap: boolean): void {
    if (this.#first === NONE) return
    this.#firstOfLineBefore = this.#first
    if (isRtpmap) this.#typesDone = this.#types.indexOf(this.#first) + 1
  }

  freeze(): void {
    this.#flags.freeze()
    this.#followers.freeze()
    this.#frozen = { words: this.#words.length, ways: this.#ways.slice(), lastValues: this.#lastValues.slice() }
  }

  reset(): void {
    this.#flags.reset()
    this.#followers.reset()
    while (this.#words.length > this.#frozen.words) this.#wordIds.delete(this.#words.pop() as string)
    this.#ways.set(this.#frozen.ways)
    this.#lastValues.set(this.#frozen.lastValues)
  }

  /** Codes the value between two offsets of the text and returns it. */
  value(coder: BinaryCoder, kind: HoleKind, text: string, from: number, to: number): string {
    coder.step()
    const hole = mix(mix(0x2545f491, this.#template), this.#place++)
    const slot = hole >>> (32 - HOLE_BITS)
    const last = this.#lastValues[slot] as number
    this.#contextLow = mix(hole, 1)
    this.#contextMiddle = mix(mix(hole, this.#before), 2)
    this.#contextHigh = mix(mix(mix(hole, this.#before), last), 3)
    this.#contextPair = mix(mix(this.#before, 4), 0x6b43a9b5)
    const wanted = coder.isDecoder ? NONE : this.#symbolOf(kind, text, from, to)
    let symbol = this.#offer(coder, hole, slot, last, wanted)
    if (symbol === NONE) symbol = this.#fromRecent(coder, hole, wanted)
    if (symbol === NONE) {
      const spelled = this.#speller.value(coder, kind, hole, coder.isDecoder ? "" : text.slice(from, to))
      symbol = this.#intern(kind, spelled)
      if (symbol >= FIRST_LONG) {
        if (this.#recent.length === MAX_RECENT) this.#recent.shift()
        this.#recent.push(symbol)
        this.#recentNext = this.#recent.length
      }
    } else if (symbol >= FIRST_LONG) {
      const index = this.#recent.lastIndexOf(symbol)
      if (index !== -1) this.#recentNext = index + 1
    }
    this.#learn(slot, symbol)
    return coder.isDecoder ? this.#textOf(symbol) : ""
  }

  /** Codes the payload types between two offsets of the text and returns them. */
  list(coder: BinaryCoder, text: string, from: number, to: number): string {
    const types: number[] = []
    let at = from
    let before = 0
    let before2 = 0
    for (;;) {
      let wanted = LIST_END
      if (at < to) {
        wanted = 0
        for (; at < to && text.charCodeAt(at) !== SPACE; at++) wanted = wanted * 10 + text.charCodeAt(at) - ZERO
        at++
      }
      const type = this.#listItem(coder, before, before2, wanted)
      if (type === LIST_END) break
      coder.step()
      types.push(type)
      before2 = before
      before = type + 1
    }
    this.#types = types.slice(0, MAX_TYPES)
    this.#typesDone = 0
    return types.join(" ")
  }

  #listItem(coder: BinaryCoder, before: number, before2: number, wanted: number): number {
    const middle = mix(mix(this.#template, before), 5)
    const high = mix(mix(middle, before2), 6)
    let count = 0
    let item = NONE
    for (let way = 0; way < 5 && item === NONE; way++) {
      let candidate = NONE
      let streak = 0
      if (way === 0) {
        candidate = this.#followers.top(high)
        streak = this.#followers.streak(high)
      } else if (way === 1) {
        candidate = this.#followers.top(middle)
        streak = this.#followers.streak(middle)
      } else if (way === 2) candidate = before
      else candidate = this.#followers.second(way === 3 ? high : middle)
      if (candidate === NONE || this.#isTried(candidate, count)) continue
      const general = FLAG_GENERAL + 1024 + way * 8 + streak
      if (this.#flags.code(coder, general, general, candidate === wanted ? 1 : 0) === 1) item = candidate
      else this.#tried[count++] = candidate
    }
    if (item === NONE) {
      const spelled = this.#speller.number(coder, 0x1b873593, wanted === LIST_END ? 0 : wanted + 1)
      item = spelled === 0 ? LIST_END : spelled - 1
    }
    this.#followers.learn(middle, item)
    this.#followers.learn(high, item)
    return item
  }

  /** Offers what each way foretells, the way that was right the last time first; returns `NONE` where all are wrong. */
  #offer(coder: BinaryCoder, hole: number, slot: number, last: number, wanted: number): number {
    const usual = this.#ways[slot] as number
    let count = 0
    for (let turn = -1; turn < WAYS; turn++) {
      const way = turn === -1 ? usual : turn
      if (turn === usual) continue
      const candidate = this.#candidate(way, last)
      if (candidate === NONE || this.#isTried(candidate, count)) continue
      const streak = way <= LOW ? this.#followers.streak(this.#contextOf(way)) : 0
      const special = mix(mix(hole, way), 8 + (streak >> 1)) >>> (32 - FLAG_BITS)
      const general = FLAG_GENERAL + (way * 8 + streak) * 4 + (turn === -1 ? 0 : count > 2 ? 3 : 1 + (count >> 1))
      if (this.#flags.code(coder, special, general, candidate === wanted ? 1 : 0) === 1) {
        this.#ways[slot] = way
        return candidate
      }
      this.#tried[count++] = candidate
    }
    return NONE
  }

  #candidate(way: number, last: number): number {
    switch (way) {
      case HIGH:
      case MIDDLE:
      case LOW:
        return this.#followers.top(this.#contextOf(way))
      case SAME:
        return this.#firstOfLineBefore
      case NEXT_TYPE:
        return this.#typeAfter(this.#firstOfLineBefore)
      case TYPE_BEFORE:
        return this.#place > 1 ? this.#typeBefore(this.#first) : NONE
      case PAIR:
        return this.#before === NONE ? NONE : this.#followers.top(this.#contextPair)
      case NEXT_RECENT:
        return this.#recent[this.#recentNext] ?? NONE
      case SAME_PLUS_1:
        return this.#firstOfLineBefore < MAX_NUMBER ? this.#firstOfLineBefore + 1 : NONE
      case LAST_PLUS_1:
        return last < MAX_NUMBER ? last + 1 : NONE
      case BEFORE:
        return this.#before
      case LOW_SECOND:
        return this.#followers.second(this.#contextLow)
      default:
        return this.#followers.second(this.#contextMiddle)
    }
  }

  #contextOf(way: number): number {
    return way === HIGH ? this.#contextHigh : way === MIDDLE ? this.#contextMiddle : this.#contextLow
  }

  #typeAfter(type: number): number {
    if (this.#types.length === 0) return NONE
    const done = this.#typesDone
    const index = done > 0 && this.#types[done - 1] === type ? done - 1 : this.#types.indexOf(type)
    return this.#types[index + 1] ?? NONE
  }

  #typeBefore(type: number): number {
    const done = this.#typesDone
    const index = this.#types[done] === type ? done : this.#types.indexOf(type)
    return index > 0 ? (this.#types[index - 1] as number) : NONE
  }

  /** Codes whether the value is one of the long ones that were spelled before, and which. */
  #fromRecent(coder: BinaryCoder, hole: number, wanted: number): number {
    const recent = this.#recent
    if (recent.length === 0) return NONE
    const index = wanted < FIRST_LONG || wanted === NONE ? -1 : recent.lastIndexOf(wanted)
    const distance = index === -1 ? 0 : recent.length - index
    const coded = this.#speller.number(coder, mix(hole, 9), distance)
    if (coded > recent.length) throw new GatewayError("minisdp.packet", `there is no value ${coded} before`)
    return coded === 0 ? NONE : (recent[recent.length - coded] as number)
  }

  #learn(slot: number, symbol: number): void {
    this.#followers.learn(this.#contextHigh, symbol)
    this.#followers.learn(this.#contextMiddle, symbol)
    this.#followers.learn(this.#contextLow, symbol)
    if (this.#before !== NONE) this.#followers.learn(this.#contextPair, symbol)
    this.#lastValues[slot] = symbol
    if (this.#place === 1) this.#first = symbol
    this.#before = symbol
    if (symbol < FIRST_LONG) this.smallValues = mix(this.smallValues, symbol)
  }

  #isTried(candidate: number, count: number): boolean {
    for (let i = 0; i < count; i++) if (this.#tried[i] === candidate) return true
    return false
  }

  #symbolOf(kind: HoleKind, text: string, from: number, to: number): number {
    if (kind === NUMBER && to - from <= 10) {
      let number = 0
      for (let i = from; i < to; i++) number = number * 10 + text.charCodeAt(i) - ZERO
      if (number < MAX_NUMBER) return number
    }
    const id = this.#wordIds.get(text.slice(from, to))
    return id === undefined ? NONE : id
  }

  #intern(kind: HoleKind, value: string): number {
    if (kind === NUMBER && value.length <= 10 && Number(value) < MAX_NUMBER) return Number(value)
    const known = this.#wordIds.get(value)
    if (known !== undefined) return known
    const id = MAX_NUMBER + this.#words.length
    this.#words.push(value)
    this.#wordIds.set(value, id)
    return id
  }

  #textOf(symbol: number): string {
    return symbol < MAX_NUMBER ? String(symbol) : (this.#words[symbol - MAX_NUMBER] as string)
  }
}

const SPACE = 0x20
const ZERO = 0x30
/** Symbols from here on are words. */
const MAX_NUMBER = 0x80000000
/** Values from here on are worth looking for among those before. */
const FIRST_LONG = 4096
const MAX_RECENT = 64
/** More payload types than that are coded, but not kept in mind. */
const MAX_TYPES = 128
const LIST_END = 0x7fffffff
const HOLE_BITS = 11
const HOLES = 1 << HOLE_BITS
const FOLLOWER_BITS = 14
const FLAG_BITS = 13
const FLAG_GENERAL = 1 << FLAG_BITS
const FLAGS = FLAG_GENERAL + 1024 + 64

// The ways to foretell a value: after the two values before it, after the one before, the hole's last one, …
const HIGH = 0
const MIDDLE = 1
const LOW = 2
const SAME = 3
const NEXT_TYPE = 4
const TYPE_BEFORE = 5
const PAIR = 6
const NEXT_RECENT = 7
const SAME_PLUS_1 = 8
const LAST_PLUS_1 = 9
const BEFORE = 10
const LOW_SECOND = 11
const WAYS = 13
