import { MAX_FOOTER_PORTS } from "./footer.ts"
import type { Header } from "./header.ts"
import { formatAddress, isUnspecified, parseAddress } from "./ip-address.ts"
import { malformed } from "./malformed.ts"
import type { MiniCandidate, MiniSession } from "./session.ts"

/** Where the candidates of a packet stand: header, footer, TLVs. */
export interface PlacedCandidates {
  readonly hasCandidate: boolean
  readonly address: Uint8Array
  /** 0 where there is no candidate. */
  readonly port: number
  readonly footerPorts: readonly number[]
  readonly tlvCandidates: readonly MiniCandidate[]
}

/** All candidates of a packet in the order of its bytes. Throws `minisdp.packet` where there are too many. */
export function collectCandidates(
  { hasCandidate, address, port }: Header,
  generation: "base" | "ext",
  footerPorts: readonly number[],
  tlvCandidates: readonly MiniCandidate[],
): MiniCandidate[] {
  const isThere = (hasCandidate || generation === "base") && !isUnspecified(address) // v0-base does not look at the flag
  const ports = isThere ? [port, ...footerPorts].filter((each) => each !== 0) : []
  const text = formatAddress(address)
  const candidates = ports.map((each): MiniCandidate => ({ transport: "udp", address: text, port: each }))
  return checkCount([...candidates, ...tlvCandidates])
}

/**
 * The first one with UDP goes to the header, up to four of its other ports to the footer, the rest to TLVs (SPEC section 3); v0-base
 * takes the first one whatever it is. Strictly, throws `minisdp.packet` for an address that the packet cannot carry; else such
 * an address is written as zeros.
 */
export function placeCandidates(
  session: MiniSession,
  { isBase, isStrict }: { readonly isBase: boolean; readonly isStrict: boolean },
): PlacedCandidates {
  const { addressFamily } = session
  const candidates = checkCount(session.candidates)
  if (isStrict) {
    const odd = candidates.find(({ address, port }) => !isCarriable(address, addressFamily) || port === 0)
    if (odd !== undefined) throw malformed(`a candidate must have a port and an IPv${addressFamily} address`)
  }
  const first = candidates.find(({ transport }) => transport === "udp" || isBase)
  const footerPorts: number[] = []
  const tlvCandidates: MiniCandidate[] = []
  for (const candidate of candidates) {
    if (candidate === first) continue
    const isSibling = candidate.transport === "udp" && candidate.address === first?.address
    if (isSibling && footerPorts.length < MAX_FOOTER_PORTS) footerPorts.push(candidate.port)
    else tlvCandidates.push(candidate)
  }
  const address = first === undefined ? undefined : parseAddress(first.address, addressFamily)
  return {
    hasCandidate: first !== undefined,
    address: address ?? new Uint8Array(addressFamily === 4 ? 4 : 16),
    port: first?.port ?? 0,
    footerPorts,
    tlvCandidates,
  }
}

/** True for an address of the family that is not 0.0.0.0 or ::. */
export function isCarriable(address: string, family: 4 | 6): boolean {
  const bytes = parseAddress(address, family)
  return bytes !== undefined && !isUnspecified(bytes)
}

function checkCount<List extends readonly MiniCandidate[]>(candidates: List): List {
  if (candidates.length <= MAX_CANDIDATES) return candidates
  throw malformed(`a packet has at most ${MAX_CANDIDATES} candidates`)
}

/** Far more than any peer has, and few enough to go into every section of a text. */
const MAX_CANDIDATES = 64
