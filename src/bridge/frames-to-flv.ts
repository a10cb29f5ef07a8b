import { GatewayError } from "../errors.ts"
import { audioFrameHeader, serializeAudioConfig } from "../flv/audio-tag.ts"
import { serializeVideoConfig, serializeVideoFrameHeader } from "../flv/video-tag.ts"
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

/** The body of an RTMP audio or video message or FLV tag, in parts that follow one another. */
export interface FlvBody {
  readonly kind: Track["kind"]
  /** Unsigned 32 bits, wraps. */
  readonly timestampMs: number
  readonly parts: readonly Uint8Array[]
}

/** Makes the body of a frame; the parts borrow from the frame. */
export function frameToFlv(frame: MediaFrame): FlvBody {
  return isVideoFrame(frame) ? videoToFlv(frame) : audioToFlv(frame)
}

/**
 * Makes what must precede frames of a track whenever `frame.track` is another object than before: the sequence header, and what the
 * publisher said of the colours; nothing for sound that needs no header.
 *
 * Throws `media.h264` for a broken SPS.
 */
export function trackToFlv(track: Track, timeUs: number): FlvBody[] {
  const body = track.kind === "video" ? videoConfig(track) : serializeAudioConfig(audioCodec(track), audioConfig(track))
  return [{ kind: track.kind, timestampMs: flvTimestampMs(timeUs), parts: [body] }]
}

/** The kinds of media that a stream will carry, by codec. */
export interface FlvContents {
  readonly video: VideoCodec | undefined
  readonly audio: "aac" | "opus" | PassedAudioCodec | undefined
}

/**
 * Properties of `onMetaData` (FLV 10.1 section E.5): codecs of all that will come, also where nothing has come yet, since
 * players wait for what is announced and may ignore the rest; details of the tracks that are known.
 */
export function flvMetadata(contents: FlvContents, tracks: Iterable<Track>): Map<string, number | boolean> {
  const metadata = new Map<string, number | boolean>()
  if (contents.video !== undefined) metadata.set("videocodecid", AVC_CODEC_ID)
  if (contents.audio !== undefined) metadata.set("audiocodecid", contents.audio === "aac" ? AAC_CODEC_ID : OPUS_FOURCC)
  for (const track of tracks) {
    if (track.kind === "video") metadata.set("width", track.widthPx).set("height", track.heightPx)
    else if (track.codec === contents.audio) {
      metadata
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
  const compositionTimeMs = Math.round(frame.ptsUs / 1000) - Math.round(frame.dtsUs / 1000)
  const parts = [serializeVideoFrameHeader(frame.isKeyframe, compositionTimeMs)]
  for (const unit of frame.units) parts.push(new ByteWriter(4).u32(unit.length).finish(), unit)
  return { kind: "video", timestampMs: flvTimestampMs(frame.dtsUs), parts }
}

function audioToFlv(frame: AudioFrame): FlvBody {
  const parts = [audioFrameHeader(audioCodec(frame.track)), frame.data]
  return { kind: "audio", timestampMs: flvTimestampMs(frame.ptsUs), parts }
}

function audioConfig(track: AudioTrack): Uint8Array {
  return track.codec === "aac" ? track.audioSpecificConfig : opusHead(track.channels)
}

function audioCodec({ codec }: AudioTrack): "aac" | "opus" {
  if (codec !== "aac" && codec !== "opus") throw new GatewayError("flv.tag", `${codec} cannot be written yet`)
  return codec
}

function videoConfig(track: VideoTrack): Uint8Array {
  if (track.codec !== "h264") throw new GatewayError("flv.tag", `${track.codec} cannot be written yet`)
  return serializeVideoConfig(serializeAvcConfig(track.sps, track.pps))
}

/** Identification header, RFC 7845 section 5.1, without pre-skip, since the stream has no beginning. */
function opusHead(channels: number): Uint8Array {
  const magic = Uint8Array.from("OpusHead", (character) => character.charCodeAt(0))
  return new ByteWriter(19).bytes(magic).u8(1).u8(channels).u16(0).bytes(RATE_48K_LE).u16(0).u8(0).finish()
}

const RATE_48K_LE = Uint8Array.of(0x80, 0xbb, 0, 0)
const AVC_CODEC_ID = 7
const AAC_CODEC_ID = 10
/** Enhanced RTMP puts FourCC codes into the codec id as a number. */
const OPUS_FOURCC = 0x4f707573
