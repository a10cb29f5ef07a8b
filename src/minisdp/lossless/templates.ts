import { GatewayError } from "../../errors.ts"

/** What stands in a hole of a template. The numbers are the characters that mark holes in a template's text. */
export type HoleKind = typeof NUMBER | typeof TOKEN | typeof UUID | typeof DIGEST | typeof ADDRESS6 | typeof LIST

/** A decimal number below 10^19 without leading zeros. */
export const NUMBER = 1
/** Letters and digits that look random: ICE credentials, names, Base64, H.264 profiles. */
export const TOKEN = 2
/** A UUID in small letters. */
export const UUID = 3
/** Hexadecimal bytes with colons between them. */
export const DIGEST = 4
/** An IPv6 address. */
export const ADDRESS6 = 5
/** The payload types of an m line: numbers with one space between them, to the end of the line. */
export const LIST = 6

/** The first character that may stand in a line which is taken apart. */
export const FIRST_PLAIN = 8

/** A line with its variable parts taken out. */
export interface Template {
  readonly id: number
  /** The text with one mark per hole. */
  readonly text: string
  /** The texts before, between and after the holes: one more than there are holes. */
  readonly pieces: readonly string[]
  readonly holes: readonly HoleKind[]
  readonly isMedia: boolean
  /** The encoding name (with marks) of an rtpmap line. */
  readonly codecName: string | undefined
}

/** Takes a template's text apart. */
export function makeTemplate(id: number, text: string): Template {
  const pieces: string[] = []
  const holes: HoleKind[] = []
  let start = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= FIRST_PLAIN || code === 0) continue
    if (code > LIST) throw new GatewayError("minisdp.packet", `a template has a hole of kind ${code}`)
    pieces.push(text.slice(start, i))
    holes.push(code as HoleKind)
    start = i + 1
  }
  pieces.push(text.slice(start))
  return { id, text, pieces, holes, isMedia: text.startsWith("m="), codecName: /^a=rtpmap:. ([^/]+)/.exec(text)?.[1] }
}

/** A line taken apart: its template, and where each hole begins and ends, counted from the start of the line. */
export interface ScannedLine {
  readonly id: number
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/** Finds the holes of lines; made once and used for all of them. */
export class LineScanner implements ScannedLine {
  readonly id = -1
  count = 0
  /** Where each hole begins and ends in the line, and what it holds. */
  readonly starts: number[] = []
  readonly ends: number[] = []
  readonly kinds: HoleKind[] = []
  /** A hash over the template's text. */
  hash = 0
  /** False where the line has characters that would be taken for marks. */
  isPlain = true
  #text = ""
  #from = 0
  #to = 0

