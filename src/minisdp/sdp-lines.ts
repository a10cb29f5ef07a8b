import { malformed } from "./malformed.ts"

/** SDP text as lines sorted to sections, with nothing more understood than that. RFC 8866 section 5. */
export interface SdpLines {
  /** Session id and address family of the `o=` line. */
  readonly origin: { readonly sessionId: string; readonly addressFamily: 4 | 6 }
  readonly attributes: SdpAttributes
  readonly sections: readonly SdpSection[]
}

/** One `m=` line and the attributes below it. */
export interface SdpSection {
  readonly type: string
  readonly port: string
  readonly protocol: string
  readonly formats: readonly string[]
  readonly attributes: SdpAttributes
}

/** The values of attributes by name, in the order of the text; flags have the value "". */
export class SdpAttributes {
  readonly #values = new Map<string, string[]>()

  add(line: string): void {
    const colon = line.indexOf(":")
    const name = colon < 0 ? line.trim() : line.slice(0, colon)
    const value = colon < 0 ? "" : line.slice(colon + 1).trim()
    const values = this.#values.get(name)
    if (values === undefined) this.#values.set(name, [value])
    else values.push(value)
  }

  first(name: string): string | undefined {
    return this.#values.get(name)?.[0]
  }

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }
}

/** Reads SDP text, whatever its line ends; lines that it does not need are skipped. Throws `minisdp.packet` where it is too long. */
export function readSdpLines(text: string): SdpLines {
  if (text.length > MAX_TEXT_CHARS) throw malformed(`SDP text has at most ${MAX_TEXT_CHARS} characters`)
  let origin: SdpLines["origin"] = { sessionId: "", addressFamily: 4 }
  const attributes = new SdpAttributes()
  const sections: SdpSection[] = []
  for (const line of text.split(/[\r\n]+/)) {
    const value = line.slice(2)
    if (line.startsWith("a=")) (sections.at(-1)?.attributes ?? attributes).add(value)
    else if (line.startsWith("m=")) sections.push(readSection(value))
    else if (line.startsWith("o=")) origin = readOrigin(value)
  }
  return { origin, attributes, sections }
}

/** A decimal number from 0 to `max`; `undefined` for any other text. */
export function parseDecimal(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined
  const value = Number(text)
  return value <= max ? value : undefined
}

function readSection(value: string): SdpSection {
  const [type = "", port = "", protocol = "", ...formats] = value.trim().split(/ +/)
  return { type, port, protocol, formats, attributes: new SdpAttributes() }
}

function readOrigin(value: string): SdpLines["origin"] {
  const [, sessionId = "", , , family] = value.trim().split(/ +/)
  return { sessionId, addressFamily: family === "IP6" ? 6 : 4 }
}

const MAX_TEXT_CHARS = 65_536
