import { GatewayError } from "../errors.ts"
import { findAttribute, parseDescription } from "./description.ts"

/** What a trickle fragment says; candidates are left out, because an ICE-lite agent learns addresses from checks. */
export interface TrickleFragment {
  /** Differs from that of the session where the client wants an ICE restart. */
  readonly ufrag: string | undefined
}

/** Parses the body of a PATCH, `application/trickle-ice-sdpfrag` (RFC 8840 section 9). Throws `sdp.syntax`. */
export function parseFragment(text: string): TrickleFragment {
  const { attributes, media } = parseDescription(`v=0\r\n${text}`)
  if (attributes.length === 0 && media.length === 0)
    throw new GatewayError("sdp.syntax", "the fragment has no attribute")
  const ufrags = [attributes, ...media.map((section) => section.attributes)].map((list) =>
    findAttribute(list, "ice-ufrag"),
  )
  return { ufrag: ufrags.find((ufrag) => ufrag !== undefined) }
}
