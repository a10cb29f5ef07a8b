import { OBU_TYPE, obuType, parseAv1SequenceHeader } from "../media/av1.ts"
import { isAv1Keyframe, withoutObuSize } from "../media/av1-obu.ts"
import { concat, equalBytes } from "../media/bytes.ts"
import type { Av1Track } from "../media/frame.ts"
import { readAv1Payload } from "./av1-payload.ts"
import type { DepacketizerOptions } from "./depacketizer.ts"
import { type AssembledPicture, FrameDepacketizer, type PictureAssembler } from "./frame-depacketizer.ts"

/** Receiver of the AV1 RTP specification; a picture is a temporal unit. */
export class Av1Depacketizer extends FrameDepacketizer<Av1Track> {
  constructor(options: DepacketizerOptions = {}) {
    super(new Av1Assembler(), options)
  }
}

/**
 * Nothing in a packet says that a temporal unit begins with it, but for those that begin a coded video sequence. So behind a gap that may
 * reach into it, any other unit counts as damaged.
 */
class Av1Assembler implements PictureAssembler<Av1Track> {
  #obus: Uint8Array[] = []
  /** Parts of the OBU that has not ended. */
  #open: Uint8Array[] = []
  #isBegun = false
  #isDamaged = false
  #track: Av1Track | undefined

  start(): void {
    this.#obus = []
    this.#open = []
    this.#isBegun = false
    this.#isDamaged = false
  }

  add(payload: Uint8Array, isAfterLoss: boolean): boolean {
    const read = readAv1Payload(payload)
    if (read === undefined) return false
    const { continuesObu, leavesObuOpen, startsSequence, elements } = read
    const isBeginning = !this.#isBegun && startsSequence
    if ((isAfterLoss && !isBeginning) || continuesObu !== this.#open.length > 0) this.#isDamaged = true
    this.#isBegun = true
    if (this.#isDamaged) return true
    for (const [i, element] of elements.entries()) {
      this.#open.push(element)
      if (leavesObuOpen && i === elements.length - 1) break
      const obu = withoutObuSize(concat(this.#open))
      this.#open = []
      if (obu === undefined) return false
      if (!DROPPED_TYPES.has(obuType(obu))) this.#obus.push(obu)
    }
    return true
  }

  finish(isTailLost: boolean): AssembledPicture<Av1Track> | "damaged" | "undecodable" {
    if (this.#isDamaged || isTailLost || this.#open.length > 0 || this.#obus.length === 0) return "damaged"
    const units = this.#obus
    const sequenceHeader = units.find((obu) => obuType(obu) === OBU_TYPE.sequenceHeader)
    if (sequenceHeader !== undefined && !this.#takeSequenceHeader(sequenceHeader)) return "damaged"
    if (this.#track === undefined) return "undecodable"
    return { track: this.#track, isKeyframe: isAv1Keyframe(units), units }
  }

  #takeSequenceHeader(sequenceHeader: Uint8Array): boolean {
    if (this.#track !== undefined && equalBytes(this.#track.sequenceHeader, sequenceHeader)) return true
    const size = parseAv1SequenceHeader(sequenceHeader)
    if (size === undefined) return false
    const { widthPx, heightPx } = size
    this.#track = { kind: "video", codec: "av1", sequenceHeader, widthPx, heightPx }
    return true
  }
}

const TILE_LIST = 8
const PADDING = 15
const DROPPED_TYPES: ReadonlySet<number> = new Set([OBU_TYPE.temporalDelimiter, TILE_LIST, PADDING])
