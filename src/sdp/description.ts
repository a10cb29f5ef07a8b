import { GatewayError } from "../errors.ts"

/** One `a=` line; `value` is empty for a property attribute such as `a=rtcp-mux`. */
export interface SdpAttribute {
  readonly name: string
  readonly value: string
}

/** One `m=` section as it stands in the text. */
export interface SdpMedia {
  /** The media type: `audio`, `video`, `application` … */
  readonly type: string
  readonly port: number
  readonly protocol: string
  /** Payload types of RTP sections, other words elsewhere; never empty. */
  readonly formats: readonly string[]
  readonly attributes: readonly SdpAttribute[]
}

/** A session description cut into sections; lines that neither WHIP nor WHEP needs are left out. */
export interface SdpDescription {
  readonly attributes: readonly SdpAttribute[]
  readonly media: readonly SdpMedia[]
}

/**
 * Parses a session description, RFC 8866. Lines may end in CRLF or LF.
 * Throws `sdp.syntax` where the text is not SDP or exceeds the limits below.
 */
export function parseDescription(text: string): SdpDescription {
  if (text.length > MAX_TEXT_CHARS) throw new GatewayError("sdp.syntax", `more than ${MAX_TEXT_CHARS} characters`)
  const lines = text.split(/\r?\n/, MAX_LINES + 2)
  while (lines.at(-1) === "") lines.pop()
  if (lines.length > MAX_LINES) throw new GatewayError("sdp.syntax", `more than ${MAX_LINES} lines`)
  if (lines[0] !== "v=0") throw new GatewayError("sdp.syntax", "an SDP body must begin with v=0")

  const sessionAttributes: SdpAttribute[] = []
  const media: SdpMedia[] = []
  let attributes = sessionAttributes
  for (const [index, line] of lines.entries()) {
    if (!LINE.test(line)) throw new GatewayError("sdp.syntax", `line ${index + 1} is not of the form type=value`)
    const value = line.slice(2)
    if (line[0] === "m") {
      if (media.length === MAX_MEDIA) throw new GatewayError("sdp.syntax", `more than ${MAX_MEDIA} media sections`)
      attributes = []
      media.push({ ...parseMediaLine(value, index + 1), attributes })
    } else if (line[0] === "a") {
      const colon = value.indexOf(":")
      attributes.push(
        colon < 0 ? { name: value, value: "" } : { name: value.slice(0, colon), value: value.slice(colon + 1) },
      )
    }
  }
  return { attributes: sessionAttributes, media }
}

/** The value of the first attribute of that name, `undefined` where there is none. */
export function findAttribute(attributes: readonly SdpAttribute[], name: string): string | undefined {
  return attributes.find((attribute) => attribute.name === name)?.value
}

/** The values of all attributes of that name, in order. */
export function findAttributes(attributes: readonly SdpAttribute[], name: string): string[] {
  return attributes.filter((attribute) => attribute.name === name).map((attribute) => attribute.value)
}

/** Reads a decimal number of at most `max`; `undefined` where the text is anything else. */
export function parseDecimal(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined
  const value = Number(text)
  return value <= max ? value : undefined
}

function parseMediaLine(value: string, lineNumber: number): Omit<SdpMedia, "attributes"> {
  const [type = "", portAndCount = "", protocol = "", ...formats] = value.trim().split(/ +/)
  const port = parseDecimal(portAndCount.split("/", 1)[0], 65_535)
  if (port === undefined || protocol === "" || formats.length === 0) {
    throw new GatewayError("sdp.syntax", `line ${lineNumber} is not a media line`)
  }
  return { type, port, protocol, formats }
}

/** Chromium's longest offer has 6 KB and 201 lines; the limits leave room for every browser and stop a flood. */
const MAX_TEXT_CHARS = 65_536
const MAX_LINES = 2_000
const MAX_MEDIA = 16
/** No control characters: parts of the offer are echoed in the answer. */
const LINE = /^[a-z]=[^\p{Cc}]*$/u
