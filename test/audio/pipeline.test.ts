import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { AudioCodec } from "../../src/audio/codec.ts"
import { TranscodingPipeline } from "../../src/audio/pipeline.ts"
import type { TimedAudio, TranscoderConfig } from "../../src/audio/transcoder.ts"
import { GatewayError } from "../../src/errors.ts"

const AAC: TranscoderConfig = {
  direction: "aac-to-opus",
  audioSpecificConfig: Uint8Array.of(0x11, 0x90),
  bitrateBps: 96_000,
}
const OPUS: TranscoderConfig = { direction: "opus-to-aac", channels: 2, bitrateBps: 128_000 }

const GOOD = 1
const DAMAGED = 2
const MUTE = 3
const FATAL = 4

/** Frames in, frames out; the first byte of a packet says what becomes of it. Output is the position it begins at. */
class FakeCodec implements AudioCodec {
  readonly delaySamples = 312
  readonly concealed: { samples: number; next: boolean }[] = []
  position = 0
  readonly frameSamples: number
  readonly #inputSamples: number
  #taken = 0

  constructor(frameSamples: number, inputSamples: number) {
    this.frameSamples = frameSamples
    this.#inputSamples = inputSamples
  }

  push(data: Uint8Array, stretchSamples: number): void {
    if (data[0] === DAMAGED) throw new GatewayError("audio.transcode", "damaged")
    if (data[0] === FATAL) throw new Error("unreachable")
    if (data[0] !== MUTE) this.position += this.#inputSamples + stretchSamples
  }

  conceal(samples: number, next?: Uint8Array): void {
    this.concealed.push({ samples, next: next !== undefined })
    this.position += samples
  }

