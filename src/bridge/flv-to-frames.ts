import { GatewayError } from "../errors.ts"
import { type AudioTag, parseAudioTag } from "../flv/audio-tag.ts"
import { parseColorInfo } from "../flv/color-info.ts"
import { parseVideoTag, type VideoFrameTag, type VideoTag } from "../flv/video-tag.ts"
import type { ColorInfo } from "../media/color-info.ts"
import type { AacFrame, OpusFrame, PassedAudioFrame, Track, VideoFrame, VideoTrack } from "../media/frame.ts"
import { FlvAudioClock } from "./flv-audio-clock.ts"
import { createFlvPictures, type FlvPictures } from "./flv-pictures.ts"
import { type FlvSound, FlvSounds } from "./flv-sound.ts"
import { FlvTimeline } from "./flv-timeline.ts"
import { FlvTrackChoice } from "./flv-track-choice.ts"

/**
 * Makes frames of the audio and video messages of one RTMP publisher (or the tags of one FLV stream). Of several tracks of a kind the default one
 * makes the frames. What nothing here carries is left out, and `problem` tells of it, as long as the other kind can be used.
 *
 * Frames borrow from the bodies, which must not be written to afterwards. Throws `flv.tag`, a `media.…` error or `bytes.truncated`; a
 * publisher whose media cannot be used should then be told so.
 */
export class FlvToFrames {
  readonly #timeline: FlvTimeline
  readonly #choices = { video: new FlvTrackChoice(), audio: new FlvTrackChoice() }
  readonly #problems: { video: string | undefined; audio: string | undefined } = { video: undefined, audio: undefined }
  #pictures: FlvPictures | undefined
  #sounds = new FlvSounds()
  #clock: { readonly track: Track; readonly clock: FlvAudioClock } | undefined
  /** What the next keyframe takes into its track; null where the publisher took it back. */
  #nextColorInfo: ColorInfo | null | undefined
  #colorInfo: ColorInfo | undefined
  /** The track with the colours, made of the one without. */
  #colored: { readonly plain: VideoTrack; readonly track: VideoTrack } | undefined
  #hasFrames = false
  #firstProblemMs: number | undefined
  #hasBFrames = false
  #lastVideoPtsUs = Number.NEGATIVE_INFINITY
  #lastAudioPtsUs = Number.NEGATIVE_INFINITY

  /** `baseUs` is the place of the first message on the stream's timeline. */
  constructor(baseUs: number) {
    this.#timeline = new FlvTimeline(baseUs)
  }

  /** True once there was a B slice of H.264 or a picture shown before the one decoded ahead of it. */
  get hasBFrames(): boolean {
    return this.#hasBFrames
  }

  /** Why a kind is left out, as a sentence; undefined where it is not. */
  problem(kind: Track["kind"]): string | undefined {
    return this.#problems[kind]
  }

  /** How many tracks of a kind are left out because another one is the default. */
  otherTracks(kind: Track["kind"]): number {
    return this.#choices[kind].others
  }

  /**
   * Takes the body of a video message that arrived at `nowMs`, a time of any clock; undefined where it makes no frame: headers, or pictures
   * before the first header.
   */
  pushVideo(timestampMs: number, body: Uint8Array, nowMs: number): VideoFrame | undefined {
    if (body.length === 0) return undefined
    const message = parseVideoTag(body)
    const chosen = this.#choices.video.choose(message)
    if (chosen?.isOther) this.#pictures = undefined
    const frame = chosen && this.#takeVideo(chosen.tag, timestampMs, message.timestampOffsetNs, nowMs)
    this.#refuseWhereNothingIsUsable(frame !== undefined, nowMs)
    return frame
  }

  /** Takes the body of an audio message that arrived at `nowMs`; undefined where it makes no frame. */
  pushAudio(timestampMs: number, body: Uint8Array, nowMs: number): AacFrame | OpusFrame | PassedAudioFrame | undefined {
    if (body.length === 0) return undefined
    const message = parseAudioTag(body)
    const chosen = this.#choices.audio.choose(message)
    if (chosen?.isOther) this.#sounds = new FlvSounds()
    const frame = chosen && this.#takeAudio(chosen.tag, timestampMs, message.timestampOffsetNs, nowMs)
    this.#refuseWhereNothingIsUsable(frame !== undefined, nowMs)
    return frame
  }

  #takeVideo(tag: VideoTag, timestampMs: number, offsetNs: number, nowMs: number): VideoFrame | undefined {
    if (tag.type === "unsupported") this.#problems.video = `the video is in ${tag.title}, ${VIDEO_ADVICE}`
    if (tag.type === "metadata") this.#takeColorInfo(parseColorInfo(tag.amf))
    if (tag.type !== "config" && tag.type !== "frame") return undefined
    if (this.#pictures?.codec !== tag.codec) this.#pictures = createFlvPictures(tag.codec)
    if (tag.type === "frame") return this.#videoFrame(this.#pictures, tag, timestampMs, offsetNs, nowMs)
    const { record } = tag
    // ffmpeg sends an empty one while it does not know what to say yet.
    if (record.length === 0) return undefined
    this.#problems.video = problemOf("video", () => this.#pictures?.configure(record))
    return undefined
  }

