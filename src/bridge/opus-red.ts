import type { Converter } from "../hub/lane.ts"
import type { LanePacket, RtpBatch } from "../media/packet.ts"
import { DEFAULT_MAX_PAYLOAD_BYTES } from "../rtp/h264-packetizer.ts"
import { fitsRed, packRed, type RedundantBlock, redOverheadBytes } from "../rtp/red.ts"

/**
 * Makes a lane of RED packets (RFC 2198) from the packets lane of an Opus track: each repeats the packet before it, under the Opus lane's own
 * sequence numbers and timestamps. Where the packet before is missing, too long ago or too large, none is repeated.
 *
 * The blocks inside name the payload type of Opus, which is each viewer's own, while the payload of a lane's packets is the same for all of
 * its viewers. So there is one converter, and one lane, for each payload type of Opus among the viewers that prefer RED. Browsers of one
 * kind take the same (111 mostly), so there are one or two, never more than the 128 that exist.
 */
export class OpusToRed {
  readonly #opusPayloadType: number
  #newest: { readonly sequenceNumber: number; readonly timestamp: number; readonly payload: Uint8Array } | undefined

  /** `opusPayloadType` is that of the viewers of this lane. */
  constructor(opusPayloadType: number) {
    this.#opusPayloadType = opusPayloadType
  }

  /** Takes a batch of the Opus lane and returns that of the RED lane in its place. */
  push(batch: RtpBatch): RtpBatch {
    return { ...batch, packets: batch.packets.map((packet) => this.#convert(packet, batch.timestamp)) }
  }

  #convert(packet: LanePacket, timestamp: number): LanePacket {
    const { sequenceNumber, payload } = packet
    const step = this.#newest === undefined ? 1 : (sequenceNumber - this.#newest.sequenceNumber) & 0xffff
    const redundant = step === 1 ? this.#repeat(timestamp, payload.length) : []
    if (step > 0 && step < 0x8000) this.#newest = { sequenceNumber, timestamp, payload }
    return { ...packet, payload: packRed({ payloadType: this.#opusPayloadType, payload, redundant }) }
  }

  /** The packet before as a block, where it and the packet itself go into one datagram. */
  #repeat(timestamp: number, payloadBytes: number): RedundantBlock[] {
    if (this.#newest === undefined) return []
    const { payload } = this.#newest
    const timestampOffset = (timestamp - this.#newest.timestamp) | 0
    const bytes = payloadBytes + payload.length + redOverheadBytes(1)
    if (!fitsRed(timestampOffset, payload.length) || bytes > DEFAULT_MAX_PAYLOAD_BYTES) return []
    return [{ payloadType: this.#opusPayloadType, timestampOffset, payload }]
  }
}

/** The converter in the form in which a lane is derived from another: `redLane.deriveFrom(lanes.audioPackets, opusToRed(111))`. */
export function opusToRed(opusPayloadType: number): (emit: (batch: RtpBatch) => void) => Converter<RtpBatch> {
  return (emit) => {
    const converter = new OpusToRed(opusPayloadType)
    return { push: (batch) => emit(converter.push(batch)), close: () => undefined }
  }
}
