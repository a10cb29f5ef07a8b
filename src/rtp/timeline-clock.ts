import { unwrapU32 } from "../media/time.ts"
import { type NtpTime, ntpToUs } from "./ntp.ts"

/**
 * What the tracks of one publisher share: which track leads, and how its NTP clock lies to the stream's timeline. One object per
 * publisher session, handed to the `TimelineClock` of each track.
 */
export class PublisherClock {
  /** The track whose times stay as they are while others move to it: sound, as its gaps are heard. */
  leader: TimelineClock | undefined
}

/** What a `TimelineClock` is made for. */
export interface TimelineClockOptions {
  readonly kind: "audio" | "video"
  readonly clockRateHz: number
}

/**
 * Maps RTP timestamps of one SSRC to the stream's timeline.
 *
 * The first packet stands where it arrived. From then on times follow the RTP clock, and are corrected without jumps:
 * * towards the least delay seen between RTP clock and arrival, which finds out what the first packet was late and how the
 *   sender's clock drifts against ours. Tracks without sender reports keep together by this alone;
 * * towards the leading track, as soon as sender reports say for both how their RTP clocks lie to the sender's wall clock. Reports are never waited
 *   for, and those that cannot be true are ignored: a timestamp far from the track's (one reporter for several
 *   SSRCs), a wall clock that jumps, tracks that would be more than a second apart.
 *
 * A correction changes the time by at most 5 ms per second of media; sound by no more even at the start, pictures by a
 * fifth of their distance in the first ten seconds. So times of rising timestamps always rise. A jump of RTP
 * timestamps by more than the time that has passed is an encoder's restart: the next packet stands where it arrives.
 */
export class TimelineClock {
  readonly #publisher: PublisherClock
  readonly #kind: "audio" | "video"
  readonly #ticksPerUs: number
  #newestTicks: number | undefined
  /** Added to the RTP clock's microseconds to get the timeline's. */
  #offsetUs = 0
  /** What `#offsetUs` would be by arrival alone. */
  #arrivalOffsetUs = 0
  #anchorTicks = 0
  #lateSinceUs: number | undefined
  /** Sender's wall clock less RTP clock, smoothed. */
  #wallOffsetUs: number | undefined
  #suspectWallOffsetUs: number | undefined

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
    if (newest === undefined) this.#anchor(ticks, arrivalUs)
    else if (this.#hasJumped(ticks, newest, arrivalUs)) {
      // Where times ran ahead of arrival, they must not go back.
      this.#anchor(ticks, Math.max(arrivalUs, this.#timeOf(newest) + 1))
    } else if (ticks > newest) this.#advance(ticks, newest, arrivalUs)
    return this.#timeOf(ticks)
  }

  /** Takes a sender report that names this track's SSRC. */
  onSenderReport(report: NtpTime & { readonly rtpTimestamp: number }): void {
    if (this.#newestTicks === undefined || report.ntpSeconds === 0) return
    const ticks = unwrapU32(report.rtpTimestamp, this.#newestTicks)
    if (Math.abs(ticks - this.#newestTicks) > this.#ticksPerUs * MAX_REPORT_DISTANCE_US) return
    const wallOffsetUs = ntpToUs(report) - ticks / this.#ticksPerUs
    const known = this.#wallOffsetUs
    if (known === undefined) this.#wallOffsetUs = wallOffsetUs
    else if (Math.abs(wallOffsetUs - known) <= MAX_REPORT_STEP_US)
      this.#wallOffsetUs = known + (wallOffsetUs - known) / 4
    else if (Math.abs(wallOffsetUs - (this.#suspectWallOffsetUs ?? 0)) > MAX_REPORT_STEP_US) {
      this.#suspectWallOffsetUs = wallOffsetUs // believed when the next report says the same
      return
    } else this.#wallOffsetUs = wallOffsetUs
    this.#suspectWallOffsetUs = undefined
    const leader = this.#publisher.leader
    if (leader === undefined || (this.#kind === "audio" && leader.#kind !== "audio")) this.#publisher.leader = this
  }

  /** The publisher's track is gone or got another SSRC: it leads no longer. */
  close(): void {
    if (this.#publisher.leader === this) this.#publisher.leader = undefined
  }

  #timeOf(ticks: number): number {
    return Math.round(ticks / this.#ticksPerUs + this.#offsetUs)
  }

  #anchor(ticks: number, timeUs: number): void {
    this.#newestTicks = ticks
    this.#anchorTicks = ticks
    this.#offsetUs = timeUs - ticks / this.#ticksPerUs
    this.#arrivalOffsetUs = this.#offsetUs
    this.#lateSinceUs = undefined
    this.#wallOffsetUs = undefined
    this.#suspectWallOffsetUs = undefined
    this.close()
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
    this.#arrivalOffsetUs = Math.min(risenUs, arrivalUs - ticks / this.#ticksPerUs)
    const isStart = (ticks - this.#anchorTicks) / this.#ticksPerUs < START_US
    const limitUs = stepUs * (isStart && this.#kind === "video" ? START_SLEW : SLEW)
    const errorUs = this.#targetOffsetUs() - this.#offsetUs
    this.#offsetUs += Math.min(Math.max(errorUs, -limitUs), limitUs)
    this.#newestTicks = ticks
  }

  /** Where the offset should be: such that equal wall clock times of the sender get equal times, else by arrival. */
  #targetOffsetUs(): number {
    const leader = this.#publisher.leader
    if (leader === undefined || leader === this) return this.#arrivalOffsetUs
    if (this.#wallOffsetUs === undefined || leader.#wallOffsetUs === undefined) return this.#arrivalOffsetUs
    const byReportsUs = this.#wallOffsetUs + leader.#offsetUs - leader.#wallOffsetUs
    return Math.abs(byReportsUs - this.#arrivalOffsetUs) <= MAX_TRACK_DISTANCE_US ? byReportsUs : this.#arrivalOffsetUs
  }
}

const START_US = 10_000_000
const START_SLEW = 0.2
const SLEW = 0.005
/** Crystals are within 100 ppm; 500 follow two bad ones quickly, yet a queue in the network moves little. */
const MAX_DRIFT = 0.0005
const MAX_BACKWARD_US = 2_000_000
const MAX_EARLY_US = 1_000_000
const MAX_LATE_US = 500_000
const MAX_LATE_DURATION_US = 5_000_000
const MAX_REPORT_DISTANCE_US = 10_000_000
const MAX_REPORT_STEP_US = 100_000
const MAX_TRACK_DISTANCE_US = 1_000_000
