import { malformed } from "./malformed.ts"
import type { MiniMedia, MiniSession } from "./session.ts"

/** What the text needs and the packet does not say. */
export interface SdpTextOptions {
  readonly type: "offer" | "answer"
  /**
   * Sections of the text in this order and with these mids: those of the offer that is answered. A section that the packet
   * lacks is refused with port 0. Without it: wire order, with mids by kind or position.
   */
  readonly sections?: readonly { readonly kind: MiniMedia["kind"]; readonly mid: string }[] | undefined
}

/** Writes SDP text that browsers and our own parsers take, with what the packet lost restored. Throws `minisdp.packet`. */
export function sessionToSdp(_session: MiniSession, _options: SdpTextOptions): string {
  throw malformed("not yet")
}
