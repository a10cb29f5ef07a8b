import { beforeEach, describe, expect, test } from "vitest"
import type { AudioTranscoders, TimedAudio, TranscoderConfig } from "../../../src/audio/transcoder.ts"
import { WasmTranscoders } from "../../../src/io/audio/wasm-transcoders.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { aacSound, amplitude, decode, onsetMs, opusSound, type Sound } from "./sound.ts"

const BACKENDS = [{ name: "WebAssembly in a worker", create: (): AudioTranscoders => new WasmTranscoders() }]

const SOUNDS = [
  { name: "AAC 44.1 kHz mono", sound: () => aacSound(44_100, 1) },
  { name: "AAC 44.1 kHz stereo", sound: () => aacSound(44_100, 2) },
  { name: "AAC 48 kHz mono", sound: () => aacSound(48_000, 1) },
  { name: "AAC 48 kHz stereo", sound: () => aacSound(48_000, 2) },
  { name: "Opus mono to mono", sound: () => opusSound(1) },
  { name: "Opus stereo to stereo", sound: () => opusSound(2) },
  { name: "Opus mono to stereo", sound: () => opusSound(1, 2) },
]

const START_US = 1_000_000
/** 20 ms of Opus, 21.33 ms of AAC. */
const FRAME_US = { "aac-to-opus": 20_000, "opus-to-aac": 64_000 / 3 }
/** At the end of the input less than a frame waits for more, in AAC's encoder a whole one too. */
const HELD_BACK_US = { "aac-to-opus": 27_000, "opus-to-aac": 65_000 }

