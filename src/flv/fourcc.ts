/** Reads four characters as they stand in Enhanced RTMP tags; unprintable ones come out as dots, so it is safe to log. */
export function fourCcText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("")
}

/** Bytes of a FourCC code. */
export function fourCcBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}
