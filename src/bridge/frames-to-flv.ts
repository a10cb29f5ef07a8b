import { GatewayError } from "../errors.ts"
import { audioFrameHeader, serializeAudioConfig } from "../flv/audio-tag.ts"
import { AUDIO_ID, legacyIdOf, VIDEO_ID } from "../flv/codec-id.ts"
import { serializeColorInfo } from "../flv/color-info.ts"
import { AUDIO_FOURCC, type FourCcAudioCodec, fourCcNumber, hasFourCc, VIDEO_FOURCC } from "../flv/fourcc.ts"
import { serializeVideoConfig, serializeVideoFrameHeader, serializeVideoMetadata } from "../flv/video-tag.ts"
import { serializeAv1Config } from "../media/av1-config.ts"
import { obuWithSize } from "../media/av1-temporal-unit.ts"
import { ByteWriter } from "../media/bytes.ts"
import type { PassedAudioCodec, VideoCodec } from "../media/codec.ts"
import {
  type AudioFrame,
  type AudioTrack,
  isVideoFrame,
  type MediaFrame,
  type Track,
  type VideoFrame,
  type VideoTrack,
} from "../media/frame.ts"
import { serializeAvcConfig } from "../media/h264.ts"
import { serializeHevcConfig } from "../media/hevc-config.ts"
import { serializeVpConfig, VP8_FORMAT } from "../media/vp-config.ts"

/** The body of an RTMP audio or video message or FLV tag, in parts that follow one another. */
export interface FlvBody {
  readonly kind: Track["kind"]
  /** Unsigned 32 bits, wraps. */
  readonly timestampMs: number
  readonly parts: readonly Uint8Array[]
}

/**
 * Makes the body of a frame; the parts borrow from the frame. H.264 and AAC as every peer knows them, all else by Enhanced RTMP, but for
 * passed sound of before that, which stays as it came.
 */
export function frameToFlv(frame: MediaFrame): FlvBody {
  return isVideoFrame(frame) ? videoToFlv(frame) : audioToFlv(frame)
}

/**
 * Makes what must precede frames of a track whenever `frame.track` is another object than before: the sequence header, and what the
 * publisher said of the colours; nothing for sound that needs no header.
 *
 * Throws `media.h264`, `media.h265` or `media.av1` for broken parameter sets.
 */
export function trackToFlv(track: Track, timeUs: number): FlvBody[] {
  const bodies = track.kind === "video" ? videoTrackBodies(track) : audioTrackBodies(track)
  return bodies.map((body) => ({ kind: track.kind, timestampMs: flvTimestampMs(timeUs), parts: [body] }))
}

/** The kinds of media that a stream will carry, by codec. */
export interface FlvContents {
  readonly video: VideoCodec | undefined
  readonly audio: "aac" | "opus" | PassedAudioCodec | undefined
}

/**
 * Properties of `onMetaData` (FLV 10.1 section E.5; Enhanced RTMP v2 "Enhancing onMetaData"): codecs of all that will come, also where
 * nothing has come yet, since players wait for what is announced and may ignore the rest; details of the tracks that are known.
 */
export function flvMetadata(contents: FlvContents, tracks: Iterable<Track>): Map<string, number | boolean> {
  const metadata = new Map<string, number | boolean>()
  if (contents.video !== undefined) metadata.set("videocodecid", videoId(contents.video))
  if (contents.audio !== undefined) metadata.set("audiocodecid", audioId(contents.audio))
  for (const track of tracks) {
    if (track.kind === "video") metadata.set("width", track.widthPx).set("height", track.heightPx)
    else if (track.codec === contents.audio) {
      metadata
        .set("audiocodecid", isLegacy(track) ? track.legacyFlags >> 4 : audioId(contents.audio))
        .set("audiosamplerate", track.sampleRateHz)
        .set("audiosamplesize", 16)
        .set("stereo", track.channels > 1)
    }
  }
  return metadata
}

