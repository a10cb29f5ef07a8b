import { GatewayError } from "../errors.ts"

/** Address and port of a datagram's sender or receiver, in the text form that sockets use. */
export interface SocketAddress {
  readonly family: 4 | 6
  readonly address: string
  readonly port: number
}

/** A socket address and the protocol that it belongs to: what RFC 8445 section 4 calls a transport address. */
export interface TransportAddress extends SocketAddress {
  readonly transport: "udp" | "tcp"
}

/** One text for each transport address, to find it again by. */
export function pathKey({ transport, address, port }: TransportAddress): string {
  return `${transport} ${address} ${port}`
}

/**
 * Bytes of an address in text form: 4 for IPv4, 16 for IPv6 (RFC 4291 section 2.2, with `::`, an embedded IPv4 tail and a
 * zone, which is left out). Throws `stun.message` for anything else.
 */
export function parseIpAddress(text: string): Uint8Array {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text)
}

function parseIpv4(text: string): Uint8Array {
  const parts = text.split(".")
  if (parts.length !== 4) throw invalid(text)
  return Uint8Array.from(parts, (part) => {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) throw invalid(text)
    return Number(part)
  })
}

function parseIpv6(text: string): Uint8Array {
  const withoutZone = text.split("%", 1)[0] as string
  const halves = withoutZone.split("::")
  if (halves.length > 2) throw invalid(text)
  const head = parseGroups(halves[0] as string, text)
  const tail = halves.length === 2 ? parseGroups(halves[1] as string, text) : []
  const isComplete = halves.length === 1 ? head.length === IPV6_BYTES : head.length + tail.length < IPV6_BYTES
  if (!isComplete) throw invalid(text)
  const bytes = new Uint8Array(IPV6_BYTES)
  bytes.set(head)
  bytes.set(tail, IPV6_BYTES - tail.length)
  return bytes
}

function parseGroups(groups: string, text: string): number[] {
  if (groups === "") return []
  return groups.split(":").flatMap((group, index, all) => {
    if (index === all.length - 1 && group.includes(".")) return [...parseIpv4(group)]
    if (!/^[\da-f]{1,4}$/i.test(group)) throw invalid(text)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

function invalid(text: string): GatewayError {
  return new GatewayError("stun.message", `not an IP address: ${text.slice(0, 64)}`)
}

const IPV6_BYTES = 16
