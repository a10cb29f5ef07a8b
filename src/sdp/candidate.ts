import { GatewayError } from "../errors.ts"
import { findAttributes, parseDecimal, type SdpAttribute } from "./description.ts"

/** An address at which the gateway can be reached; always a host candidate. */
export interface LocalCandidate {
  readonly protocol: "udp" | "tcp"
  /** IPv4 or IPv6 address; never a name, which Firefox cannot use. */
  readonly address: string
  readonly port: number
}

/** An address that a peer announces. */
export interface RemoteCandidate {
  readonly protocol: "udp" | "tcp"
  /** IPv4 or IPv6 address. */
  readonly address: string
  readonly port: number
  readonly type: "host" | "srflx" | "prflx" | "relay"
}

/**
 * Parses `a=candidate` lines, RFC 8839 section 5.1. What cannot be used is left out without a word (RFC 9725 section
 * 4.3.2): other transports, other components than the one there is, and names, such as the mDNS names of browsers.
 * Throws `sdp.syntax` for a line that is no candidate.
 */
export function parseCandidates(attributes: readonly SdpAttribute[]): RemoteCandidate[] {
  const candidates: RemoteCandidate[] = []
  for (const value of findAttributes(attributes, "candidate")) {
    const [foundation, component, transport = "", priority, address = "", portText, typ, typeText] = value
      .trim()
      .split(/ +/)
    const port = parseDecimal(portText, 65_535)
    const isComplete = foundation && parseDecimal(component, 256) && parseDecimal(priority, 0xffff_ffff) !== undefined
    if (!isComplete || port === undefined || typ !== "typ" || typeText === undefined) {
      throw new GatewayError("sdp.syntax", "a candidate line must have the form of RFC 8839 section 5.1")
    }
    const protocol = PROTOCOLS.find((known) => known === transport.toLowerCase())
    const type = TYPES.find((known) => known === typeText.toLowerCase())
    const isUsable = component === "1" && isAddress(address) && candidates.length < MAX_CANDIDATES
    if (isUsable && protocol !== undefined && type !== undefined) candidates.push({ protocol, address, port, type })
  }
  return candidates
}

/**
 * Priorities fall in the order of the list, RFC 8445 section 5.1.2.1; all of them are in the answer, so gathering has
 * ended.
 */
export function candidateLines(candidates: readonly LocalCandidate[]): string[] {
  const lines = candidates.map(({ protocol, address, port }, index) => {
    const priority = HOST_TYPE_PREFERENCE * 2 ** 24 + (65_535 - index) * 2 ** 8 + 255
    const tcpType = protocol === "tcp" ? " tcptype passive" : ""
    return `a=candidate:${index + 1} 1 ${protocol} ${priority} ${address} ${port} typ host${tcpType}`
  })
  return [...lines, "a=end-of-candidates"]
}

function isAddress(text: string): boolean {
  if (text.includes(":")) return /^[0-9a-f:]{2,39}(\.\d{1,3}){0,3}$/i.test(text)
  const bytes = text.split(".")
  return bytes.length === 4 && bytes.every((byte) => parseDecimal(byte, 255) !== undefined)
}

const PROTOCOLS = ["udp", "tcp"] as const
const TYPES = ["host", "srflx", "prflx", "relay"] as const
const HOST_TYPE_PREFERENCE = 126
const MAX_CANDIDATES = 64