/** Milliseconds of FLV and RTMP, 32 bits, of a time on the stream's timeline. */
export function flvTimestampMs(timeUs: number): number {
  return Math.round(timeUs / 1000) >>> 0
}

function videoToFlv(frame: VideoFrame): FlvBody {
  const { track, isKeyframe, units } = frame
  const compositionTimeMs = Math.round(frame.ptsUs / 1000) - Math.round(frame.dtsUs / 1000)
  const parts = [serializeVideoFrameHeader(track.codec, isKeyframe, compositionTimeMs)]
  for (const unit of units) {
    if (track.codec === "h264" || track.codec === "h265") parts.push(new ByteWriter(4).u32(unit.length).finish(), unit)
    else if (track.codec === "av1") parts.push(...obuWithSize(unit))
    else parts.push(unit)
  }
  return { kind: "video", timestampMs: flvTimestampMs(frame.dtsUs), parts }
}

function audioToFlv({ track, ptsUs, data }: AudioFrame): FlvBody {
  const header = isLegacy(track) ? Uint8Array.of(track.legacyFlags) : audioFrameHeader(fourCcCodec(track.codec))
  return { kind: "audio", timestampMs: flvTimestampMs(ptsUs), parts: [header, data] }
}

/** Metadata goes with Enhanced RTMP alone: what does not know that would take it for a picture in another codec. */
function videoTrackBodies(track: VideoTrack): Uint8Array[] {
  const { codec, colorInfo } = track
  const config = serializeVideoConfig(codec, videoRecord(track))
  if (colorInfo === undefined || codec === "h264") return [config]
  return [config, serializeVideoMetadata(codec, serializeColorInfo(colorInfo))]
}

function videoRecord(track: VideoTrack): Uint8Array {
  switch (track.codec) {
    case "h264":
      return serializeAvcConfig(track.sps, track.pps)
    case "h265":
      return serializeHevcConfig(track.vps, track.sps, track.pps)
    case "av1":
      return serializeAv1Config(track.sequenceHeader)
    case "vp9":
      return serializeVpConfig(track, track)
    case "vp8":
      return serializeVpConfig(VP8_FORMAT, track)
  }
}

function audioTrackBodies(track: AudioTrack): Uint8Array[] {
  if (track.codec === "aac") return [serializeAudioConfig("aac", track.audioSpecificConfig)]
  if (track.codec === "opus") return [serializeAudioConfig("opus", opusHead(track.channels))]
  const { codec, config } = track
  return config === undefined ? [] : [serializeAudioConfig(fourCcCodec(codec), config)]
}

function isLegacy(track: AudioTrack): track is AudioTrack & { readonly legacyFlags: number } {
  return "legacyFlags" in track && track.legacyFlags !== undefined
}

function fourCcCodec(codec: AudioTrack["codec"]): FourCcAudioCodec {
  if (!hasFourCc(codec)) throw new GatewayError("flv.tag", `${codec} has no FourCC code`)
  return codec
}

function videoId(codec: VideoCodec): number {
  return codec === "h264" ? VIDEO_ID.h264 : fourCcNumber(VIDEO_FOURCC[codec])
}

/** Of a codec with two, the FourCC code; the track tells which it is. */
function audioId(codec: AudioTrack["codec"]): number {
  if (codec === "aac") return AUDIO_ID.aac
  return hasFourCc(codec) ? fourCcNumber(AUDIO_FOURCC[codec]) : legacyIdOf(codec)
}

/** Identification header, RFC 7845 section 5.1, without pre-skip, since the stream has no beginning. */
function opusHead(channels: number): Uint8Array {
  const magic = Uint8Array.from("OpusHead", (character) => character.charCodeAt(0))
  return new ByteWriter(19).bytes(magic).u8(1).u8(channels).u16(0).bytes(RATE_48K_LE).u16(0).u8(0).finish()
}

const RATE_48K_LE = Uint8Array.of(0x80, 0xbb, 0, 0)
