import { GatewayError } from "../errors.ts"
import { parseAudioTag } from "../flv/audio-tag.ts"
import { parseVideoTag, type VideoFrameTag } from "../flv/video-tag.ts"
import { parseAacConfig } from "../media/aac.ts"
import { ByteReader, equalBytes } from "../media/bytes.ts"
import type { AacFrame, AacTrack, OpusFrame, OpusTrack, PassedAudioFrame, VideoFrame } from "../media/frame.ts"
import { isSliceNal, NAL_TYPE, nalType, parseAvcConfig, sliceType } from "../media/h264.ts"
import { H264ParameterSets } from "../rtp/h264-parameter-sets.ts"
import { FlvAudioClock } from "./flv-audio-clock.ts"
import { FlvTimeline } from "./flv-timeline.ts"

/**
 * Makes frames of the audio and video messages of one RTMP publisher (or the tags of one FLV stream).
 *
 * Frames borrow from the bodies, which must not be written to afterwards. Throws `flv.tag`, `media.h264`, `media.aac`,
 * `media.opus` or `bytes.truncated`; a publisher whose media cannot be used should then be told so.
 */
export class FlvToFrames {
  readonly #timeline: FlvTimeline
  readonly #parameterSets = new H264ParameterSets()
  #nalLengthBytes: number | undefined
  #audio: AudioState | undefined
  #hasBFrames = false
  #lastVideoPtsUs = Number.NEGATIVE_INFINITY
  #lastAudioPtsUs = Number.NEGATIVE_INFINITY

  /** `baseUs` is the place of the first message on the stream's timeline. */
  constructor(baseUs: number) {
    this.#timeline = new FlvTimeline(baseUs)
  }

  /** True once there was a B slice or a picture shown before the one decoded ahead of it. */
  get hasBFrames(): boolean {
    return this.#hasBFrames
  }

  /** Takes the body of a video message that arrived at `nowMs`, a time of any clock; undefined where it makes no frame: headers, or pictures before the first header. */
  pushVideo(timestampMs: number, body: Uint8Array, nowMs: number): VideoFrame | undefined {
    if (body.length === 0) return undefined
    const tag = parseVideoTag(body)
    if (tag.type === "config") this.#configureVideo(tag.record)
    return tag.type === "frame" ? this.#videoFrame(timestampMs, tag, nowMs) : undefined
  }

  /** Takes the body of an audio message that arrived at `nowMs`; undefined where it makes no frame. */
  pushAudio(timestampMs: number, body: Uint8Array, nowMs: number): AacFrame | OpusFrame | PassedAudioFrame | undefined {
    if (body.length === 0) return undefined
    const tag = parseAudioTag(body)
    if (tag.type === "config") {
      this.#configureAudio(tag.codec, tag.config)
      return undefined
    }
    const audio = this.#audio
    if (tag.type !== "frame" || tag.data.length === 0 || audio?.track.codec !== tag.codec) return undefined
    const timeUs = this.#timeline.map("audio", timestampMs, nowMs)
    const ptsUs = Math.max(audio.clock?.next(timeUs, audio.samplesPerFrame) ?? timeUs, this.#lastAudioPtsUs + 1)
    this.#lastAudioPtsUs = ptsUs
    return { track: audio.track, ptsUs, data: tag.data } as AacFrame | OpusFrame
  }

  #configureVideo(record: Uint8Array): void {
    const { sps, pps, nalLengthBytes } = parseAvcConfig(record)
    for (const nalUnit of [...sps, ...pps]) this.#parameterSets.add(nalUnit)
    this.#nalLengthBytes = nalLengthBytes
  }

  #videoFrame(timestampMs: number, tag: VideoFrameTag, nowMs: number): VideoFrame | undefined {
    if (this.#nalLengthBytes === undefined) return undefined
    const nalUnits: Uint8Array[] = []
    let firstSlice: Uint8Array | undefined
    let isIdr = false
    for (const nalUnit of splitNalUnits(tag.data, this.#nalLengthBytes)) {
      const type = nalType(nalUnit)
      if (type === NAL_TYPE.sps || type === NAL_TYPE.pps) this.#parameterSets.add(nalUnit)
      else if (!DROPPED_TYPES.has(type)) nalUnits.push(nalUnit)
      if (type === NAL_TYPE.idrSlice) isIdr = true
      if (firstSlice === undefined && isSliceNal(nalUnit)) firstSlice = nalUnit
    }
    if (firstSlice === undefined) return undefined
    const track = this.#parameterSets.activate()
    if (track === undefined) return undefined
    const slice = sliceType(firstSlice)
    const dtsUs = this.#timeline.map("video", timestampMs, nowMs)
    const ptsUs = Math.max(0, dtsUs + tag.compositionTimeMs * 1000)
    if (slice === "B" || ptsUs < this.#lastVideoPtsUs) this.#hasBFrames = true
    this.#lastVideoPtsUs = ptsUs
    // Open groups of pictures begin with an I slice that is no IDR; the publisher's word counts for those.
    return { track, dtsUs, ptsUs, isKeyframe: isIdr || (tag.isKeyframe && slice === "I"), units: nalUnits }
  }

  #configureAudio(codec: "aac" | "opus", config: Uint8Array): void {
    const before = this.#audio
    if (before?.track.codec === codec && equalBytes(before.config, config)) return
    this.#audio = codec === "aac" ? aacState(config) : opusState(config)
  }
}

/** The audio track in use, and what makes its times. */
interface AudioState {
  readonly config: Uint8Array
  readonly track: AacTrack | OpusTrack
  readonly clock: FlvAudioClock | undefined
  readonly samplesPerFrame: number
}

function aacState(config: Uint8Array): AudioState {
  const { sampleRateHz, channels, samplesPerFrame } = parseAacConfig(config)
  const track: AacTrack = { kind: "audio", codec: "aac", audioSpecificConfig: config, sampleRateHz, channels }
  return { config, track, clock: new FlvAudioClock(sampleRateHz), samplesPerFrame }
}

/** RFC 7845 section 5.1; the packets of Opus say themselves how long they are, so there is no sample clock. */
function opusState(config: Uint8Array): AudioState {
  const channels = config[9]
  if (channels === undefined || channels < 1 || channels > 2) {
    throw new GatewayError("media.opus", `Opus with ${channels ?? "an unknown number of"} channels`)
  }
  return {
    config,
    track: { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels },
    clock: undefined,
    samplesPerFrame: 0,
  }
}

function splitNalUnits(data: Uint8Array, lengthBytes: number): Uint8Array[] {
  const reader = new ByteReader(data)
  const nalUnits: Uint8Array[] = []
  while (reader.remaining > 0) {
    const length = lengthBytes === 4 ? reader.u32() : lengthBytes === 2 ? reader.u16() : reader.u8()
    const nalUnit = reader.take(length)
    if (length > 0) nalUnits.push(nalUnit)
  }
  return nalUnits
}

const DROPPED_TYPES: ReadonlySet<number> = new Set([
  NAL_TYPE.sps,
  NAL_TYPE.pps,
  NAL_TYPE.accessUnitDelimiter,
  NAL_TYPE.endOfSequence,
  NAL_TYPE.endOfStream,
  NAL_TYPE.filler,
])
