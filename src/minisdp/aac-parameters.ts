import type { MiniCodec } from "./session.ts"

/** The format parameters of AAC as SDP has them, in the byte order of their names (SPEC section 13.2). */
export function aacParameters(aac: NonNullable<MiniCodec["aac"]>): string[] {
  const bit = (value: boolean) => (value ? 1 : 0)
  return [
    `PS-enabled=${bit(aac.hasPs)}`,
    `SBR-enabled=${bit(aac.hasSbr)}`,
    ...(aac.config === "" ? [] : [`config=${aac.config}`]),
    `cpresent=${bit(aac.hasConfigInBand)}`,
    ...(aac.object === 0 ? [] : [`object=${aac.object}`]),
    `stereo=${bit(aac.isStereo)}`,
  ]
}
