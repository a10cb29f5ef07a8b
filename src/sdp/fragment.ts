import { GatewayError } from "../errors.ts"
import { candidateLines, type LocalCandidate, parseCandidates, type RemoteCandidate } from "./candidate.ts"
import { findAttribute, parseDescription } from "./description.ts"
import { ICE_LINES } from "./serialize.ts"
import { checkIcePwd, checkIceUfrag } from "./transport.ts"

/** What the body of a PATCH says. */
export interface TrickleFragment {
  /** Differs from that of the session where the client wants an ICE restart. */
  readonly ufrag: string | undefined
  readonly pwd: string | undefined
  /** An ICE-lite agent does not need them: it learns addresses from checks. */
  readonly candidates: readonly RemoteCandidate[]
  readonly endOfCandidates: boolean
}

/** Our side of a restarted ICE session. */
export interface RestartedIce {
  readonly ufrag: string
  readonly pwd: string
  readonly candidates: readonly LocalCandidate[]
  /** The first section of the BUNDLE group, which stands for the transport. */
  readonly section?: { readonly kind: "audio" | "video"; readonly mid: string | undefined }
}

/**
 * Parses the body of a PATCH, `application/trickle-ice-sdpfrag` (RFC 8840 section 9), whose attributes may stand at
 * either level. Throws `sdp.syntax`.
 */
export function parseFragment(text: string): TrickleFragment {
  const { attributes, media } = parseDescription(`v=0\r\n${text}`)
  const all = [attributes, ...media.map((section) => section.attributes)].flat()
  if (all.length === 0 && media.length === 0) throw new GatewayError("sdp.syntax", "the fragment has no attribute")
  const ufrag = findAttribute(all, "ice-ufrag")
  const pwd = findAttribute(all, "ice-pwd")
  return {
    ufrag: ufrag === undefined ? undefined : checkIceUfrag(ufrag),
    pwd: pwd === undefined ? undefined : checkIcePwd(pwd),
    candidates: parseCandidates(all),
    endOfCandidates: findAttribute(all, "end-of-candidates") !== undefined,
  }
}

/** Writes the body of the 200 after an ICE restart, RFC 9725 section 4.3.3: `ice-lite` and `ice-options` stay as they were. */
export function serializeFragment({ ufrag, pwd, candidates, section }: RestartedIce): string {
  const lines = [...ICE_LINES, `m=${section?.kind ?? "audio"} 9 UDP/TLS/RTP/SAVPF 0`]
  if (section?.mid !== undefined) lines.push(`a=mid:${section.mid}`)
  lines.push(`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`, ...candidateLines(candidates))
  return `${lines.join("\r\n")}\r\n`
}
