import { unwrapU32 } from "../media/time.ts"
import { type NtpTime, ntpToUs } from "./ntp.ts"

/**
 * What the tracks of one publisher share: which clocks are in use, and where its times may begin. One object per publisher
 * session, handed to the `TimelineClock` of each track.
 */
export class PublisherClock {
  /** The clock of each kind that has a time. */
  readonly tracks: { audio: TimelineClock | undefined; video: TimelineClock | undefined } = {
    audio: undefined,
    video: undefined,
  }
  readonly #earliestUs: number

  /** No time of this publisher lies before `earliestUs`, the end of what was published before it. */
  constructor(earliestUs: number) {
    this.#earliestUs = earliestUs
  }

  /** The time for the publisher's first packet. */
  startUs(arrivalUs: number): number {
    return Math.max(arrivalUs, this.#earliestUs)
  }
}

/** What a `TimelineClock` is made for. */
export interface TimelineClockOptions {
  readonly kind: "audio" | "video"
  readonly clockRateHz: number
}

/**
 * Maps RTP timestamps of one SSRC to the stream's timeline.
 *
 * The publisher's first packet stands where it arrives. From then on times follow the RTP clock, so that pictures are as even as the
 * source made them and never move back: encoders and muxers refuse two pictures that fall together. Being ahead of
 * arrival does no harm, so nothing is done about a first packet that came late.
 *
 * The tracks are kept together by a clock that they have in common: the sender's wall clock, as soon as two reports of each say
 * how their RTP clocks lie to it; until then arrival, by the least delay seen. Where they come apart by much, the one that is
 * behind is moved forward at once. A busy browser loses sound that it should have recorded and numbers on as if nothing were missing: a report
 * that says so is believed as soon as packets have come later by as much and those of the other track have not. The rest, and what the clocks drift, the sound follows slowly, as its times are labels
 * that a decoder answers by stretching. Reports are never waited for, and those that cannot be true are ignored: a timestamp far
 * from the track's (one reporter for several SSRCs), a wall clock that jumps, tracks that would be more than a second apart.
 *
 * Only times that are more than a second from arrival follow it, by 0.05 percent: those of a sender whose clock has drifted
 * for hours. A jump of RTP timestamps by more than the time that has passed is an encoder's restart.
 */
export class TimelineClock {
  readonly #publisher: PublisherClock
  readonly #kind: "audio" | "video"
  readonly #ticksPerUs: number
  #newestTicks: number | undefined
  /** Added to the RTP clock's microseconds to get the timeline's. */
  #offsetUs = 0
  /** Added to the RTP clock's microseconds to get the arrival of a packet with the least delay. */
  #arrivalOffsetUs = 0
  #lateSinceUs: number | undefined
  readonly #recentArrival = new RecentMinimum()
  /** Added to the RTP clock's microseconds to get the sender's wall clock: what the latest reports say, and what is believed of it. */
  #wallOffsetsUs: number[] = []
  #wallOffsetUs: number | undefined
  /** For how long this track has been behind the other by much. */
  #behindForUs = 0

  constructor(publisher: PublisherClock, { kind, clockRateHz }: TimelineClockOptions) {
    this.#publisher = publisher
    this.#kind = kind
    this.#ticksPerUs = clockRateHz / 1_000_000
  }

