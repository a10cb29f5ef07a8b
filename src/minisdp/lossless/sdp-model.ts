import { GatewayError } from "../../errors.ts"
import type { BinaryCoder } from "./binary-coder.ts"
import { AdaptiveBits, mix, NONE, Successors } from "./predictor.ts"
import { LIST, LineScanner, makeTemplate, type ScannedLine, type Template } from "./templates.ts"
import { TextModel } from "./text-model.ts"
import { ValueModel } from "./value-model.ts"
import { SPELLER_BITS, ValueSpeller } from "./value-speller.ts"

/** The longest text that is encoded or decoded, in UTF-16 code units. */
export const MAX_SDP_CHARACTERS = 65_536

/**
 * What is known of SDP texts, and the coding of one by it: line by line a template is foretold from the lines before, and
 * what fills its holes from the values before. `prime` learns for good, `run` for one text only.
 */
export class SdpModel {
  readonly #flags = new AdaptiveBits(FLAGS)
  readonly #spelled = new AdaptiveBits(SPELLER_BITS)
  readonly #followers = new Successors(FOLLOWER_BITS)
  readonly #text = new TextModel()
  readonly #speller = new ValueSpeller(this.#spelled, this.#text)
  readonly #values = new ValueModel(this.#speller)
  readonly #scanner = new LineScanner()
  readonly #templates: Template[] = []
  readonly #hashes: number[] = []
  readonly #byHash = new Map<number, Template[]>()
  readonly #contexts = new Int32Array(CONTEXTS)
  readonly #tried = new Uint32Array(2 * CONTEXTS)
  /** Lines of the priming, taken apart: most lines of an offer are among them. */
  readonly #knownLines = new Map<string, ScannedLine>()
  #isFrozen = false
  #frozenTemplates = 0
  #line: ScannedLine | undefined

  // The line before, the two before that, the last codec and media section, as template numbers.
  #previous1 = 0
  #previous2 = 0
  #previous3 = 0
  #codec = 0
  #section = 0
  /** A hash over the origin line but for its long numbers: it tells implementations apart. */
  #style = 0
  #lines = 0

  constructor() {
    for (const name of ["end", "end without line end", "new", "raw"]) this.#addTemplate(`\r${name}`, 0)
  }

  /** Codes a text and keeps what was learnt from it. */
  prime(coder: BinaryCoder, text: string): string {
    return this.#codeText(coder, text)
  }