  /** Takes the line between two offsets of a text apart. */
  scan(text: string, from: number, to: number): void {
    this.#text = text
    this.#from = from
    this.#to = to
    this.count = 0
    this.isPlain = true
    let hash = 0
    let spaces = 0
    let hasBase64 = false
    let tokenUntil = startOfCredential(text, from, to)
    const isMedia = text.charCodeAt(from) === 0x6d && text.charCodeAt(from + 1) === EQUALS
    let at = from
    while (at < to) {
      const code = text.charCodeAt(at)
      const kind = code < 128 ? (CLASSES[code] as number) : 0
      if (kind === 0) {
        if (code < FIRST_PLAIN) this.isPlain = false
        hash = Math.imul(hash ^ code, PRIME)
        at++
        if (code === SPACE && isMedia && ++spaces === 3 && isList(text, at, to)) {
          this.#hole(LIST, at, to)
          hash = Math.imul(hash ^ LIST, PRIME)
          at = to
        } else if (code === COLON && (at === tokenUntil || endsWithCname(text, from, at))) {
          tokenUntil = 0
          const end = this.#isUuid(at) ? at : endOf(text, at, to, IN_TOKEN)
          if (end > at) {
            this.#hole(TOKEN, at, end)
            hash = Math.imul(hash ^ TOKEN, PRIME)
            at = end
          }
        }
        continue
      }
      const before = at > from ? text.charCodeAt(at - 1) : 0
      let classes = kind
      let end = at + 1
      let digits = kind & DIGIT
      let letters = digits ? 0 : 1
      let headLetters = letters
      while (end < to) {
        const next = text.charCodeAt(end)
        const nextKind = next < 128 ? (CLASSES[next] as number) : 0
        if (nextKind === 0) break
        classes |= nextKind
        if (nextKind & DIGIT) digits++
        else {
          letters++
          if (digits === 0) headLetters++
        }
        end++
      }
      const length = end - at
      let hole = 0
      let start = at
      let until = end
      if (length === 8 && text.charCodeAt(end) === HYPHEN && this.#isUuid(at)) {
        hole = UUID
        until = at + 36
      } else if (length <= 4 && before === SPACE && text.charCodeAt(end) === COLON && (classes & ~ANY_HEX) === 0) {
        until = this.#endOfDigest(at)
        if (until > at) hole = DIGEST
        else {
          until = endOfAddress6(text, at, to)
          if (until > at) hole = ADDRESS6
        }
      } else if (before === EQUALS && length === 6 && (classes & ~LOWER_HEX) === 0 && digits > 0) hole = TOKEN
      else if ((before === EQUALS && length >= 8) || (before === COMMA && hasBase64)) {
        const wide = endOf(text, at, to, IN_TOKEN)
        if (digits > 0 && wide - at >= 4 && letters > 0) {
          hole = TOKEN
          until = wide
          hasBase64 = true
        }
      }
      if (hole === 0) {
        if (letters === 0) {
          if (length <= 19 && (length === 1 || text.charCodeAt(at) !== ZERO)) hole = NUMBER
        } else if (headLetters >= 4 && headLetters === letters && digits > 0) {
          // A name with a number at its end, such as video0: the number is the hole.
          const first = text.charCodeAt(at + headLetters)
          if (digits <= 19 && (digits === 1 || first !== ZERO)) {
            hole = NUMBER
            start = at + headLetters
          }
        } else if (length >= 8 && digits >= 2) hole = TOKEN
        until = end
      }
      for (let i = at; i < (hole === 0 ? end : start); i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME)
      if (hole !== 0) {
        this.#hole(hole as HoleKind, start, until)
        hash = Math.imul(hash ^ hole, PRIME)
      }
      at = hole === 0 ? end : until
    }
    this.hash = (hash ^ (hash >>> 15)) | 0
  }

  /** True where the scanned line is that of a template with other values. */
  matches({ pieces, holes }: Template): boolean {
    if (holes.length !== this.count) return false
    const from = this.#from
    let at = 0
    for (let i = 0; i < this.count; i++) {
      const piece = pieces[i] as string
      if (holes[i] !== this.kinds[i] || at + piece.length !== this.starts[i]) return false
      if (!this.#text.startsWith(piece, from + at)) return false
      at = this.ends[i] as number
    }
    const last = pieces[this.count] as string
    return from + at + last.length === this.#to && this.#text.startsWith(last, from + at)
  }

  /** The scanned line's text with marks in place of the holes. */
  templateText(): string {
    const line = this.#text.slice(this.#from, this.#to)
    let text = ""
    let at = 0
    for (let i = 0; i < this.count; i++) {
      text += line.slice(at, this.starts[i]) + String.fromCharCode(this.kinds[i] as number)
      at = this.ends[i] as number
    }
    return text + line.slice(at)
  }

  /** What was found, to be kept. */
  copy(id: number): ScannedLine {
    return { id, starts: this.starts.slice(0, this.count), ends: this.ends.slice(0, this.count) }
  }

  #hole(kind: HoleKind, start: number, end: number): void {
    this.starts[this.count] = start - this.#from
    this.ends[this.count] = end - this.#from
    this.kinds[this.count++] = kind
  }

  #isUuid(at: number): boolean {
    if (at + 36 > this.#to) return false
    for (let i = 0; i < 36; i++) {
      const code = this.#text.charCodeAt(at + i)
      const isHyphen = i === 8 || i === 13 || i === 18 || i === 23
      if (isHyphen ? code !== HYPHEN : code > 127 || ((CLASSES[code] as number) & LOWER_HEX) === 0) return false
    }
    return true
  }

