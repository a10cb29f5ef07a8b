/** Bytes written as hexadecimal digits; blanks between them are free. Throws a RangeError on anything else. */
export function hex(digits: string): Uint8Array {
  const compact = digits.replace(/\s+/g, "")
  if (compact.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(compact)) throw new RangeError(`not hexadecimal: ${digits}`)
  return Uint8Array.from(compact.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** The reverse of `hex`, without blanks: for messages and for comparing long buffers. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
}