  /**
   * Returns the time of a packet on the stream's timeline, in µs; `arrivalUs` is now, on the same timeline. Packets of one timestamp
   * get one time as long as no later ones come between them.
   */
  toTimelineUs(rtpTimestamp: number, arrivalUs: number): number {
    const newest = this.#newestTicks
    const ticks = newest === undefined ? rtpTimestamp : unwrapU32(rtpTimestamp, newest)
    if (newest === undefined) this.#anchor(ticks, arrivalUs, Number.NEGATIVE_INFINITY)
    else if (this.#hasJumped(ticks, newest, arrivalUs)) this.#anchor(ticks, arrivalUs, this.#timeOf(newest) + 1)
    else if (ticks > newest) this.#advance(ticks, newest, arrivalUs)
    return this.#timeOf(ticks)
  }

  /** Takes a sender report that names this track's SSRC. */
  onSenderReport(report: NtpTime & { readonly rtpTimestamp: number }): void {
    if (this.#newestTicks === undefined || report.ntpSeconds === 0) return
    const ticks = unwrapU32(report.rtpTimestamp, this.#newestTicks)
    if (Math.abs(ticks - this.#newestTicks) > this.#ticksPerUs * MAX_REPORT_DISTANCE_US) return
    const wallOffsetUs = ntpToUs(report) - ticks / this.#ticksPerUs
    if (this.#hasPaused(wallOffsetUs)) {
      this.#arrivalOffsetUs += this.#delayedUs
      this.#wallOffsetsUs = [wallOffsetUs]
    }
    this.#wallOffsetsUs.push(wallOffsetUs)
    if (this.#wallOffsetsUs.length > REPORTS_KEPT) this.#wallOffsetsUs.shift()
    // Busy senders (libdatachannel) write reports late, which makes them too great. One that is far too small is nonsense.
    const rank = this.#wallOffsetsUs.length === REPORTS_KEPT ? 1 : 0
    this.#wallOffsetUs = this.#wallOffsetsUs.toSorted((x, y) => x - y)[rank]
  }

  /** The publisher's track is gone or got another SSRC: the other one goes by this clock no longer. */
  close(): void {
    if (this.#publisher.tracks[this.#kind] === this) this.#publisher.tracks[this.#kind] = undefined
  }

  #timeOf(ticks: number): number {
    return Math.round(ticks / this.#ticksPerUs + this.#offsetUs)
  }

  /** How far times are ahead of arrival. */
  get #leadUs(): number {
    return this.#offsetUs - this.#arrivalOffsetUs
  }

  /** By how much longer packets take of late than the fastest did before. */
  get #delayedUs(): number {
    return this.#recentArrival.value - this.#arrivalOffsetUs
  }

  get #other(): TimelineClock | undefined {
    return this.#publisher.tracks[this.#kind === "audio" ? "video" : "audio"]
  }

  /** Begins at this packet, in step with the other track, and not before `notBeforeUs`. */
  #anchor(ticks: number, arrivalUs: number, notBeforeUs: number): void {
    const arrivalOffsetUs = arrivalUs - ticks / this.#ticksPerUs
    const other = this.#other
    let leadUs = this.#publisher.startUs(arrivalUs) - arrivalUs
    if (other !== undefined) leadUs = other.#leadUs
    else if (this.#newestTicks !== undefined) leadUs = this.#leadUs
    this.#newestTicks = ticks
    this.#arrivalOffsetUs = arrivalOffsetUs
    this.#recentArrival.restart(arrivalOffsetUs, arrivalUs)
    this.#offsetUs = arrivalOffsetUs + Math.max(leadUs, notBeforeUs - arrivalUs)
    this.#lateSinceUs = undefined
    this.#wallOffsetsUs = []
    this.#wallOffsetUs = undefined
    this.#behindForUs = 0
    this.#publisher.tracks[this.#kind] = this
  }

  /**
   * The RTP clock stood still for a moment, while the wall clock of this report went on. A report that was only written late says so too, and a
   * queue in the network looks like it: both together are proof, unless the other track waits in that queue as well.
   */
  #hasPaused(wallOffsetUs: number): boolean {
    if (this.#wallOffsetUs === undefined) return false
    const pauseUs = wallOffsetUs - this.#wallOffsetUs
    const other = this.#other
    const isQueue = other !== undefined && other.#delayedUs > pauseUs / 2
    return pauseUs > MIN_PAUSE_US && Math.abs(this.#delayedUs - pauseUs) < pauseUs / 4 && !isQueue
  }

  #hasJumped(ticks: number, newest: number, arrivalUs: number): boolean {
    const stepUs = (ticks - newest) / this.#ticksPerUs
    if (stepUs < -MAX_BACKWARD_US) return true
    const latenessUs = arrivalUs - ticks / this.#ticksPerUs - this.#arrivalOffsetUs
    if (latenessUs < -MAX_EARLY_US) return true
    // Lateness that stays is a pause of the sender's clock; a network that was blocked catches up.
    if (latenessUs < MAX_LATE_US) this.#lateSinceUs = undefined
    else this.#lateSinceUs ??= arrivalUs
    return this.#lateSinceUs !== undefined && stepUs > 0 && arrivalUs - this.#lateSinceUs > MAX_LATE_DURATION_US
  }

  #advance(ticks: number, newest: number, arrivalUs: number): void {
    const stepUs = (ticks - newest) / this.#ticksPerUs
    const risenUs = this.#arrivalOffsetUs + stepUs * MAX_DRIFT
    const arrivalOffsetUs = arrivalUs - ticks / this.#ticksPerUs
    this.#arrivalOffsetUs = Math.min(risenUs, arrivalOffsetUs)
    this.#recentArrival.push(arrivalOffsetUs, arrivalUs)
    this.#newestTicks = ticks
    const excessUs = Math.abs(this.#leadUs) - MAX_LEAD_US
    if (excessUs > 0) this.#offsetUs -= Math.sign(this.#leadUs) * Math.min(excessUs, stepUs * MAX_DRIFT)
    this.#follow(stepUs)
  }

  /** Keeps together with the other track. */
  #follow(stepUs: number): void {
    const behindUs = this.#behindOtherUs()
    this.#behindForUs = behindUs > JUMP_US && this.#leadUs < MAX_LEAD_US ? this.#behindForUs + stepUs : 0
    if (this.#behindForUs > JUMP_AFTER_US) this.#offsetUs += Math.min(behindUs, MAX_JUMP_US)
    else if (this.#kind === "audio") {
      const limitUs = stepUs * MAX_SLEW
      this.#offsetUs += Math.min(Math.max((behindUs * stepUs) / SLEW_TIME_US, -limitUs), limitUs)
    }
  }

  /** By how much this track's times are too small for the moment that they are of, compared with those of the other track. */
  #behindOtherUs(): number {
    const other = this.#other
    if (other === undefined) return 0
    const byArrivalUs = other.#leadUs - this.#leadUs
    if (this.#wallOffsetsUs.length < MIN_REPORTS || other.#wallOffsetsUs.length < MIN_REPORTS) return byArrivalUs
    if (this.#wallOffsetUs === undefined || other.#wallOffsetUs === undefined) return byArrivalUs
    const byReportsUs = other.#offsetUs - other.#wallOffsetUs - (this.#offsetUs - this.#wallOffsetUs)
    return Math.abs(byReportsUs - byArrivalUs) <= MAX_TRACK_DISTANCE_US ? byReportsUs : byArrivalUs
  }
}

/** The least of the values of the last moment, in two steps of half a second. */
class RecentMinimum {
  #current = Number.POSITIVE_INFINITY
  #before = Number.POSITIVE_INFINITY
  #sinceUs = 0

  get value(): number {
    return Math.min(this.#current, this.#before)
  }

  restart(value: number, nowUs: number): void {
    this.#current = value
    this.#before = value
    this.#sinceUs = nowUs
  }

  push(value: number, nowUs: number): void {
    if (nowUs - this.#sinceUs >= RECENT_STEP_US) {
      this.#before = this.#current
      this.#current = value
      this.#sinceUs = nowUs
    } else this.#current = Math.min(this.#current, value)
  }
}

const RECENT_STEP_US = 500_000
/** Shorter ones are followed slowly. */
const MIN_PAUSE_US = 20_000
/** Tracks this far apart are seen to be; a gap of this length is not. */
const JUMP_US = 45_000
/** The first packet in time after a queue is followed by the other track's within this time. */
const JUMP_AFTER_US = 500_000
/** Per packet; a step that is longer would be taken for a break of the source. */
const MAX_JUMP_US = 400_000
/** What a decoder of sound can follow by stretching. */
const MAX_SLEW = 0.005
/** Time constant of the slow approach. */
const SLEW_TIME_US = 4_000_000
/** Crystals are within 100 ppm; 500 follow two bad ones quickly, yet a queue in the network moves little. */
const MAX_DRIFT = 0.0005
const MAX_LEAD_US = 1_000_000
const MAX_BACKWARD_US = 2_000_000
const MAX_EARLY_US = 1_000_000
const MAX_LATE_US = 500_000
const MAX_LATE_DURATION_US = 5_000_000
const MAX_REPORT_DISTANCE_US = 10_000_000
const MIN_REPORTS = 2
const REPORTS_KEPT = 5
const MAX_TRACK_DISTANCE_US = 1_000_000