  #videoFrame(
    pictures: FlvPictures,
    tag: VideoFrameTag,
    timestampMs: number,
    offsetNs: number,
    nowMs: number,
  ): VideoFrame | undefined {
    const picture = pictures.read(tag.data, tag.isKeyframe)
    if (picture === undefined) return undefined
    const { isKeyframe, units, isBidirectional } = picture
    const dtsUs = this.#timeline.map("video", timestampMs, nowMs, toUs(offsetNs))
    const ptsUs = Math.max(0, dtsUs + tag.compositionTimeMs * 1000)
    if (isBidirectional === true || ptsUs < this.#lastVideoPtsUs) this.#hasBFrames = true
    this.#lastVideoPtsUs = ptsUs
    return { track: this.#coloredTrack(picture.track, isKeyframe), dtsUs, ptsUs, isKeyframe, units }
  }

  #takeColorInfo(info: ColorInfo | null | undefined): void {
    if (info !== undefined) this.#nextColorInfo = sameColors(info, this.#colorInfo ?? null) ? undefined : info
  }

  /** Colours change with keyframes alone: another track in the middle would begin a configuration that cannot be decoded. */
  #coloredTrack(plain: VideoTrack, isKeyframe: boolean): VideoTrack {
    if (isKeyframe && this.#nextColorInfo !== undefined) {
      this.#colorInfo = this.#nextColorInfo ?? undefined
      this.#nextColorInfo = undefined
    }
    const colorInfo = this.#colorInfo
    if (colorInfo === undefined) return plain
    if (this.#colored?.plain !== plain || this.#colored.track.colorInfo !== colorInfo) {
      this.#colored = { plain, track: { ...plain, colorInfo } }
    }
    return this.#colored.track
  }

  #takeAudio(tag: AudioTag, timestampMs: number, offsetNs: number, nowMs: number) {
    if (tag.type === "unsupported") {
      this.#problems.audio = `the sound is in ${tag.title}, ${AUDIO_ADVICE}`
      return undefined
    }
    let sound: FlvSound | undefined
    const problem = problemOf("sound", () => {
      sound = this.#sounds.read(tag)
    })
    if (tag.type === "config" || problem !== undefined) this.#problems.audio = problem
    if (sound === undefined) return undefined
    const timeUs = this.#timeline.map("audio", timestampMs, nowMs, toUs(offsetNs))
    const { track, data, samples } = sound
    const clock = samples === undefined ? undefined : this.#clockOf(track, track.sampleRateHz)
    const ptsUs = Math.max(clock?.next(timeUs, samples ?? 0) ?? timeUs, this.#lastAudioPtsUs + 1)
    this.#lastAudioPtsUs = ptsUs
    return { track, ptsUs, data } as AacFrame | OpusFrame | PassedAudioFrame
  }

  #clockOf(track: Track, sampleRateHz: number): FlvAudioClock {
    if (this.#clock?.track !== track) this.#clock = { track, clock: new FlvAudioClock(sampleRateHz) }
    return this.#clock.clock
  }

  /** A kind that cannot be used is only told of, unless the other one cannot either or does not come. */
  #refuseWhereNothingIsUsable(madeFrame: boolean, nowMs: number): void {
    this.#hasFrames ||= madeFrame
    const { video, audio } = this.#problems
    if (this.#hasFrames || (video === undefined && audio === undefined)) return
    this.#firstProblemMs ??= nowMs
    if ((video === undefined || audio === undefined) && nowMs - this.#firstProblemMs < MAX_WAIT_MS) return
    throw new GatewayError("flv.tag", [video, audio].filter((sentence) => sentence !== undefined).join("; "))
  }
}

/** Takes something, and says what is wrong with it. */
function problemOf(kind: string, take: () => void): string | undefined {
  try {
    take()
    return undefined
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    return `the ${kind} cannot be used: ${error.message}`
  }
}

function toUs(offsetNs: number): number {
  return Math.round(offsetNs / 1000)
}

/** Both have their fields in the order of `COLOR_INFO_FIELDS`. */
function sameColors(a: ColorInfo | null, b: ColorInfo | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Where only one kind has come and cannot be used, the other one may come for so long. */
const MAX_WAIT_MS = 3_000
const VIDEO_ADVICE = "which is not supported: set the encoder to H.264, HEVC, AV1, VP9 or VP8"
const AUDIO_ADVICE = "which is not supported: set the encoder to AAC or Opus"
