import { malformed } from "./malformed.ts"
import type { MiniSession } from "./session.ts"

/** What the caller knows better than the text. */
export interface SessionOptions {
  /** Candidates of the other family are left out; without it the first usable candidate decides. */
  readonly addressFamily?: 4 | 6 | undefined
  /** Only these payload types, and rtx for them; for callers whom the real H.264 profile matters. */
  readonly payloadTypes?: ReadonlySet<number> | undefined
}

/**
 * Reads SDP text into what the public form can carry; the rest is lost (SPEC section 13.3).
 * Throws `minisdp.packet` where nothing is left.
 */
export function sessionFromSdp(_text: string, _options: SessionOptions = {}): MiniSession {
  throw malformed("not yet")
}
