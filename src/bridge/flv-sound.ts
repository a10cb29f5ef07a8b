import { GatewayError } from "../errors.ts"
import type { AudioTag } from "../flv/audio-tag.ts"
import type { FourCcAudioCodec } from "../flv/fourcc.ts"
import { parseAacConfig } from "../media/aac.ts"
import { equalBytes } from "../media/bytes.ts"
import type { PassedAudioCodec } from "../media/codec.ts"
import type { AacTrack, AudioTrack, OpusTrack, PassedAudioTrack } from "../media/frame.ts"
import { parseOpusToc } from "../media/opus.ts"
import { parseAc3Header, parseFlacHeader, parseMp3Header, type SoundFacts } from "../media/sound-header.ts"

/** A frame of sound without its time. */
export interface FlvSound {
  readonly track: AudioTrack
  readonly data: Uint8Array
  /** How long the frame is at the rate of the track, where that is always the same. */
  readonly samples: number | undefined
}

/** Reads the tags of one audio track, of all codecs. */
export class FlvSounds {
  /** The sequence header that came last, and the track that it began. */
  #configured: { readonly config: Uint8Array; readonly track: AudioTrack; readonly samples?: number } | undefined
  #passed: PassedAudioTrack | undefined
  /** What MultichannelConfig said. */
  #channels: number | undefined

  /** Takes a tag; undefined where it makes no frame. Throws `media.aac`, `media.opus` or `flv.tag` for a sequence header that cannot be used. */
  read(tag: AudioTag): FlvSound | undefined {
    if (tag.type === "channels") this.#channels = tag.channels
    if (tag.type === "config") this.#configure(tag.codec, tag.config)
    if (tag.type === "legacyFrame") return this.#legacyFrame(tag.codec, tag.flags, tag.data)
    return tag.type === "frame" ? this.#frame(tag.codec, tag.data) : undefined
  }

  #configure(codec: FourCcAudioCodec, config: Uint8Array): void {
    const before = this.#configured
    if (before?.track.codec === codec && equalBytes(before.config, config)) return
    this.#configured = undefined
    if (codec === "aac") this.#configured = configureAac(config)
    else if (codec === "opus") {
      // An empty header leaves the number of channels to the packets.
      if (config.length > 0) this.#configured = { config, track: opusTrack(config[CHANNELS_OF_OPUS_HEAD]) }
    } else this.#configured = { config, track: configurePassed(codec, config) }
  }

  #frame(codec: FourCcAudioCodec, data: Uint8Array): FlvSound | undefined {
    if (data.length === 0) return undefined
    if (this.#configured?.track.codec !== codec) this.#configured = this.#selfDescribed(codec, data)
    if (this.#configured === undefined) return undefined
    const { track, samples } = this.#configured
    return { track: isPassed(track) ? this.#describe(track, data) : track, data, samples }
  }

  /** Sound that needs no header, or whose header was empty. */
  #selfDescribed(codec: FourCcAudioCodec, data: Uint8Array) {
    if (codec === "aac" || codec === "flac") return undefined
    const config = new Uint8Array()
    if (codec !== "opus") return { config, track: configurePassed(codec, config) }
    return { config, track: opusTrack(this.#channels ?? parseOpusToc(data).channels) }
  }

  #legacyFrame(codec: PassedAudioCodec, flags: number, data: Uint8Array): FlvSound | undefined {
    if (data.length === 0) return undefined
    const track: PassedAudioTrack = {
      kind: "audio",
      codec,
      config: undefined,
      legacyFlags: flags,
      ...factsOfFlags(flags),
    }
    return { track: this.#describe(track, data), data, samples: undefined }
  }

  /** The track with what the frame says of itself; the one before where nothing differs. */
  #describe(track: PassedAudioTrack, data: Uint8Array): PassedAudioTrack {
    const { sampleRateHz, channels } = factsOfFrame(track.codec, data) ?? track
    const before = this.#passed
    const isSame =
      before?.codec === track.codec &&
      before.config === track.config &&
      before.legacyFlags === track.legacyFlags &&
      before.sampleRateHz === sampleRateHz &&
      before.channels === channels
    if (!isSame) this.#passed = { ...track, sampleRateHz, channels }
    return this.#passed as PassedAudioTrack
  }
}

function isPassed(track: AudioTrack): track is PassedAudioTrack {
  return track.codec !== "aac" && track.codec !== "opus"
}

function configureAac(config: Uint8Array) {
  const { sampleRateHz, channels, samplesPerFrame } = parseAacConfig(config)
  const track: AacTrack = { kind: "audio", codec: "aac", audioSpecificConfig: config, sampleRateHz, channels }
  return { config, track, samples: samplesPerFrame }
}

/** RFC 7845 section 5.1; the packets of Opus say themselves how long they are, so there is no sample clock. */
function opusTrack(channels: number | undefined): OpusTrack {
  if (channels === undefined || channels < 1 || channels > 2) {
    throw new GatewayError("media.opus", `Opus with ${channels ?? "an unknown number of"} channels`)
  }
  return { kind: "audio", codec: "opus", sampleRateHz: 48_000, channels }
}

function configurePassed(codec: Exclude<FourCcAudioCodec, "aac" | "opus">, config: Uint8Array): PassedAudioTrack {
  const facts = codec === "flac" ? parseFlacHeader(config) : UNTIL_A_FRAME_SAYS_MORE
  if (facts === undefined) throw new GatewayError("flv.tag", "FLAC without its stream information")
  return {
    kind: "audio",
    codec,
    config: config.length > 0 ? config : undefined,
    legacyFlags: undefined,
    ...facts,
  }
}

function factsOfFrame(codec: PassedAudioCodec, data: Uint8Array): SoundFacts | undefined {
  if (codec === "mp3") return parseMp3Header(data)
  return codec === "ac-3" || codec === "ec-3" ? parseAc3Header(data) : undefined
}

/** FLV 10.1 section E.4.2.1; some formats have one rate whatever the flags say. */
function factsOfFlags(flags: number): SoundFacts {
  const format = flags >> 4
  const sampleRateHz = RATE_OF_FORMAT_HZ[format] ?? (RATES_HZ[(flags >> 2) & 3] as number)
  return { sampleRateHz, channels: MONO_FORMATS.has(format) || (flags & 1) === 0 ? 1 : 2 }
}

const CHANNELS_OF_OPUS_HEAD = 9
const UNTIL_A_FRAME_SAYS_MORE: SoundFacts = { sampleRateHz: 48_000, channels: 2 }
const RATES_HZ: readonly number[] = [5_512, 11_025, 22_050, 44_100]
const RATE_OF_FORMAT_HZ: Readonly<Record<number, number>> = {
  4: 16_000,
  5: 8_000,
  7: 8_000,
  8: 8_000,
  11: 16_000,
  14: 8_000,
}
/** Nellymoser with a rate in its name, and Speex. */
const MONO_FORMATS: ReadonlySet<number> = new Set([4, 5, 11])
