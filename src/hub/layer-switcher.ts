import { CLOCK_RATE_HZ, type RtpBatch } from "../media/packet.ts"
import { unwrapU16, usToTicks } from "../media/time.ts"

/**
 * Joins the packets of one simulcast layer after another into one lane: sequence numbers go on without a gap of its own making, none is
 * given twice, since viewers' packets are encrypted by it, and times run forward. What comes late of a layer that was left,
 * or from before the keyframe that it was joined at, is dropped.
 */
export class LayerSwitcher {
  #joined: JoinedLayer | undefined
  /** The lane's next number; undefined before its first packet. */
  #nextNumber: number | undefined
  /** The latest times that were given out. */
  #latest: { readonly timestamp: number; readonly ptsUs: number } | undefined

  /** The layer whose packets `push` takes; undefined before the first keyframe. */
  get rid(): string | undefined {
    return this.#joined?.rid
  }

  /** Begins anew behind the last batch that the lane had from elsewhere; undefined where it had none. */
  restart(previous: RtpBatch | undefined): void {
    const last = previous?.packets.at(-1)
    this.#joined = undefined
    this.#nextNumber = last === undefined ? undefined : last.sequenceNumber + 1
    this.#latest = previous
  }

  /** Changes to a layer with the packets of its keyframe, of which the first is the beginning; returns them as the lane has them. */
  switchTo(rid: string, run: readonly [RtpBatch, ...RtpBatch[]]): RtpBatch[] {
    const [{ packets, timestamp, ptsUs }] = run
    const firstNumber = packets[0]?.sequenceNumber ?? 0
    const joinUs = this.#latest === undefined ? ptsUs : Math.max(ptsUs, this.#latest.ptsUs + MIN_STEP_US)
    const joinTicks =
      this.#latest === undefined ? timestamp : this.#latest.timestamp + ticksBetween(this.#latest, joinUs)
    this.#joined = {
      rid,
      firstNumber,
      newestNumber: firstNumber,
      numberShift: (this.#nextNumber ?? firstNumber) - firstNumber,
      tickShift: joinTicks - timestamp,
      shiftUs: joinUs - ptsUs,
    }
    return run.map((batch) => this.push(batch)).filter((batch) => batch !== undefined)
  }

  /** Takes a batch of the joined layer and returns it as the lane has it; undefined where it does not belong in. */
  push(batch: RtpBatch): RtpBatch | undefined {
    const joined = this.#joined
    const last = batch.packets.at(-1)
    if (joined === undefined || last === undefined) return undefined
    const number = unwrapU16(last.sequenceNumber, joined.newestNumber)
    if (number < joined.firstNumber) return undefined
    joined.newestNumber = Math.max(joined.newestNumber, number)
    this.#nextNumber = joined.newestNumber + joined.numberShift + 1
    const placed = place(batch, joined)
    if (this.#latest === undefined || ((placed.timestamp - this.#latest.timestamp) | 0) > 0) this.#latest = placed
    return placed
  }
}

interface JoinedLayer {
  readonly rid: string
  /** Of the layer's own numbers, extended over their wraps. */
  readonly firstNumber: number
  newestNumber: number
  /** To be added to the layer's numbers and times. */
  readonly numberShift: number
  readonly tickShift: number
  readonly shiftUs: number
}

function place(batch: RtpBatch, { numberShift, tickShift, shiftUs }: JoinedLayer): RtpBatch {
  if ((numberShift & 0xffff) === 0 && tickShift === 0 && shiftUs === 0) return batch
  return {
    ...batch,
    timestamp: (batch.timestamp + tickShift) >>> 0,
    ptsUs: batch.ptsUs + shiftUs,
    packets: batch.packets.map((packet) => ({
      ...packet,
      sequenceNumber: (packet.sequenceNumber + numberShift) & 0xffff,
    })),
  }
}

function ticksBetween({ ptsUs }: { readonly ptsUs: number }, laterUs: number): number {
  return usToTicks(laterUs, CLOCK_RATE_HZ.video) - usToTicks(ptsUs, CLOCK_RATE_HZ.video)
}

/** Pictures of two layers are at least this far apart: RTMP counts in milliseconds. */
const MIN_STEP_US = 1_000
