import type { VideoCodec } from "../media/codec.ts"
import type { PassedExtension } from "../media/header-extension.ts"
import { CLOCK_RATE_HZ, type LanePacket, type RtpBatch } from "../media/packet.ts"
import { usToTicks } from "../media/time.ts"
import { createPayloadInspector } from "../rtp/create-payload-inspector.ts"
import { NOTHING_FOUND, type PayloadFinding, type PayloadInspector } from "../rtp/payload-inspector.ts"
import { withoutVp8PictureIds } from "../rtp/vp8-payload.ts"
import { LaneNumbers } from "./rtp-lane-numbers.ts"

/** A publisher's packet, decrypted and parsed. */
export interface PublisherPacket {
  readonly ssrc: number
  readonly sequenceNumber: number
  readonly timestamp: number
  readonly marker: boolean
  readonly payload: Uint8Array
  /** Header extensions that go on to viewers; their values stay as they are. */
  readonly extensions?: readonly PassedExtension[]
}

/** How a publisher's packets get into a lane. */
export interface RtpPassthroughOptions {
  readonly codec: VideoCodec | "opus"
  /** The last batch of the lane before: numbers and timestamps go on from it. */
  readonly previous?: RtpBatch | undefined
  /** True (the default) copies each payload, since a receive buffer is used again; false may pass on the payload itself. */
  readonly isPayloadBorrowed?: boolean
}

/** What a passthrough did with packets, counted since it was made. */
export interface RtpPassthroughCounters {
  /** Older than the source's first packet or far outside its numbering. */
  droppedPackets: number
  /** Keyframes that got the parameter sets known from before. */
  completedKeyframes: number
}

/**
 * Puts a publisher's packets into the lane at once, in the order of their arrival: nothing waits for a frame to be complete, and a viewer's
 * own jitter buffer puts late ones right. Sequence numbers and timestamps are mapped onto the lane's, which run
 * on through a new SSRC, an encoder's restart and a publisher's return. Where a keyframe of H.264 or H.265 comes without parameter sets in its
 * timestamp, a packet with those known from before is put in front of it, and the numbers after it move up. VP8 goes on without its picture
 * ids, which would not run on.
 */
export class RtpPassthrough {
  readonly counters: RtpPassthroughCounters = { droppedPackets: 0, completedKeyframes: 0 }
  readonly #kind: "video" | "audio"
  readonly #clockRateHz: number
  readonly #isPayloadBorrowed: boolean
  readonly #isVp8: boolean
  readonly #numbers: LaneNumbers
  /** None for sound, which can begin with any packet. */
  readonly #inspector: PayloadInspector | undefined
  #ssrc: number | undefined
  #retiredSsrc: number | undefined
  /** The newest packet's timestamps and time; undefined before the first one. */
  #newest: { sourceTicks: number; laneTicks: number; ptsUs: number } | undefined

  constructor({ codec, previous, isPayloadBorrowed = true }: RtpPassthroughOptions) {
    const kind = codec === "opus" ? "audio" : "video"
    this.#kind = kind
    this.#inspector = codec === "opus" ? undefined : createPayloadInspector(codec)
    this.#clockRateHz = CLOCK_RATE_HZ[kind]
    this.#isPayloadBorrowed = isPayloadBorrowed
    this.#isVp8 = codec === "vp8"
    const last = previous?.packets.at(-1)
    this.#numbers = new LaneNumbers(last === undefined ? 0 : last.sequenceNumber + 1)
    if (previous !== undefined) {
      this.#newest = { sourceTicks: 0, laneTicks: previous.timestamp, ptsUs: previous.ptsUs }
    }
  }

  /** The packets that follow are another source's even if its SSRC is the same: a publisher has come back. */
  restart(): void {
    this.#ssrc = undefined
    this.#retiredSsrc = undefined
  }

