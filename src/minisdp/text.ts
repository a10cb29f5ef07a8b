import { malformed } from "./malformed.ts"

/**
 * Decodes UTF-8. Control characters are refused, because the text goes into lines of SDP and into logs. Throws `minisdp.packet`.
 */
export function decodeText(bytes: Uint8Array, name: string): string {
  let text: string
  try {
    text = DECODER.decode(bytes)
  } catch (cause) {
    throw malformed(`${name} is not UTF-8`, { cause })
  }
  return checkText(text, name)
}

/** Encodes as UTF-8 what `decodeText` would give back. Throws `minisdp.packet` for control characters and lone surrogates. */
export function encodeText(text: string, name: string): Uint8Array {
  if (!text.isWellFormed()) throw malformed(`${name} has half a character`)
  return ENCODER.encode(checkText(text, name))
}

function checkText(text: string, name: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || code === 0x7f) throw malformed(`${name} has a control character`)
  }
  return text
}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const ENCODER = new TextEncoder()