describe.each(BACKENDS)("$name", ({ create }) => {
  const scope = testScope()
  let transcoders: AudioTranscoders
  beforeEach(() => {
    transcoders = create()
    scope.defer(() => transcoders.close())
  })

  /** Pushes the frames and waits until the output has caught up with the last of them. */
  async function transcode(config: TranscoderConfig, input: readonly TimedAudio[]) {
    const frames: TimedAudio[] = []
    const errors: Error[] = []
    const transcoder = transcoders.open(config, {
      onFrame: (frame) => frames.push(frame),
      onError: (error) => errors.push(error),
    })
    for (const frame of input) transcoder.push(frame)
    const endUs = (input.at(-1)?.ptsUs ?? 0) - HELD_BACK_US[config.direction]
    await until("the last frame", () => (frames.at(-1)?.ptsUs ?? Number.NEGATIVE_INFINITY) >= endUs)
    transcoder.close()
    return { frames, errors }
  }

  async function hear({ config, channels }: Sound, input: readonly TimedAudio[]) {
    const { frames, errors } = await transcode(config, input)
    const startMs = (START_US - (frames[0]?.ptsUs ?? 0)) / 1000
    return { frames, errors, startMs, samples: decode(config, frames, channels) }
  }

  describe.each(SOUNDS)("$name", ({ sound }) => {
    const input = sound()

    test("keeps tones, level and time, and loses nothing at the start", async () => {
      const { errors, startMs, samples } = await hear(input, input.frames)
      expect(errors).toEqual([])
      for (const [channel, samplesOfOne] of samples.entries()) {
        const toneAmplitude = (fromMs: number, toMs: number) =>
          amplitude(samplesOfOne, input.tonesHz[channel] ?? 0, startMs + fromMs, startMs + toMs)
        expect(toneAmplitude(5, 85)).toBeCloseTo(0.25, 1)
        expect(toneAmplitude(130, 220)).toBeLessThan(0.01)
        expect(toneAmplitude(350, 850)).toBeCloseTo(0.25, 1)
        expect(Math.abs(onsetMs(samplesOfOne, startMs + 150) - startMs - 250)).toBeLessThan(2)
      }
    })

    test("makes even timestamps that begin with the input's", async () => {
      const { frames } = await transcode(input.config, input.frames)
      const firstUs = input.frames[0]?.ptsUs ?? 0
      const delayUs = input.config.direction === "aac-to-opus" ? 6500 : 21_333
      expect(frames[0]?.ptsUs).toBe(firstUs - delayUs)
      for (const [i, { ptsUs }] of frames.entries()) {
        expect(Math.abs(ptsUs - firstUs + delayUs - i * FRAME_US[input.config.direction])).toBeLessThanOrEqual(1)
      }
    })

    test("reports garbage and recovers from it", async () => {
      const garbage = input.frames.slice(10, 22).map(({ ptsUs }, i) => ({
        ptsUs,
        data: Uint8Array.from({ length: 40 + i }, (_, j) => (j * 167 + i * 89 + 255) & 0xff),
      }))
      const frames = [...input.frames.slice(0, 10), ...garbage, ...input.frames.slice(22)]
      const heard = await hear(input, frames)
      expect(heard.errors.length).toBeGreaterThan(0)
      const lastUs = heard.frames.at(-1)?.ptsUs ?? 0
      expect(Math.abs(lastUs - (input.frames.at(-1)?.ptsUs ?? 0))).toBeLessThan(90_000)
      const end = decode(input.config, heard.frames.slice(-20), input.channels)
      expect(amplitude(end[0] as Float32Array, 1000, 150, 350)).toBeCloseTo(0.25, 1)
    })
  })

  test.each([1, 3])("%d lost Opus packets leave no hole", async (lost) => {
    const input = opusSound(2)
    const frames = input.frames.filter((_, i) => i < 25 || i >= 25 + lost)
    const { errors, startMs, samples, frames: output } = await hear(input, frames)
    expect(errors).toEqual([])
    expect(output).toHaveLength((await transcode(input.config, input.frames)).frames.length)
    const lossMs = startMs + 25 * 20 - 6.5
    // Concealment repeats what was there before and fades slowly.
    expect(amplitude(samples[0] as Float32Array, 1000, lossMs, lossMs + 20 * lost)).toBeGreaterThan(0.1)
    expect(amplitude(samples[0] as Float32Array, 1000, lossMs + 100, lossMs + 300)).toBeCloseTo(0.25, 1)
  })

  test("a long gap moves the time and nothing else", async () => {
    const input = opusSound(1)
    const frames = input.frames.map((frame, i) => (i < 25 ? frame : { ...frame, ptsUs: frame.ptsUs + 3_000_000 }))
    const output = (await transcode(input.config, frames)).frames
    const steps = output.slice(1).map((frame, i) => frame.ptsUs - (output[i]?.ptsUs ?? 0))
    expect(steps.filter((us) => Math.abs(us - FRAME_US["opus-to-aac"]) > 1)).toEqual([3_021_333])
  })

  test.each([
    { name: "other channels", says: aacSound(48_000, 2), is: aacSound(48_000, 1) },
    { name: "another rate", says: aacSound(44_100, 2), is: aacSound(48_000, 2) },
  ])("an AudioSpecificConfig that says $name does no harm", async ({ says, is }) => {
    const { frames, errors } = await transcode(says.config, is.frames)
    expect(frames.length + errors.length).toBeGreaterThan(0)
    const next = await transcode(is.config, is.frames)
    expect(next.errors).toEqual([])
  })

  test.each([
    { name: "empty", bytes: [] },
    { name: "nonsense", bytes: [0xff, 0xff, 0xff, 0xff, 0xff] },
    { name: "too long", bytes: Array.from({ length: 300 }, () => 0x11) },
  ])("an AudioSpecificConfig that is $name is reported", async ({ bytes }) => {
    const config: TranscoderConfig = {
      direction: "aac-to-opus",
      audioSpecificConfig: Uint8Array.from(bytes),
      bitrateBps: 96_000,
    }
    const errors: Error[] = []
    const transcoder = transcoders.open(config, { onFrame: () => {}, onError: (error) => errors.push(error) })
    for (const frame of aacSound(48_000, 2).frames) transcoder.push(frame)
    await until("an error", () => errors.length > 0)
    expect(errors[0]).toMatchObject({ name: "GatewayError", code: "audio.transcode" })
  })

  test("channels that change in mid-stream go on", async () => {
    const stereo = aacSound(48_000, 2)
    const mono = aacSound(48_000, 1)
    const input = [...mono.frames.slice(0, 24), ...stereo.frames.slice(24)]
    const { samples, startMs, errors } = await hear({ ...stereo, config: mono.config }, input)
    expect(amplitude(samples[1] as Float32Array, 1000, startMs + 350, startMs + 450)).toBeCloseTo(0.25, 1)
    expect(amplitude(samples[1] as Float32Array, 400, startMs + 650, startMs + 900)).toBeCloseTo(0.25, 1)
    expect(errors.length).toBeLessThan(2)
  })

  test("nothing comes after close, and close twice is fine", async () => {
    const input = opusSound(2)
    const frames: TimedAudio[] = []
    const transcoder = transcoders.open(input.config, { onFrame: (frame) => frames.push(frame), onError: () => {} })
    for (const frame of input.frames) transcoder.push(frame)
    await until("a frame", () => frames.length > 0)
    transcoder.close()
    transcoder.close()
    const count = frames.length
    transcoder.push({ ptsUs: 2_000_000, data: input.frames[0]?.data ?? new Uint8Array(1) })
    await transcode(input.config, input.frames)
    expect(frames).toHaveLength(count)
  })

  test("transcoders side by side do not disturb each other", async () => {
    const inputs = SOUNDS.map(({ sound }) => sound())
    const alone: number[] = []
    for (const { config, frames } of inputs) alone.push((await transcode(config, frames)).frames.length)
    const together = await Promise.all(inputs.map(({ config, frames }) => transcode(config, frames)))
    expect(together.map(({ frames }) => frames.length)).toEqual(alone)
  })

  test("no input can be opened after the backend is closed", async () => {
    await transcoders.close()
    expect(() => transcoders.open(opusSound(1).config, { onFrame: () => {}, onError: () => {} })).toThrow("closed")
  })
})
