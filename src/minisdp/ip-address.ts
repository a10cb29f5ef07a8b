/** Bytes of an address in text form, 4 or 16 by family; `undefined` where it is not an address of that family. */
export function parseAddress(text: string, family: 4 | 6): Uint8Array | undefined {
  return family === 4 ? parseIpv4(text) : parseIpv6(text)
}

/** Text form of 4 or 16 bytes: dotted, or RFC 5952. */
export function formatAddress(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join(".") : formatIpv6(bytes)
}

/** True for 0.0.0.0 and ::. */
export function isUnspecified(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

function parseIpv4(text: string): Uint8Array | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  const parts = match?.slice(1).map(Number)
  return parts?.every((part) => part <= 255) ? Uint8Array.from(parts) : undefined
}

function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined
  const halves = text.split("::")
  const [head, tail] = [parseGroups(halves[0] ?? "", halves.length === 1), parseGroups(halves[1] ?? "", true)]
  if (head === undefined || tail === undefined || halves.length > 2) return undefined
  const isComplete = halves.length === 1 ? head.length === 16 : head.length + tail.length < 16
  if (!isComplete) return undefined
  const bytes = new Uint8Array(16)
  bytes.set(head)
  bytes.set(tail, 16 - tail.length)
  return bytes
}

/** Groups of one side of `::`; only the last of the whole address may be dotted. */
function parseGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === "") return []
  const groups = text.split(":")
  const bytes: number[] = []
  for (const [index, group] of groups.entries()) {
    if (/^[\da-f]{1,4}$/i.test(group)) {
      const value = Number.parseInt(group, 16)
      bytes.push(value >> 8, value & 0xff)
      continue
    }
    const dotted = isLast && index === groups.length - 1 ? parseIpv4(group) : undefined
    if (dotted === undefined) return undefined
    bytes.push(...dotted)
  }
  return bytes
}

function formatIpv6(bytes: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number))
  let [start, length] = [0, 0] // of the longest run of zeros
  for (let i = 0; i < 8; i++) {
    let end = i
    while (words[end] === 0) end++
    if (end - i > length) [start, length] = [i, end - i]
    i = end
  }
  const isMapped = start === 0 && (length === 6 || (length === 5 && words[5] === 0xffff))
  const groups = words.map((word) => word.toString(16))
  if (isMapped) groups.splice(6, 2, bytes.subarray(12).join("."))
  if (length < 2) return groups.join(":")
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`
}