  take(): Uint8Array | undefined {
    if (this.position < this.#taken + this.frameSamples) return
    this.#taken += this.frameSamples
    return Uint8Array.of(GOOD)
  }
}

/** A pipeline on fake codecs of equal frames in and out, and the codecs that it opened. */
function setUp(config: TranscoderConfig, outputSamples = 960, inputSamples = 960) {
  const codecs: FakeCodec[] = []
  const pipeline = new TranscodingPipeline(config, () => {
    const codec = new FakeCodec(outputSamples, inputSamples)
    codecs.push(codec)
    return codec
  })
  return { pipeline, codecs }
}

const frame = (ptsUs: number, kind = GOOD): TimedAudio => ({ ptsUs, data: Uint8Array.of(kind) })

describe("timestamps", () => {
  test("the first frame out has the time of the first in, less the codec's delay", () => {
    const { pipeline } = setUp(AAC)
    expect(pipeline.push(frame(5_000_000)).frames).toEqual([{ ptsUs: 4_993_500, data: Uint8Array.of(GOOD) }])
  })

  test("frames of other lengths come out evenly", () => {
    const { pipeline } = setUp(AAC, 960, 1024)
    const times = Array.from({ length: 100 }, (_, i) => pipeline.push(frame(Math.floor((i * 64) / 3) * 1000)).frames)
    expect(times.flat().map(({ ptsUs }) => ptsUs)).toEqual(Array.from({ length: 106 }, (_, i) => i * 20_000 - 6500))
  })

  test("a jump of the input moves the output", () => {
    const { pipeline } = setUp(AAC)
    const times = [0, 20_000, 7_000_000, 7_020_000, 0, 20_000].flatMap((us) => pipeline.push(frame(us)).frames)
    expect(times.map(({ ptsUs }) => ptsUs + 6500)).toEqual([0, 20_000, 7_000_000, 7_020_000, 0, 20_000])
  })
})

describe("a gap in Opus", () => {
  test.each([
    { lost: 1, concealed: [true] },
    { lost: 3, concealed: [false, false, true] },
    { lost: 6, concealed: [false, false, false, false, false, true] },
  ])("of $lost packets is concealed, the last one with the packet behind it", ({ lost, concealed }) => {
    const { pipeline, codecs } = setUp(OPUS)
    pipeline.push(frame(0))
    const { frames } = pipeline.push(frame((lost + 1) * 20_000))
    expect(codecs[0]?.concealed).toEqual(concealed.map((next) => ({ samples: 960, next })))
    expect(frames.map(({ ptsUs }) => ptsUs + 6500)).toEqual(
      Array.from({ length: lost + 1 }, (_, i) => (i + 1) * 20_000),
    )
  })

  test.each([1_000_000, 10_000, -20_000, -1_000_000])("of %d µs is not", (gapUs) => {
    const { pipeline, codecs } = setUp(OPUS)
    pipeline.push(frame(2_000_000))
    pipeline.push(frame(2_020_000 + gapUs))
    expect(codecs[0]?.concealed).toEqual([])
  })

  test("is not looked for in AAC, whose timestamps are uneven", () => {
    const { pipeline, codecs } = setUp(AAC)
    pipeline.push(frame(0))
    pipeline.push(frame(60_000))
    expect(codecs[0]?.concealed).toEqual([])
  })
})

describe("bad input", () => {
  test("a damaged frame is reported and concealed", () => {
    const { pipeline, codecs } = setUp(AAC)
    pipeline.push(frame(0))
    const result = pipeline.push(frame(20_000, DAMAGED))
    expect(result.error?.code).toBe("audio.transcode")
    expect(result.frames.map(({ ptsUs }) => ptsUs)).toEqual([13_500])
    expect(pipeline.push(frame(40_000)).frames.map(({ ptsUs }) => ptsUs)).toEqual([33_500])
    expect(codecs).toHaveLength(1)
  })

  test.each([DAMAGED, MUTE])("200 ms without sound bring a new codec (kind %d)", (kind) => {
    const { pipeline, codecs } = setUp(AAC)
    pipeline.push(frame(0))
    const errors = Array.from({ length: 11 }, (_, i) => pipeline.push(frame(20_000 * (i + 1), kind)).error)
    expect(errors.at(-1)?.code).toBe("audio.transcode")
    expect(codecs).toHaveLength(1)
    expect(pipeline.push(frame(240_000)).frames.map(({ ptsUs }) => ptsUs)).toEqual([233_500])
    expect(codecs).toHaveLength(2)
  })

  test("a codec that breaks is replaced", () => {
    const { pipeline, codecs } = setUp(AAC)
    pipeline.push(frame(0))
    expect(pipeline.push(frame(20_000, FATAL)).error?.message).toBe("the codec failed: unreachable")
    expect(pipeline.push(frame(40_000)).frames.map(({ ptsUs }) => ptsUs)).toEqual([33_500])
    expect(codecs).toHaveLength(2)
  })

  test("an empty frame never reaches the codec", () => {
    const { pipeline, codecs } = setUp(OPUS)
    pipeline.push(frame(0))
    expect(pipeline.push({ ptsUs: 20_000, data: new Uint8Array(0) }).error?.code).toBe("audio.transcode")
    expect(codecs[0]?.position).toBe(960)
  })

  test("a configuration that cannot be used is reported, and not tried at every frame", () => {
    let opened = 0
    const pipeline = new TranscodingPipeline(AAC, () => {
      opened++
      throw new GatewayError("audio.transcode", "cannot open")
    })
    const errors = Array.from({ length: 102 }, (_, i) => pipeline.push(frame(i * 20_000)).error)
    expect(opened).toBe(2)
    expect(errors.filter((error) => error !== undefined)).toHaveLength(2)
  })

  test("no sequence of frames makes it throw", () => {
    const inputs = fc.array(fc.tuple(fc.integer({ min: -300_000, max: 300_000 }), fc.integer({ min: 0, max: 5 })))
    const survives = (sequence: [number, number][], config: TranscoderConfig) => {
      const { pipeline } = setUp(config, 1024)
      let ptsUs = 0
      for (const [stepUs, kind] of sequence) {
        ptsUs += stepUs
        const result = pipeline.push({ ptsUs, data: kind === 5 ? new Uint8Array(0) : Uint8Array.of(kind) })
        for (const output of result.frames) expect(Number.isSafeInteger(output.ptsUs)).toBe(true)
      }
    }
    fc.assert(fc.property(inputs, fc.constantFrom(AAC, OPUS), survives))
  })
})
