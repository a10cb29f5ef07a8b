import type { AudioTranscoder, AudioTranscoders } from "../audio/transcoder.ts"
import type { Converter } from "../hub/lane.ts"
import type { LaneConverters } from "../hub/stream-lanes.ts"
import { serializeAacLcConfig } from "../media/aac.ts"
import type { AacFrame, AacTrack, OpusFrame, OpusTrack } from "../media/frame.ts"
import { VideoFramesToPackets, type VideoToPacketsOptions } from "./frames-to-packets.ts"
import { OpusFramesToRtp } from "./frames-to-rtp.ts"
import { OpusRtpToFrames, VideoRtpToFrames } from "./rtp-to-frames.ts"

/** What the converters of a stream work with. */
export interface LaneConverterOptions {
  readonly transcoders: AudioTranscoders
  readonly opusBitrateBps: number
  readonly aacBitrateBps: number
  /** Left out, B-frames are dealt with by `auto`, and nothing is transcoded. */
  readonly video?: VideoToPacketsOptions
  /** Sound that could not be transcoded, once a second at most. */
  readonly onAudioError: (error: Error) => void
}

/** Joins the wire formats and the audio transcoders to the lanes of a stream. */
export function createLaneConverters(options: LaneConverterOptions): LaneConverters {
  return {
    videoFramesToPackets: (codec, emit, previous) =>
      new VideoFramesToPackets(codec, emit, previous, options.video ?? WITHOUT_TRANSCODING),
    opusFramesToPackets: (emit, previous) => convertEach(new OpusFramesToRtp(previous), emit),
    videoPacketsToFrames: (codec, emit) => convertMany(new VideoRtpToFrames(codec), emit),
    opusPacketsToFrames: (emit) => convertMany(new OpusRtpToFrames(), emit),
    aacToOpus: (emit) => new AacToOpus(emit, options),
    opusToAac: (emit) => opusToAac(emit, options),
  }
}

function convertEach<In, Out>(
  converter: { push(item: In): Out | undefined },
  emit: (item: Out) => void,
): Converter<In> {
  return {
    push: (item) => {
      const converted = converter.push(item)
      if (converted !== undefined) emit(converted)
    },
    close: () => undefined,
  }
}

function convertMany<In, Out>(converter: { push(item: In): Out[] }, emit: (item: Out) => void): Converter<In> {
  return {
    push: (item) => {
      for (const converted of converter.push(item)) emit(converted)
    },
    close: () => undefined,
  }
}

/** Opens a transcoder for each configuration that the publisher sends. */
class AacToOpus implements Converter<AacFrame> {
  readonly #emit: (frame: OpusFrame) => void
  readonly #options: LaneConverterOptions
  #track: AacTrack | undefined
  #transcoder: AudioTranscoder | undefined

  constructor(emit: (frame: OpusFrame) => void, options: LaneConverterOptions) {
    this.#emit = emit
    this.#options = options
  }

  push({ track, ptsUs, data }: AacFrame): void {
    if (track !== this.#track) {
      this.close()
      this.#track = track
      this.#transcoder = this.#open(track)
    }
    this.#transcoder?.push({ ptsUs, data })
  }

  close(): void {
    this.#transcoder?.close()
    this.#transcoder = undefined
  }

  #open({ audioSpecificConfig, channels }: AacTrack): AudioTranscoder {
    const { transcoders, opusBitrateBps: bitrateBps, onAudioError } = this.#options
    const track: OpusTrack = { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels: channels === 1 ? 1 : 2 }
    return transcoders.open(
      { direction: "aac-to-opus", audioSpecificConfig, bitrateBps },
      { onFrame: ({ ptsUs, data }) => this.#emit({ track, ptsUs, data }), onError: onAudioError },
    )
  }
}

/** Always two channels: a packet of Opus may hold one or two, whatever the one before it held. */
function opusToAac(emit: (frame: AacFrame) => void, options: LaneConverterOptions): Converter<OpusFrame> {
  const track: AacTrack = {
    kind: "audio",
    codec: "aac",
    audioSpecificConfig: serializeAacLcConfig(48_000, 2),
    sampleRateHz: 48_000,
    channels: 2,
  }
  const transcoder = options.transcoders.open(
    { direction: "opus-to-aac", channels: 2, bitrateBps: options.aacBitrateBps },
    { onFrame: ({ ptsUs, data }) => emit({ track, ptsUs, data }), onError: options.onAudioError },
  )
  return { push: ({ ptsUs, data }) => transcoder.push({ ptsUs, data }), close: () => transcoder.close() }
}

const WITHOUT_TRANSCODING: VideoToPacketsOptions = { policy: "auto", transcode: () => undefined }
