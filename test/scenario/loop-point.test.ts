import { describe, expect, test } from "vitest"
import { toHex } from "../support/bytes.ts"
import { AAC_MARK, advance, OPUS_MARK, TestGateway, useFakeClock } from "./support-gateway.ts"
import { RtmpSink, RtmpSource, rtmpSlice } from "./support-rtmp.ts"
import { expectIntact, TestViewer } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40
const SOUND_MS = 1_024 / 44.1
const RUN_MS = 2_000

interface Message {
  readonly atMs: number
  readonly kind: "picture" | "sound"
  readonly id: number
  readonly isKeyframe: boolean
}

/** One turn of a file, in the order of time; sound may be interleaved late, as muxers do. */
function turn(soundLateMs: number): Message[] {
  const pictures = Array.from({ length: RUN_MS / FRAME_MS }, (_, id) => {
    return { atMs: id * FRAME_MS, sendMs: id * FRAME_MS, kind: "picture" as const, id, isKeyframe: id % 25 === 0 }
  })
  const sounds = Array.from({ length: Math.floor(RUN_MS / SOUND_MS) }, (_, id) => {
    const atMs = Math.round(id * SOUND_MS)
    return { atMs, sendMs: atMs + soundLateMs, kind: "sound" as const, id, isKeyframe: false }
  })
  return [...pictures, ...sounds].toSorted((a, b) => a.sendMs - b.sendMs)
}

/** Publishes turns of a file at once after another, each with timestamps from where `startsMs` says; 32 bits, which wrap. */
function publish(gateway: TestGateway, startsMs: readonly number[], soundLateMs: number): void {
  const source = RtmpSource.publishing(gateway)
  source.headers()
  const messages = turn(soundLateMs)
  for (const [i, startMs] of startsMs.entries()) {
    let nowMs = 0
    for (const { atMs, kind, id, isKeyframe } of messages) {
      if (atMs > nowMs) {
        advance(atMs - nowMs)
        nowMs = atMs
      }
      const timestampMs = (startMs + atMs) >>> 0
      if (kind === "picture") source.picture(timestampMs, i * 100 + id, isKeyframe)
      else source.sound(timestampMs, i * 100 + id)
    }
    advance(RUN_MS - nowMs)
  }
}

const stepsOf = (list: readonly number[]) => list.slice(1).map((time, i) => time - (list[i] ?? 0))

describe.each([0, 60])("with sound that is muxed %i ms late", (soundLateMs) => {
  test.each([
    { jump: "goes on", startsMs: [0, RUN_MS, 2 * RUN_MS] },
    { jump: "starts over", startsMs: [0, 0, 0] },
    { jump: "goes back by a little more than a turn", startsMs: [10_000, 9_500, 9_000] },
    { jump: "jumps forward by hours", startsMs: [0, 10_000_000, 20_000_000] },
    { jump: "wraps at 32 bits within a turn", startsMs: [2 ** 32 - 1_000, 1_000, 3_000] },
    { jump: "wraps at 32 bits and starts over", startsMs: [2 ** 32 - 1_000, 2 ** 32 - 1_000, 0] },
    { jump: "goes beyond 24 bits and back", startsMs: [2 ** 24 - 1_000, 2 ** 24 - 1_000, 5] },
  ])("a publisher whose time $jump: everything comes, evenly, and in step", ({ startsMs }) => {
    const gateway = new TestGateway()
    const first = RtmpSource.publishing(gateway) // so that viewers can be there before the publisher in question
    const sink = new RtmpSink(gateway)
    const viewer = new TestViewer(gateway)
    publish(gateway, startsMs, soundLateMs)
    expect(first.endedBecause).toMatch(/took over/)
    const messages = turn(soundLateMs)
    const ids = (kind: string) =>
      startsMs.flatMap((_, i) => messages.flatMap((m) => (m.kind === kind ? [i * 100 + m.id] : [])))
    const isKeyframe = (id: number) => (id % 100) % 25 === 0
    const slices = ids("picture").map((id) => toHex(rtmpSlice(id, isKeyframe(id))))
    expect(sink.pictures.map(({ units }) => units.map(toHex).join())).toEqual(slices)
    expect(viewer.frames.map(({ units }) => units.map(toHex).join()).slice(0, slices.length - 1)).toEqual(
      slices.slice(0, -1),
    )

    // At the loop point the shorter track may wait for the other one, and no more.
    const pictureSteps = stepsOf(sink.pictures.map(({ timestampMs }) => timestampMs))
    const soundSteps = stepsOf(sink.sounds.map(({ timestampMs }) => timestampMs))
    expect(Math.min(...pictureSteps)).toBeGreaterThanOrEqual(FRAME_MS - 1)
    expect(Math.max(...pictureSteps)).toBeLessThanOrEqual(FRAME_MS * 2)
    expect(Math.min(...soundSteps)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...soundSteps)).toBeLessThanOrEqual(SOUND_MS * 3)

    // In each turn, what was together stays together: second 1.0 of the file, picture 25 and sound 43.
    for (const i of startsMs.keys()) {
      const shown = sink.pictures.find(({ units }) => units.map(toHex).join() === toHex(rtmpSlice(i * 100 + 25, true)))
      const id = i * 100 + 43
      const heard = sink.sounds.find(({ data }) => toHex(data) === toHex(Uint8Array.of(id >> 8, id)))
      const distanceMs = (heard?.timestampMs ?? Number.NaN) - (shown?.timestampMs ?? Number.NaN)
      expect(Math.abs(distanceMs - (43 * SOUND_MS - 1_000))).toBeLessThanOrEqual(8)
    }
    expectIntact(gateway, viewer)
    const ticks = stepsOf(viewer.audio.map(({ timestamp }) => timestamp)).map((step) => step | 0)
    expect(Math.min(...ticks)).toBeGreaterThan(0)
    expect(Math.max(...ticks)).toBeLessThanOrEqual(SOUND_MS * 3 * 48)
    expect(viewer.audio.every(({ payload }) => payload[0] === OPUS_MARK[0])).toBe(true)
    expect(AAC_MARK).not.toEqual(OPUS_MARK)
  })
})
