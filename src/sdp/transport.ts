import { GatewayError } from "../errors.ts"
import { findAttribute, findAttributes, type SdpAttribute, type SdpMedia } from "./description.ts"

/** A certificate fingerprint, RFC 8122. */
export interface Fingerprint {
  readonly algorithm: "sha-256" | "sha-384" | "sha-512"
  /** Upper-case hexadecimal bytes joined by colons. */
  readonly value: string
}

/** What the peer says about its end of the one transport that a session has. */
export interface RemoteTransport {
  readonly ufrag: string
  readonly pwd: string
  /** Of the algorithms that we know; never empty. */
  readonly fingerprints: readonly Fingerprint[]
  /** Our part in the DTLS handshake: `server` answers `setup:passive`, `client` answers `setup:active`. */
  readonly dtlsRole: "server" | "client"
}

/**
 * Finds the transport of an offer or answer: the attributes of the first section that has them, or those of the session where
 * none has.
 * Throws `sdp.syntax` for values out of form (RFC 8839 section 5.4, RFC 8122 section 5), `sdp.unsupported` for what we
 * cannot do.
 */
export function remoteTransport(
  type: "offer" | "answer",
  session: readonly SdpAttribute[],
  media: readonly { readonly section: SdpMedia; readonly isBundled: boolean }[],
): RemoteTransport {
  const sections = media.map((offered) => offered.section.attributes)
  const find = (name: string) => first(sections, (list) => findAttribute(list, name)) ?? findAttribute(session, name)
  const ufrag = find("ice-ufrag")
  const pwd = find("ice-pwd")
  if (ufrag === undefined || pwd === undefined)
    throw new GatewayError("sdp.syntax", `the ${type} has no ice-ufrag and ice-pwd`)
  checkIceUfrag(ufrag)
  checkIcePwd(pwd)
  // A section outside the BUNDLE group with credentials of its own wants a second transport; a session has one.
  const isApart = media.some(
    (m) => !m.isBundled && (findAttribute(m.section.attributes, "ice-ufrag") ?? ufrag) !== ufrag,
  )
  if (isApart) throw new GatewayError("sdp.unsupported", "audio and video must share one transport (BUNDLE)")

  const inSections = first(sections, (list) => nonEmpty(findAttributes(list, "fingerprint")))
  const fingerprints = parseFingerprints(inSections ?? findAttributes(session, "fingerprint"))
  return { ufrag, pwd, fingerprints, dtlsRole: dtlsRole(type, find("setup")?.trim()) }
}

/** Gives the ufrag back. Throws `sdp.syntax` where it cannot be one. */
export function checkIceUfrag(ufrag: string): string {
  if (UFRAG.test(ufrag)) return ufrag
  throw new GatewayError("sdp.syntax", "ice-ufrag must have 4 to 256 characters")
}

/** Gives the password back. Throws `sdp.syntax` where it cannot be one. */
export function checkIcePwd(pwd: string): string {
  if (PWD.test(pwd)) return pwd
  throw new GatewayError("sdp.syntax", "ice-pwd must have 22 to 256 characters")
}

/** Takes the other role than the peer, RFC 8842 section 5: ffmpeg 8.0 is the one that offers `passive`. */
function dtlsRole(type: "offer" | "answer", setup = type === "offer" ? "actpass" : "active"): "server" | "client" {
  if (setup === "active" || (setup === "actpass" && type === "offer")) return "server"
  if (setup === "passive") return "client"
  const expected = type === "offer" ? "actpass, active or passive" : "active or passive"
  throw new GatewayError("sdp.unsupported", `setup must be ${expected}`)
}

function parseFingerprints(values: readonly string[]): Fingerprint[] {
  const fingerprints: Fingerprint[] = []
  for (const text of values.slice(0, MAX_FINGERPRINTS)) {
    const [name = "", value = ""] = text.trim().split(/ +/)
    const algorithm = ALGORITHMS.find((known) => known.name === name.toLowerCase())
    if (algorithm === undefined) continue
    if (!HEX_BYTES.test(value) || value.length !== algorithm.bytes * 3 - 1) {
      throw new GatewayError(
        "sdp.syntax",
        `a ${algorithm.name} fingerprint has ${algorithm.bytes} bytes in hexadecimal`,
      )
    }
    fingerprints.push({ algorithm: algorithm.name, value: value.toUpperCase() })
  }
  if (fingerprints.length > 0) return fingerprints
  throw new GatewayError("sdp.unsupported", "there is no DTLS fingerprint of sha-256, sha-384 or sha-512")
}

function first<T, R>(list: readonly T[], pick: (item: T) => R | undefined): R | undefined {
  for (const item of list) {
    const picked = pick(item)
    if (picked !== undefined) return picked
  }
  return undefined
}

function nonEmpty<T>(list: T[]): T[] | undefined {
  return list.length > 0 ? list : undefined
}

const ALGORITHMS = [
  { name: "sha-256", bytes: 32 },
  { name: "sha-384", bytes: 48 },
  { name: "sha-512", bytes: 64 },
] as const
const MAX_FINGERPRINTS = 16
const HEX_BYTES = /^[0-9a-f]{2}(:[0-9a-f]{2})+$/i
/**
 * Any printable character, not only the standard's ice-char: the value goes into a hash and a comparison, nowhere else.
 */
const UFRAG = /^[!-~]{4,256}$/
const PWD = /^[!-~]{22,256}$/
