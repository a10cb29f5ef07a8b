/**
 * Maps the 32-bit millisecond timestamps of one publisher onto a stream's timeline, for video and audio alike.
 *
 * Where timestamps jump (a file that starts over, an encoder that was restarted) the timeline goes on: a new segment is
 * anchored at the end of what there was, and both tracks use it, so that they stay in step. Messages of the segment
 * before, which may still come in between, keep their place. A step forwards is no jump where that much time has passed.
 */
export class FlvTimeline {
  readonly #baseUs: number
  readonly #tracks = { video: new TrackTime(), audio: new TrackTime() }
  #current: Segment | undefined
  #previous: Segment | undefined
  #lastMs: number | undefined

  /** `baseUs` is the place of the first message on the stream's timeline. */
  constructor(baseUs: number) {
    this.#baseUs = baseUs
  }

  /**
   * Decoding time of a message that arrives at `nowMs`, a time of any clock; strictly increasing within each kind. `offsetUs`, 0 to 999, makes
   * its timestamp more exact.
   */
  map(kind: "video" | "audio", timestampMs: number, nowMs: number, offsetUs = 0): number {
    const track = this.#tracks[kind]
    const silenceUs = Math.round(Math.max(0, nowMs - (this.#lastMs ?? nowMs)) * 1000)
    this.#lastMs = nowMs
    const segment = this.#segmentFor(track, timestampMs, silenceUs)
    const timeUs = Math.max(segment.timeUs(timestampMs) + offsetUs, this.#baseUs, track.lastUs + 1)
    segment.advance(timestampMs)
    track.accept(timeUs)
    return timeUs
  }

  get #headUs(): number {
    return Math.max(this.#tracks.video.lastUs, this.#tracks.audio.lastUs)
  }

  #segmentFor(track: TrackTime, timestampMs: number, silenceUs: number): Segment {
    if (this.#current === undefined) this.#current = new Segment(timestampMs, this.#baseUs)
    else if (this.#fits(this.#current, track, timestampMs, silenceUs)) return this.#current
    else if (this.#previous !== undefined && this.#fits(this.#previous, track, timestampMs, silenceUs)) {
      return this.#previous
    } else {
      const nextUs = Math.max(this.#tracks.video.nextUs, this.#tracks.audio.nextUs)
      this.#previous = this.#current
      this.#current = new Segment(timestampMs, silenceUs > LONG_SILENCE_US ? this.#headUs + silenceUs : nextUs)
    }
    return this.#current
  }

  /** Backwards is judged by the track itself, forwards by both: one that was silent for a while has not jumped. */
  #fits(segment: Segment, track: TrackTime, timestampMs: number, silenceUs: number): boolean {
    const timeUs = segment.timeUs(timestampMs)
    const headUs = this.#headUs
    const earliestUs = track.hasBegun ? track.lastUs - MAX_BACKWARD_US : headUs - MAX_APART_US
    return timeUs >= earliestUs && timeUs <= headUs + silenceUs + MAX_APART_US
  }
}

/** A run of timestamps with one and the same offset to the timeline. */
class Segment {
  #anchorMs: number
  #anchorUs: number

  constructor(anchorMs: number, anchorUs: number) {
    this.#anchorMs = anchorMs
    this.#anchorUs = anchorUs
  }

  timeUs(timestampMs: number): number {
    return this.#anchorUs + ((timestampMs - this.#anchorMs) | 0) * 1000
  }

  /** Moves the anchor along, so that the 32-bit difference never wraps. */
  advance(timestampMs: number): void {
    if (((timestampMs - this.#anchorMs) | 0) < ANCHOR_STEP_MS) return
    this.#anchorUs = this.timeUs(timestampMs)
    this.#anchorMs = timestampMs
  }
}

class TrackTime {
  lastUs = Number.NEGATIVE_INFINITY
  #durationUs = 0

  get hasBegun(): boolean {
    return this.lastUs !== Number.NEGATIVE_INFINITY
  }

  /** Where the next frame is expected. */
  get nextUs(): number {
    return this.lastUs + this.#durationUs
  }

  accept(timeUs: number): void {
    const durationUs = timeUs - this.lastUs
    if (durationUs <= MAX_FRAME_US) this.#durationUs = durationUs
    this.lastUs = timeUs
  }
}

const MAX_BACKWARD_US = 200_000
/** Timestamps further ahead, or further behind at the beginning of a track, do not belong to the same run. */
const MAX_APART_US = 3_000_000
/** After so long a silence the place of what follows is told by the clock. */
const LONG_SILENCE_US = 500_000
/** A pause longer than this is not the length of a frame. */
const MAX_FRAME_US = 200_000
const ANCHOR_STEP_MS = 2 ** 30