  /** Where hexadecimal pairs with colons end; `at` where there are fewer than eight, or letters of both cases. */
  #endOfDigest(at: number): number {
    let pairs = 0
    let classes = 0
    for (let i = at; ; i += 3) {
      const high = i + 2 <= this.#to ? classOf(this.#text.charCodeAt(i)) : 0
      const low = high === 0 ? 0 : classOf(this.#text.charCodeAt(i + 1))
      if ((high & ANY_HEX) === 0 || (low & ANY_HEX) === 0) return at
      classes |= high | low
      pairs++
      if (i + 2 < this.#to && this.#text.charCodeAt(i + 2) === COLON) continue
      const isOneCase = (classes & LOWER_HEX_LETTER) === 0 || (classes & UPPER_HEX_LETTER) === 0
      return pairs >= 8 && pairs <= 255 && isOneCase ? i + 2 : at
    }
  }
}

function classOf(code: number): number {
  return code < 128 ? (CLASSES[code] as number) : 0
}

/** The offset behind `a=ice-ufrag:` or `a=ice-pwd:` where a line begins with it, else 0. */
function startOfCredential(text: string, from: number, to: number): number {
  if (to - from < 12 || text.charCodeAt(from + 2) !== 0x69 || text.charCodeAt(from + 5) !== HYPHEN) return 0
  if (text.startsWith("a=ice-ufrag:", from)) return from + 12
  return text.startsWith("a=ice-pwd:", from) ? from + 10 : 0
}

function endsWithCname(text: string, from: number, at: number): boolean {
  return at - from > 6 && text.charCodeAt(at - 2) === 0x65 && text.startsWith("cname:", at - 6)
}

function endOf(text: string, at: number, to: number, isPart: Uint8Array): number {
  let end = at
  while (end < to && text.charCodeAt(end) < 128 && isPart[text.charCodeAt(end)] === 1) end++
  return end
}

function isList(text: string, at: number, to: number): boolean {
  let isStart = true
  for (let i = at; i < to; i++) {
    const code = text.charCodeAt(i)
    if (code === SPACE) {
      if (isStart) return false
      isStart = true
    } else if (code < ZERO || code > 0x39) return false
    else {
      if (isStart && code === ZERO && i + 1 < to && text.charCodeAt(i + 1) !== SPACE) return false
      isStart = false
      if (i - at > 4096) return false
    }
  }
  return !isStart && longestRun(text, at, to) <= 9
}

function longestRun(text: string, at: number, to: number): number {
  let longest = 0
  for (let i = at, run = 0; i < to; i++) {
    run = text.charCodeAt(i) === SPACE ? 0 : run + 1
    if (run > longest) longest = run
  }
  return longest
}

/** Where an IPv6 address ends that can be given back from its groups; `at` where there is none. */
function endOfAddress6(text: string, at: number, to: number): number {
  let end = at
  let colons = 0
  while (end < to && end - at < 40) {
    const code = text.charCodeAt(end)
    if (code === COLON) colons++
    else if ((classOf(code) & LOWER_HEX) === 0) break
    end++
  }
  return colons >= 2 && isAddress6(text.slice(at, end)) ? end : at
}

function isAddress6(text: string): boolean {
  return text.split(":").every((group) => group === "" || group === "0" || /^[1-9a-f][0-9a-f]{0,3}$/.test(group))
}

const SPACE = 0x20
const COMMA = 0x2c
const HYPHEN = 0x2d
const ZERO = 0x30
const COLON = 0x3a
const EQUALS = 0x3d
const PRIME = 0x01000193
const DIGIT = 1
const LOWER_HEX_LETTER = 2
const UPPER_HEX_LETTER = 4
const OTHER_LETTER = 8
const LOWER_HEX = DIGIT | LOWER_HEX_LETTER
const ANY_HEX = LOWER_HEX | UPPER_HEX_LETTER
const CLASSES = new Uint8Array(128)
const IN_TOKEN = new Uint8Array(128)
for (let code = 0; code < 128; code++) {
  const character = String.fromCharCode(code)
  if (/[0-9]/.test(character)) CLASSES[code] = DIGIT
  else if (/[a-f]/.test(character)) CLASSES[code] = LOWER_HEX_LETTER
  else if (/[A-F]/.test(character)) CLASSES[code] = UPPER_HEX_LETTER
  else if (/[g-zG-Z]/.test(character)) CLASSES[code] = OTHER_LETTER
  if (/[0-9A-Za-z+/]/.test(character)) IN_TOKEN[code] = 1
}
