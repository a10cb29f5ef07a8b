import type { OfferedCodec } from "./codec.ts"

/**
 * The parameter sets that a sender names in its offer, for one that does not repeat them in its packets (GStreamer's
 * payloaders by default): `sprop-parameter-sets` of H.264 (RFC 6184 section 8.1), `sprop-vps`, `sprop-sps` and
 * `sprop-pps` of H.265 (RFC 7798 section 7.1), as NAL units without start codes. What is not base64 is left out.
 */
export function offeredParameterSets({ parameters }: OfferedCodec): Uint8Array[] {
  return ["sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps"]
    .flatMap((name) => parameters.get(name)?.split(",") ?? [])
    .slice(0, MAX_SETS)
    .flatMap((text) => decodeBase64(text.trim()) ?? [])
}

function decodeBase64(text: string): Uint8Array | undefined {
  if (text === "" || text.length > MAX_SET_CHARACTERS) return undefined
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined // no base64: DOMException
  }
}

const MAX_SETS = 16
const MAX_SET_CHARACTERS = 2_048
