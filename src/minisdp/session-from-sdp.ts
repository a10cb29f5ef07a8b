import { isCarriable } from "./candidates.ts"
import { malformed } from "./malformed.ts"
import { codecParameters, mediaFromSection } from "./media-from-sdp.ts"
import { parseDecimal, readSdpLines, type SdpAttributes, type SdpLines, type SdpSection } from "./sdp-lines.ts"
import type { MiniCandidate, MiniDirection, MiniMedia, MiniSession } from "./session.ts"
import { ROLES } from "./tables.ts"

/** What the caller knows better than the text. */
export interface SessionOptions {
  /** Candidates of the other family are left out; without it the first usable candidate decides. */
  readonly addressFamily?: 4 | 6 | undefined
  /** Only these payload types, and rtx for them; for callers to whom the real profile of H.264 matters. */
  readonly payloadTypes?: ReadonlySet<number> | undefined
}

/**
 * Reads SDP text into what the public form can carry, by the rules for interoperation (SPEC section 13.4); the rest is lost
 * (section 13.3). Sections that are switched off or have no codec of the form are left out, and all but the first of a kind.
 * Throws `minisdp.packet` where nothing is left.
 */
export function sessionFromSdp(text: string, options: SessionOptions = {}): MiniSession {
  const lines = readSdpLines(text)
  const used = usedSections(lines, options)
  const first = used[0]
  if (first === undefined)
    throw malformed("the SDP has no audio, video or data that the public form of MiniSDP can carry")
  // With BUNDLE the first section has the transport for all, even where its codecs have no code.
  const all = lines.sections.filter((section) => !isRefused(section))
  const bySection = [...all.map(({ attributes }) => attributes), lines.attributes]
  const find = (name: string) => bySection.find((list) => list.first(name) !== undefined)?.first(name)
  const fingerprint = findFingerprint(bySection)
  const ufrag = find("ice-ufrag") ?? ""
  const onTransport = bySection.filter((list) => (list.first("ice-ufrag") ?? ufrag) === ufrag)
  const { addressFamily, candidates } = findCandidates(onTransport, lines, options)
  const role = find("setup")
  return {
    direction: findDirection(used, lines.attributes),
    role: ROLES.find((known) => known === role) ?? "actpass",
    isEncrypted: fingerprint !== undefined || all.some(({ protocol }) => protocol.includes("SAVP")),
    ufrag,
    pwd: find("ice-pwd") ?? "",
    fingerprint,
    addressFamily,
    candidates,
    media: used.toSorted((a, b) => (a.mid < b.mid ? -1 : a.mid > b.mid ? 1 : 0)).map(({ media }) => media),
    hasNamedMids: used.some(({ mid }) => mid === "audio" || mid === "video"),
    hasAacConfig: true,
    isSequenceAligned: lines.origin.sessionId === "1",
  }
}

interface UsedSection {
  readonly section: SdpSection
  /** Of the text, or the position where that has none; packets have their sections in the order of mids. */
  readonly mid: string
  readonly media: MiniMedia
}

function usedSections({ sections, attributes }: SdpLines, { payloadTypes }: SessionOptions): UsedSection[] {
  const used: UsedSection[] = []
  for (const [index, section] of sections.entries()) {
    const kind = kindOf(section)
    if (kind === undefined || used.some(({ media }) => media.kind === kind)) continue
    if (isRefused(section) || ownDirection(section.attributes, attributes) === "inactive") continue
    const media = mediaFromSection(section, kind, codecParameters(section, payloadTypes), attributes)
    const mid = section.attributes.first("mid") ?? String(index)
    if (kind === "data" || media.codecs.length > 0) used.push({ section, mid, media })
  }
  return used
}

function isRefused({ port, attributes }: SdpSection): boolean {
  return port === "0" && attributes.first("bundle-only") === undefined
}

function kindOf({ type, protocol }: SdpSection): MiniMedia["kind"] | undefined {
  if (type === "audio" || type === "video") return type
  return type === "application" && protocol.includes("SCTP") ? "data" : undefined
}

/** All that audio and video sections do, because the packet has one direction; never that of a data section. */
function findDirection(used: readonly UsedSection[], session: SdpAttributes): MiniDirection {
  const directions = used
    .filter(({ media }) => media.kind !== "data")
    .map(({ section }) => ownDirection(section.attributes, session))
  const sends = directions.some((direction) => direction !== "recvonly")
  const receives = directions.some((direction) => direction !== "sendonly")
  if (sends === receives) return "sendrecv"
  return sends ? "sendonly" : "recvonly"
}

function ownDirection(section: SdpAttributes, session: SdpAttributes): MiniDirection | "inactive" {
  const names = ["sendonly", "recvonly", "sendrecv", "inactive"] as const
  const isIn = (list: SdpAttributes) => names.find((name) => list.first(name) !== undefined)
  return isIn(section) ?? isIn(session) ?? "sendrecv"
}

function findFingerprint(lists: readonly SdpAttributes[]): MiniSession["fingerprint"] {
  const values = lists.flatMap((list) => list.all("fingerprint"))
  const value = values.find((each) => /^sha-256 /i.test(each)) ?? values[0]
  const [, algorithm, bytes] = /^(\S+) +(\S+)$/.exec(value ?? "") ?? []
  return algorithm === undefined || bytes === undefined ? undefined : { algorithm, value: bytes }
}

function findCandidates(
  lists: readonly SdpAttributes[],
  { origin }: SdpLines,
  options: SessionOptions,
): Pick<MiniSession, "addressFamily" | "candidates"> {
  const usable = new Map<string, MiniCandidate>()
  for (const value of lists.flatMap((list) => list.all("candidate"))) {
    const candidate = parseCandidate(value)
    if (candidate !== undefined) usable.set(`${candidate.transport} ${candidate.address} ${candidate.port}`, candidate)
  }
  const all = [...usable.values()]
  const leader = all.find(({ transport }) => transport === "udp") ?? all[0]
  const found = leader === undefined ? origin.addressFamily : isCarriable(leader.address, 6) ? 6 : 4
  const addressFamily = options.addressFamily ?? found
  const candidates = all.filter(({ address }) => isCarriable(address, addressFamily)).slice(0, MAX_CANDIDATES)
  return { addressFamily, candidates }
}

/** RFC 8839 section 5.1. Names, other components and TCP candidates that only connect out are of no use in a packet. */
function parseCandidate(value: string): MiniCandidate | undefined {
  const [, component, transport, , address = "", portText] = value.split(/ +/)
  const port = parseDecimal(portText, 65_535)
  const protocol = transport?.toLowerCase()
  const isOutward = protocol === "tcp" && / tcptype active( |$)/.test(value)
  if (component !== "1" || isOutward || port === undefined || port === 0) return undefined
  if ((protocol !== "udp" && protocol !== "tcp") || !(isCarriable(address, 4) || isCarriable(address, 6)))
    return undefined
  return { transport: protocol, address, port }
}

const MAX_CANDIDATES = 32
