import { networkInterfaces } from "node:os"
import { parseIpAddress } from "../../ice/ip-address.ts"
import type { LocalCandidate } from "../../sdp/serialize.ts"

/** An address of this machine. */
export interface InterfaceAddress {
  readonly interfaceName: string
  readonly address: string
}

/** What the choice depends on. */
export interface CandidateInput {
  /** From the configuration, best first. */
  readonly publicAddresses: readonly string[]
  /** Addresses that the sockets are bound to. */
  readonly boundHosts: readonly string[]
  readonly interfaces: readonly InterfaceAddress[]
  /** Our address as the HTTP request of this session saw it, if it is known: that one surely works. */
  readonly requestAddress?: string | undefined
  /** Of UDP, and of TCP too where there is such. */
  readonly port: number
  readonly hasTcp: boolean
}

/**
 * The candidates to announce, best first: what the configuration says, then the address that the peer reached us at, then the real
 * interfaces with IPv4 before IPv6; at the end all of them once more by TCP. Few, as OBS and ffmpeg choose badly among many and ffmpeg takes the first. Loopback
 * comes only where there is nothing else, or last where the peer is on this machine: Chromium reaches it, Firefox and
 * GStreamer do not.
 */
export function chooseCandidates(input: CandidateInput): LocalCandidate[] {
  const requestAddress = input.requestAddress?.replace(/^::ffff:(?=\d+\.)/, "")
  const own = input.interfaces.filter(({ address }) => isBound(address, input.boundHosts))
  const ranked = own
    .map((candidate) => ({ address: candidate.address, rank: rank(candidate, requestAddress) }))
    .filter(({ rank }) => rank < UNUSABLE)
    .sort((a, b) => a.rank - b.rank)
    .map(({ address }) => address)
  const isLocalRequest = requestAddress !== undefined && isLoopback(requestAddress)
  const loopback = own.map(({ address }) => address).filter(isLoopback)
  const others = ranked.slice(0, MAX_INTERFACE_CANDIDATES)
  const addresses = [...input.publicAddresses, ...others]
  if (addresses.length === 0 || isLocalRequest) addresses.push(...loopback)
  const unique = [...new Set(addresses)]
  const protocols = input.hasTcp ? (["udp", "tcp"] as const) : (["udp"] as const)
  return protocols.flatMap((protocol) => unique.map((address) => ({ protocol, address, port: input.port })))
}

/** All addresses of this machine. */
export function readInterfaces(): InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([interfaceName, addresses = []]) =>
    addresses.map(({ address }) => ({ interfaceName, address })),
  )
}

function isBound(address: string, boundHosts: readonly string[]): boolean {
  return boundHosts.includes(address) || boundHosts.includes(address.includes(":") ? "::" : "0.0.0.0")
}

/** Low is good. Bridges of containers and virtual machines lead nowhere but to these. */
function rank({ interfaceName, address }: InterfaceAddress, requestAddress: string | undefined): number {
  if (isLoopback(address) || isLinkLocal(address)) return UNUSABLE
  if (address === requestAddress) return 0
  const isVirtual = VIRTUAL_INTERFACE.test(interfaceName)
  if (!address.includes(":")) return isVirtual ? 4 : 1
  if (isVirtual) return UNUSABLE
  return isUniqueLocal(address) ? 3 : 2
}

/** True for an address of the machine itself. */
export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1"
}

/** True for an address that means nothing beyond its own link. */
export function isLinkLocal(address: string): boolean {
  return address.startsWith("169.254.") || /^fe[89ab]/i.test(address)
}

function isUniqueLocal(address: string): boolean {
  return ((parseIpAddress(address)[0] as number) & 0xfe) === 0xfc
}

const VIRTUAL_INTERFACE = /^(docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|cali)/
const UNUSABLE = 10
const MAX_INTERFACE_CANDIDATES = 4
