import { GatewayError } from "../../errors.ts"

/** The longest text that is encoded or decoded, in UTF-16 code units. */
export const MAX_SDP_CHARACTERS = 65_536

/** Packs any text of at most `MAX_SDP_CHARACTERS`; throws `minisdp.packet` for a longer one. */
export function encodeSdp(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Gives back the text of {@link encodeSdp} exactly; throws `minisdp.packet` for everything malformed. */
export function decodeSdp(bytes: Uint8Array): string {
  if (bytes.length > MAX_SDP_CHARACTERS) throw new GatewayError("minisdp.packet", "the SDP is too long")
  return new TextDecoder().decode(bytes)
}