  /** Parameter sets known from elsewhere, `sprop-parameter-sets` in SDP for example; broken ones are ignored. */
  addParameterSet(nalUnit: Uint8Array): void {
    this.#inspector?.addParameterSet(nalUnit)
  }

  /**
   * Takes a packet and its time on the stream's timeline (`TimelineClock`); returns it as a batch of the lane, with parameter sets in front
   * where they are missing, or undefined where it does not belong in.
   */
  push(packet: PublisherPacket, ptsUs: number): RtpBatch | undefined {
    const isNewSource = packet.ssrc !== this.#ssrc
    if (isNewSource) {
      if (packet.ssrc === this.#retiredSsrc) return this.#drop()
      this.#retiredSsrc = this.#ssrc
      this.#ssrc = packet.ssrc
      this.#numbers.startSource(packet.sequenceNumber)
      this.#inspector?.startSource()
    }
    const place = this.#numbers.place(packet.sequenceNumber)
    if (place === undefined) return this.#drop()
    const timestamp = this.#laneTimestamp(packet.timestamp, ptsUs, isNewSource)
    const payload = this.#keptPayload(packet.payload)
    const finding = this.#inspect(packet.timestamp, payload, place.isNewest)
    const packets: LanePacket[] = []
    for (const sets of finding.missingSets) {
      packets.push({ sequenceNumber: this.#numbers.insertBefore(place), marker: false, payload: sets })
    }
    const { marker, extensions } = packet
    const sequenceNumber = this.#numbers.numberOf(place)
    packets.push({ sequenceNumber, marker, payload, ...(extensions !== undefined && { extensions }) })
    const { startsKeyframe, widthPx, heightPx, reorderDepth } = finding
    const size = widthPx !== undefined && heightPx !== undefined && { widthPx, heightPx }
    const reordering = startsKeyframe && reorderDepth !== undefined && { reorderDepth }
    return { kind: this.#kind, timestamp, ptsUs, startsKeyframe, ...size, ...reordering, packets }
  }

  #keptPayload(payload: Uint8Array): Uint8Array {
    const passed = this.#isVp8 ? withoutVp8PictureIds(payload) : payload
    return this.#isPayloadBorrowed && passed === payload ? new Uint8Array(payload) : passed
  }

  #drop(): undefined {
    this.counters.droppedPackets++
    return undefined
  }

  #inspect(timestamp: number, payload: Uint8Array, isNewest: boolean): PayloadFinding {
    const found = this.#inspector?.inspect(timestamp, payload) ?? NOTHING_FOUND
    if (found.missingSets.length === 0) return found
    // Behind a packet that overtook this one there is no number left for another.
    if (!isNewest) return NOTHING_FOUND
    this.counters.completedKeyframes++
    return found
  }

  /**
   * The difference between the source's and the lane's timestamps stays the same, so that receivers see the source's own clock.
   * Where source and timeline go apart from one packet to the next, the source has jumped and the timeline tells how far.
   */
  #laneTimestamp(sourceTicks: number, ptsUs: number, isNewSource: boolean): number {
    const newest = this.#newest
    if (newest === undefined) {
      const laneTicks = usToTicks(ptsUs, this.#clockRateHz) >>> 0
      this.#newest = { sourceTicks, laneTicks, ptsUs }
      return laneTicks
    }
    const sourceStep = (sourceTicks - newest.sourceTicks) | 0
    const timelineStep = usToTicks(ptsUs, this.#clockRateHz) - usToTicks(newest.ptsUs, this.#clockRateHz)
    const hasJumped = isNewSource || Math.abs(sourceStep - timelineStep) > this.#clockRateHz * MAX_STEP_ERROR_S
    const step = hasJumped ? Math.max(timelineStep, 1) : sourceStep
    const laneTicks = (newest.laneTicks + step) >>> 0
    if (step > 0) this.#newest = { sourceTicks, laneTicks, ptsUs }
    return laneTicks
  }
}

const MAX_STEP_ERROR_S = 0.5
