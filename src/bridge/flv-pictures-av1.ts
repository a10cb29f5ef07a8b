import { OBU_TYPE, obuType, parseAv1SequenceHeader } from "../media/av1.ts"
import { parseAv1Config } from "../media/av1-config.ts"
import { isAv1Keyframe } from "../media/av1-obu.ts"
import { splitObus } from "../media/av1-temporal-unit.ts"
import { equalBytes } from "../media/bytes.ts"
import type { Av1Track } from "../media/frame.ts"
import type { FlvPicture, FlvPictures } from "./flv-pictures.ts"

/** AV1; a keyframe without a sequence header gets the one that is known. */
export class Av1Pictures implements FlvPictures {
  readonly codec = "av1"
  #track: Av1Track | undefined

  configure(record: Uint8Array): void {
    const sequenceHeader = parseAv1Config(record)
    if (sequenceHeader !== undefined) this.#useSequenceHeader(sequenceHeader)
  }

  read(data: Uint8Array): FlvPicture | undefined {
    const units = splitObus(data)
    const sequenceHeader = units.find((obu) => obuType(obu) === OBU_TYPE.sequenceHeader)
    if (sequenceHeader !== undefined) this.#useSequenceHeader(sequenceHeader)
    const track = this.#track
    if (track === undefined || !units.some((obu) => PICTURE_TYPES.has(obuType(obu)))) return undefined
    if (sequenceHeader !== undefined) return { track, units, isKeyframe: isAv1Keyframe(units) }
    const complete = [track.sequenceHeader, ...units]
    const isKeyframe = isAv1Keyframe(complete)
    return { track, units: isKeyframe ? complete : units, isKeyframe }
  }

  /** A damaged one is left to decoders. */
  #useSequenceHeader(sequenceHeader: Uint8Array): void {
    if (this.#track !== undefined && equalBytes(this.#track.sequenceHeader, sequenceHeader)) return
    const size = parseAv1SequenceHeader(sequenceHeader)
    if (size !== undefined) this.#track = { kind: "video", codec: "av1", sequenceHeader, ...size }
  }
}

const PICTURE_TYPES: ReadonlySet<number> = new Set([OBU_TYPE.frameHeader, OBU_TYPE.frame])
