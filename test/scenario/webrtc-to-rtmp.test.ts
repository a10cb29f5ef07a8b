import { describe, expect, test } from "vitest"
import { concat } from "../../src/media/bytes.ts"
import { decodable } from "../bridge/rtp-frames.ts"
import { PPS, SPS_320, SPS_640, seededRandom } from "../rtp/h264-stream.ts"
import { toHex } from "../support/bytes.ts"
import { AAC_MARK, advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { type Picture, type PictureOptions, picture } from "./support-pictures.ts"
import { RtmpSink, type SeenPicture } from "./support-rtmp.ts"
import { WhipSource } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40
const OPUS_MS = 20
const FIRST_TICKS = { video: 2 ** 32 - 90_000, audio: 2 ** 32 - 20_000 }

/** A camera and a microphone: calls back for each datagram with what it may be wanted for. */
interface Broadcast {
  readonly pictures: number
  readonly options?: (id: number) => PictureOptions
  readonly takes?: (packet: Uint8Array, kind: "video" | "audio", id: number) => boolean
  readonly afterPicture?: (id: number) => void
  readonly firstId?: number
  /** By how much later sound goes out than the picture of the same moment. */
  readonly audioLagMs?: number
}

/** Sends pictures and sound in real time; returns what the pictures were. */
function broadcast(
  source: WhipSource,
  { pictures, options = keyframeEvery(10), takes = () => true, ...more }: Broadcast,
) {
  const { afterPicture = () => undefined, firstId = 0, audioLagMs = 0 } = more
  const made: Picture[] = []
  for (let id = firstId; id < firstId + pictures; id++) {
    const one = picture(id, options(id))
    made.push(one)
    const packets = source.packets("video", FIRST_TICKS.video + id * FRAME_MS * 90, one.payloads)
    source.send(...packets.filter((packet) => takes(packet, "video", id)))
    for (let i = 0; i < FRAME_MS / OPUS_MS; i++) {
      const atMs = id * FRAME_MS + i * OPUS_MS - audioLagMs
      const sound = source.packets("audio", FIRST_TICKS.audio + atMs * 48, [soundOf(id, i)])
      source.send(...sound.filter((packet) => takes(packet, "audio", id)))
      advance(OPUS_MS)
    }
    afterPicture(id)
  }
  return made
}

const keyframeEvery = (interval: number) => (id: number) => ({ isKeyframe: id % interval === 0 })
const soundOf = (id: number, part: number) => Uint8Array.of(0xfc, id >> 8, id, part)
const contentOf = ({ units }: { readonly units: readonly Uint8Array[] }) => units.map(toHex).join(" ")
const contents = (pictures: readonly (Picture | SeenPicture)[]) => pictures.map(contentOf)

/** Messages of each kind rise strictly in milliseconds, and headers come no later than what they are for. */
function expectEven(sink: RtmpSink): void {
  for (const list of [sink.pictures, sink.sounds]) {
    const steps = list.slice(1).map(({ timestampMs }, i) => timestampMs - (list[i]?.timestampMs ?? 0))
    expect(Math.min(...steps)).toBeGreaterThan(0)
  }
  expect(sink.seen[0]?.type).toBe("videoConfig")
  expect(sink.pictures[0]?.isKeyframe).toBe(true)
  const firstPictureMs = sink.pictures[0]?.timestampMs ?? 0
  expect(Math.min(...sink.sounds.map(({ timestampMs }) => timestampMs))).toBeGreaterThanOrEqual(firstPictureMs)
}

test("a reader gets every picture and every sound from the keyframe on, with one header", () => {
  const gateway = new TestGateway()
  const source = new WhipSource(gateway)
  const early = new RtmpSink(gateway)
  const made = broadcast(source, { pictures: 15 })
  const late = new RtmpSink(gateway)
  made.push(...broadcast(source, { pictures: 15, firstId: 15 }))
  expect(contents(early.pictures)).toEqual(contents(made))
  expect(contents(late.pictures)).toEqual(contents(made.slice(10)))
  for (const sink of [early, late]) {
    expectEven(sink)
    expect(sink.seen.filter(({ type }) => type === "videoConfig")).toHaveLength(1)
    expect(sink.seen.filter(({ type }) => type === "audioConfig")).toHaveLength(1)
    expect(sink.pictures.every(({ compositionTimeMs }) => compositionTimeMs === 0)).toBe(true)
  }
  const heard = late.sounds.map(({ data }) => toHex(data))
  const sent = Array.from({ length: 40 }, (_, i) => toHex(concat([AAC_MARK, soundOf(10 + (i >> 1), i & 1)])))
  expect(heard).toEqual(sent)
  expect(gateway.bugs).toEqual([])
})

test("new parameter sets in mid-stream come as a new header before their first picture", () => {
  const gateway = new TestGateway()
  const source = new WhipSource(gateway)
  const sink = new RtmpSink(gateway)
  const options = (id: number) => ({ isKeyframe: id % 10 === 0, sps: id < 20 ? SPS_320 : SPS_640 })
  const made = broadcast(source, { pictures: 30, options })
  const late = new RtmpSink(gateway)
  expect(contents(sink.pictures)).toEqual(contents(made))
  const headers = sink.seen.flatMap((message, i) => (message.type === "videoConfig" ? [{ i, sps: message.sps }] : []))
  expect(headers.map(({ sps }) => sps.map(toHex))).toEqual([[toHex(SPS_320)], [toHex(SPS_640)]])
  const after = sink.seen[(headers[1]?.i ?? 0) + 1] as SeenPicture
  expect(contentOf(after)).toBe(contents(made)[20])
  expect(late.seen[0]).toMatchObject({ type: "videoConfig", sps: [SPS_640] })
  expectEven(sink)
})

describe("loss that nobody mends", () => {
  test.each([1, 2, 3, 4, 5])(
    "costs pictures up to the next keyframe and never gives a damaged one (seed %i)",
    (seed) => {
      const gateway = new TestGateway()
      const source = new WhipSource(gateway)
      const sink = new RtmpSink(gateway)
      const random = seededRandom(seed)
      const damaged = new Set<number>()
      const takes = (_: Uint8Array, kind: string, id: number) => {
        const isLost = id > 0 && random() < 0.01
        if (isLost && kind === "video") damaged.add(id)
        return !isLost
      }
      const made = broadcast(source, { pictures: 100, takes, options: keyframeEvery(25) })
      // What waits for a retransmission is given up when later packets show that its time is over.
      made.push(...broadcast(source, { pictures: 20, firstId: 100 }))
      expect(damaged.size).toBeGreaterThan(2)
      const published = made.map((one, id) => ({ content: contentOf(one), isKeyframe: id % 25 === 0 }))
      const whole = decodable(published, (_, id) => damaged.has(id))
      expect(contents(sink.pictures)).toEqual(whole.map(({ content }) => content))
      expect(whole.length).toBeLessThan(published.length)
      expectEven(sink)
      expect(source.feedback.some(({ type }) => type === "nack")).toBe(true)
      expect(source.feedback.some(({ type }) => type === "pli")).toBe(true)
      expect(gateway.bugs).toEqual([])
    },
  )

  test("a retransmission in time mends the picture, in its place", () => {
    const gateway = new TestGateway()
    const source = new WhipSource(gateway)
    const sink = new RtmpSink(gateway)
    const held: Uint8Array[] = []
    const takes = (packet: Uint8Array, kind: string, id: number) => {
      if (kind === "audio" || id % 7 !== 3) return true
      held.push(packet)
      return false
    }
    const made = broadcast(source, {
      pictures: 62,
      takes,
      afterPicture: (id) => {
        if (id % 7 === 5) source.send(...held.splice(0).reverse())
      },
    })
    expect(contents(sink.pictures)).toEqual(contents(made))
    expectEven(sink)
  })
})

describe("sound and picture of one moment get one time", () => {
  const WALL_US = 1_000_000_000
  /** A flash and a beep at the same moment: how far apart they are in the end. */
  function distanceMs(sink: RtmpSink, id: number, content: string): number {
    const flash = sink.pictures.find((seen) => contentOf(seen) === content)
    const beep = sink.sounds.find(({ data }) => toHex(data.subarray(AAC_MARK.length)) === toHex(soundOf(id, 0)))
    return (beep?.timestampMs ?? Number.NaN) - (flash?.timestampMs ?? Number.NaN)
  }

  test.each([
    { reports: "from the beginning", everyPictures: 12, fromId: 0 },
    { reports: "late", everyPictures: 12, fromId: 100 },
    { reports: "never", everyPictures: 12, fromId: Number.POSITIVE_INFINITY },
  ])("sender reports come $reports", ({ everyPictures, fromId }) => {
    const gateway = new TestGateway()
    const source = new WhipSource(gateway)
    const sink = new RtmpSink(gateway)
    const made = broadcast(source, {
      pictures: 200,
      options: (id) => ({ ...keyframeEvery(10)(id), slices: 1, sliceBytes: 100 }),
      afterPicture: (id) => {
        if (id < fromId || id % everyPictures !== 0) return
        source.report("video", FIRST_TICKS.video + id * FRAME_MS * 90, WALL_US + id * FRAME_MS * 1_000)
        source.report("audio", FIRST_TICKS.audio + id * FRAME_MS * 48, WALL_US + id * FRAME_MS * 1_000)
      },
    })
    expectEven(sink)
    for (const id of [5, 50, 110, 199]) {
      expect(Math.abs(distanceMs(sink, id, contentOf(made[id] as Picture)))).toBeLessThanOrEqual(20)
    }
    expect(gateway.bugs).toEqual([])
  })

  test("reports bring sound that is sent late back to its picture", () => {
    const gateway = new TestGateway()
    const source = new WhipSource(gateway)
    const sink = new RtmpSink(gateway)
    const made = broadcast(source, {
      pictures: 500,
      audioLagMs: 200,
      options: (id) => ({ ...keyframeEvery(10)(id), slices: 1, sliceBytes: 100 }),
      afterPicture: (id) => {
        if (id < 50 || id % 12 !== 0) return
        source.report("video", FIRST_TICKS.video + id * FRAME_MS * 90, WALL_US + id * FRAME_MS * 1_000)
        source.report("audio", FIRST_TICKS.audio + id * FRAME_MS * 48, WALL_US + id * FRAME_MS * 1_000)
      },
    })
    expectEven(sink)
    // The sound that goes out with a picture is of 200 ms before it, so that its time in the end is too.
    const distances = [20, 490].map((id) => distanceMs(sink, id, contentOf(made[id] as Picture)))
    expect(Math.abs(distances[0] ?? Number.NaN)).toBeLessThanOrEqual(20)
    expect(Math.abs((distances[1] ?? Number.NaN) + 200)).toBeLessThanOrEqual(20)
  })
})

/** The sets of all synthetic pictures are valid, or the tests above would test nothing. */
test("parameter sets stand in packets of their own", () => {
  expect(picture(0, { isKeyframe: true }).payloads.slice(0, 2)).toEqual([SPS_320, PPS])
})
