import { CODEC_RATE_HZ } from "./codec.ts"

/**
 * Gives timestamps to output frames by counting samples, and keeps the count in step with the timestamps of the input:
 * noise in them is ignored, slow drift is answered by stretching the sound a little, and a jump moves the anchor. So
 * output timestamps are exactly even between jumps, which a jitter buffer needs: Chromium takes a packet that starts
 * five samples late for a gap.
 *
 * Before each input frame the caller asks for `align` and stretches the frame by the answer; positions are samples at
 * 48 kHz since the codec was opened, and the stretch counts.
 */
export class SampleClock {
  #anchors: Anchor[] = []
  /** Offset of the input's timestamps from the sample count, low-pass filtered. */
  #driftUs = 0
  /** Stretching that is due but is not a whole sample yet. */
  #owedSamples = 0
  #position = 0

  /** How far the timestamp of the sound that begins at `position` is ahead of the sample count; 0 before the first. */
  offsetUs(ptsUs: number, position: number): number {
    const anchor = this.#anchors.at(-1)
    return anchor ? ptsUs - timeAt(anchor, position) : 0
  }

  /** Takes note that the sound at `position` has this timestamp; returns by how many samples to stretch it. */
  align(ptsUs: number, position: number): number {
    const offsetUs = this.offsetUs(ptsUs, position)
    // An anchor that no sound has followed was that of a frame that did not decode.
    const isUnused = this.#anchors.at(-1)?.position === position
    if (isUnused) this.#anchors.pop()
    if (isUnused || this.#anchors.length === 0 || Math.abs(offsetUs) > JUMP_US) {
      this.#anchors.push({ ptsUs, position })
      if (this.#anchors.length > MAX_ANCHORS) this.#anchors.shift()
      this.#driftUs = 0
      this.#owedSamples = 0
      this.#position = position
      return 0
    }
    const elapsedSamples = Math.max(0, position - this.#position)
    this.#position = position
    const elapsedUs = samplesToUs(elapsedSamples)
    this.#driftUs += (offsetUs - this.#driftUs) * Math.min(1, elapsedUs / FILTER_US)
    return this.#stretch(elapsedUs, Math.ceil(elapsedSamples * MAX_STRETCH))
  }

  /** The time of the sound at `position`, in microseconds, rounded; positions must not go back from call to call. */
  timeAtUs(position: number): number {
    while (this.#anchors[1] && this.#anchors[1].position <= position) this.#anchors.shift()
    const anchor = this.#anchors[0]
    return anchor ? Math.round(timeAt(anchor, position)) : 0
  }

  #stretch(elapsedUs: number, limitSamples: number): number {
    const excessUs = Math.sign(this.#driftUs) * Math.max(0, Math.abs(this.#driftUs) - TOLERANCE_US)
    if (excessUs === 0) {
      this.#owedSamples = 0
      return 0
    }
    this.#owedSamples += usToSamples(excessUs) * Math.min(1, elapsedUs / CORRECTION_US)
    const due = Math.max(-limitSamples, Math.min(limitSamples, Math.trunc(this.#owedSamples)))
    this.#owedSamples = Math.max(-1, Math.min(1, this.#owedSamples - due))
    this.#driftUs -= samplesToUs(due)
    return due
  }
}

/** From `position` on, until the next anchor, sound is timed from `ptsUs`. */
interface Anchor {
  readonly ptsUs: number
  readonly position: number
}

function timeAt(anchor: Anchor, position: number): number {
  return anchor.ptsUs + samplesToUs(position - anchor.position)
}

function samplesToUs(samples: number): number {
  return (samples * 1_000_000) / CODEC_RATE_HZ
}

function usToSamples(us: number): number {
  return (us * CODEC_RATE_HZ) / 1_000_000
}

/** A timestamp further away than this is a jump, not jitter. */
const JUMP_US = 100_000
/** Offsets below this are left alone: RTMP's rounding to milliseconds must never cause a stretch. */
const TOLERANCE_US = 2_000
/** Time constant of the filter that tells drift from jitter. */
const FILTER_US = 2_000_000
/** Time constant with which drift is taken back. */
const CORRECTION_US = 4_000_000
/** Greatest change of speed, rounded up to whole samples a frame: half a percent is a twelfth of a semitone. */
const MAX_STRETCH = 0.005
/** Anchors whose sound has not come out yet; more than one only where timestamps jump at every frame. */
const MAX_ANCHORS = 64