  /** Ends the priming: from now on each text begins with what is known now. */
  freeze(): void {
    for (const part of [this.#flags, this.#spelled, this.#followers, this.#text, this.#values]) part.freeze()
    this.#frozenTemplates = this.#templates.length
    this.#isFrozen = true
  }

  /** Codes a text; a decoder ignores the one that it is given and returns the one that was encoded. */
  run(coder: BinaryCoder, text: string, maxCharacters = MAX_SDP_CHARACTERS): string {
    try {
      return this.#codeText(coder, text, maxCharacters)
    } finally {
      for (const part of [this.#flags, this.#spelled, this.#followers, this.#text, this.#values]) part.reset()
      while (this.#templates.length > this.#frozenTemplates) {
        this.#templates.pop()
        this.#byHash.get(this.#hashes.pop() as number)?.pop()
      }
    }
  }

  #codeText(coder: BinaryCoder, text: string, maxCharacters = MAX_SDP_CHARACTERS): string {
    this.#values.begin()
    this.#previous1 = this.#previous2 = this.#previous3 = this.#codec = this.#section = this.#style = this.#lines = 0
    const hasCrlf = this.#flags.code(coder, 0, 0, text.includes("\r\n") || !text.includes("\n") ? 1 : 0) === 1
    const eol = hasCrlf ? "\r\n" : "\n"
    let decoded = ""
    let at = 0
    let isClosed = true
    for (;;) {
      coder.step()
      const found = at < text.length ? text.indexOf(eol, at) : -1
      const to = found === -1 ? text.length : found
      const id = this.#codeTemplate(coder, text, at, to, at < text.length ? undefined : isClosed ? END : END_OPEN)
      if (id === END) return decoded
      if (id === END_OPEN) return decoded.slice(0, -eol.length)
      const line = id === RAW ? this.#speller.text(coder, RAW, text.slice(at, to)) : this.#codeLine(coder, id, text, at)
      isClosed = found !== -1
      at = to + (isClosed ? eol.length : 0)
      if (coder.isDecoder) decoded += line + eol
      if (decoded.length > maxCharacters + eol.length) {
        throw new GatewayError("minisdp.packet", `the SDP has more than ${maxCharacters} characters`)
      }
    }
  }

  /** Codes which template the line between two offsets has, and learns a new one; `end` stands for no line. */
  #codeTemplate(coder: BinaryCoder, text: string, at: number, to: number, end: number | undefined): number {
    let id = end ?? NEW
    if (end === undefined && !coder.isDecoder) {
      this.#line = this.#isFrozen ? this.#knownLines.get(text.slice(at, to)) : undefined
      if (this.#line !== undefined) id = this.#line.id
      else {
        this.#scanner.scan(text, at, to)
        this.#line = this.#scanner
        id = this.#scanner.isPlain ? this.#find() : RAW
      }
    }
    this.#foretell()
    id = this.#codeId(coder, id)
    if (id === NEW) {
      const template = this.#speller.text(coder, NEW, coder.isDecoder ? "" : this.#scanner.templateText())
      id = this.#addTemplate(template, coder.isDecoder ? 0 : this.#scanner.hash).id
    }
    if (!this.#isFrozen && id > RAW && !coder.isDecoder)
      this.#knownLines.set(text.slice(at, to), this.#scanner.copy(id))
    for (let i = 0; i < CONTEXTS; i++) this.#followers.learn(this.#contexts[i] as number, id)
    this.#previous3 = this.#previous2
    this.#previous2 = this.#previous1
    this.#previous1 = id
    return id
  }

  #foretell(): void {
    const p1 = mix(0x51ed270b, this.#previous1)
    const p2 = mix(p1, this.#previous2)
    this.#contexts[0] = mix(mix(mix(p2, this.#previous3), this.#codec), 1)
    this.#contexts[1] = mix(mix(mix(p1, this.#values.nextType), this.#section), 2)
    this.#contexts[2] = mix(mix(mix(p2, this.#codec), this.#style), 3)
    this.#contexts[3] = mix(mix(p1, this.#section), 4)
    this.#contexts[4] = mix(p1, 5)
  }

  /** Offers the templates that followed before, one after the other; where none fits, the number is spelled. */
  #codeId(coder: BinaryCoder, id: number): number {
    let count = 0
    for (let way = 0; way < 2 * CONTEXTS; way++) {
      const context = this.#contexts[way % CONTEXTS] as number
      const candidate = way < CONTEXTS ? this.#followers.top(context) : this.#followers.second(context)
      if (candidate === NONE || this.#isTried(candidate, count)) continue
      const special = mix(mix(this.#previous1, candidate), 6) >>> (32 - FLAG_BITS)
      const general = FLAG_GENERAL + way * 8 + this.#followers.streak(context)
      if (this.#flags.code(coder, special, general, candidate === id ? 1 : 0) === 1) return candidate
      this.#tried[count++] = candidate
    }
    const width = 32 - Math.clz32(this.#templates.length - 1)
    const spelled = this.#speller.tree(coder, mix(this.#section, 7), 6, width, id)
    if (spelled >= this.#templates.length) throw new GatewayError("minisdp.packet", `there is no template ${spelled}`)
    return spelled
  }

  #isTried(candidate: number, count: number): boolean {
    for (let i = 0; i < count; i++) if (this.#tried[i] === candidate) return true
    return false
  }

  /** Codes what is in the holes of the line that was scanned last. */
  #codeLine(coder: BinaryCoder, id: number, text: string, at: number): string {
    const { pieces, holes, isMedia, codecName } = this.#templates[id] as Template
    const { starts, ends } = this.#line ?? this.#scanner
    let line = pieces[0] as string
    this.#values.beginLine(id)
    for (let i = 0; i < holes.length; i++) {
      const from = at + (starts[i] as number)
      const to = at + (ends[i] as number)
      const kind = holes[i] as Template["holes"][number]
      const value =
        kind === LIST ? this.#values.list(coder, text, from, to) : this.#values.value(coder, kind, text, from, to)
      if (coder.isDecoder) line += value + (pieces[i + 1] as string)
    }
    this.#values.endLine(codecName !== undefined)
    if (++this.#lines === 2) this.#style = mix(id, this.#values.smallValues)
    if (isMedia) this.#section = id
    if (isMedia) this.#codec = 0
    else if (codecName !== undefined && codecName !== "rtx") this.#codec = id
    return line
  }

  #find(): number {
    const found = this.#byHash.get(this.#scanner.hash)
    if (found !== undefined) for (const template of found) if (this.#scanner.matches(template)) return template.id
    return NEW
  }

  #addTemplate(text: string, hash: number): Template {
    const template = makeTemplate(this.#templates.length, text)
    const sameHash = this.#byHash.get(hash)
    this.#templates.push(template)
    this.#hashes.push(hash)
    if (sameHash === undefined) this.#byHash.set(hash, [template])
    else sameHash.push(template)
    return template
  }
}

const END = 0
const END_OPEN = 1
const NEW = 2
const RAW = 3
const CONTEXTS = 5
const FOLLOWER_BITS = 13
const FLAG_BITS = 12
const FLAG_GENERAL = 1 << FLAG_BITS
const FLAGS = FLAG_GENERAL + 2 * CONTEXTS * 8
