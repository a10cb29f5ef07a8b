import { describe, expect, test, vi } from "vitest"
import { type Broadcast, FRAME_MS, publishFrames, startBroadcast } from "./support-broadcast.ts"
import { TestGateway, useFakeClock } from "./support-gateway.ts"
import { RtmpSink, RtmpSource, recordedMedia, type SeenMessage } from "./support-rtmp.ts"

useFakeClock()

const LONG: Broadcast = { keyframeInterval: 250 }

const timesOf = (messages: readonly SeenMessage[]) => messages.map(({ timestampMs }) => timestampMs)
const stepsOf = (messages: readonly SeenMessage[]) =>
  timesOf(messages)
    .slice(1)
    .map((time, i) => time - (timesOf(messages)[i] as number))

describe("a player that joins in the middle of a long group of pictures", () => {
  test("gets all of them right before the live edge, sound of that time, and no more delay", async () => {
    const { gateway, source } = startBroadcast()
    await publishFrames(source, [0, 200], LONG)
    const sink = new RtmpSink(gateway, { start: "live" })
    const archive = new RtmpSink(gateway, { start: "keyframe" })
    const cached = sink.seen.length
    await publishFrames(source, [200, 240], LONG)
    expect(sink.pictures.map(({ units }) => units)).toEqual(archive.pictures.map(({ units }) => units))
    expect(sink.pictures[0]).toMatchObject({ isKeyframe: true, timestampMs: 199 * FRAME_MS - 199 })
    const lastCached = 199
    expect(stepsOf(sink.pictures.slice(0, lastCached + 1))).toEqual(Array(lastCached).fill(1))
    expect(stepsOf(sink.pictures.slice(lastCached))).toEqual(Array(40).fill(FRAME_MS))
    const from = sink.pictures[0]?.timestampMs ?? 0
    expect(sink.sounds).toEqual(archive.sounds.filter(({ timestampMs }) => timestampMs >= from))
    expect(sink.sounds.length).toBeGreaterThan(40)
    expect(sink.seen.slice(cached)).toEqual(archive.seen.slice(-80))
    expect(gateway.bugs).toEqual([])
  })

  test("is told the headers at the time of the first picture, and the picture rate that the times do not show", async () => {
    const { gateway, source } = startBroadcast()
    await publishFrames(source, [0, 100], LONG)
    const sink = new RtmpSink(gateway, { start: "live" })
    const { timestampMs } = sink.pictures[0] ?? {}
    const headers = [
      { type: "videoConfig", timestampMs },
      { type: "audioConfig", timestampMs },
    ]
    expect(sink.seen.slice(0, 3)).toMatchObject([...headers, { type: "picture" }])
    expect(sink.seen.filter(({ type }) => type === "audioConfig")).toHaveLength(1)
    expect(sink.metadata?.get("framerate")).toBe(25)
    const archive = new RtmpSink(gateway, { start: "keyframe" })
    expect(archive.metadata?.has("framerate")).toBe(false)
  })

  test("shares frames with those who came before, but for sound from before its first picture", async () => {
    const { gateway, source, broadcasts } = startBroadcast()
    const lagging = { ...LONG, soundLagMs: 100 }
    const first = new RtmpSink(gateway, { broadcasts, start: "live" })
    await publishFrames(source, [0, 252], lagging)
    const second = new RtmpSink(gateway, { broadcasts, start: "live" })
    const alone = new RtmpSink(gateway, { start: "live" })
    await publishFrames(source, [252, 300], lagging)
    expect(second.seen).toEqual(alone.seen)
    const beginsMs = second.pictures[0]?.timestampMs ?? 0
    expect(beginsMs).toBe(251 * FRAME_MS - 1)
    expect(Math.min(...timesOf(second.sounds))).toBeGreaterThanOrEqual(beginsMs)
    const handedOver = [first, second].map((sink) => vi.spyOn(sink, "sendNow"))
    await publishFrames(source, [300, 310], lagging)
    const [one = [], other = []] = handedOver.map(({ mock }) => mock.calls.map(([bytes]) => bytes))
    expect(other.length).toBeGreaterThan(5)
    expect(other.every((bytes, i) => bytes === one[i])).toBe(true)
  })

  test("shares also where sound was announced and never comes", async () => {
    const { gateway, source, broadcasts } = startBroadcast()
    source.sound(0, 0)
    for (let id = 0; id < 50; id++) source.picture(id * FRAME_MS, id, id % 25 === 0)
    const sink = new RtmpSink(gateway, { broadcasts, start: "live" })
    const sendNow = vi.spyOn(sink, "sendNow")
    for (let id = 50; id < 90; id++) {
      source.picture(id * FRAME_MS, id)
      await vi.advanceTimersByTimeAsync(FRAME_MS)
    }
    expect(sendNow).toHaveBeenCalled()
    expect(sink.pictures).toHaveLength(65)
  })

  test("goes on with the next keyframe at its true time after it turned the pictures off and on", async () => {
    const { gateway, source } = startBroadcast()
    const often = { keyframeInterval: 50 }
    await publishFrames(source, [0, 40], often)
    const sink = new RtmpSink(gateway, { start: "live" })
    sink.reader.want("video", false)
    await publishFrames(source, [40, 60], often)
    expect(sink.pictures).toHaveLength(40)
    expect(sink.sounds.length).toBeGreaterThanOrEqual(20)
    sink.reader.want("video", true)
    await publishFrames(source, [60, 110], often)
    expect(sink.pictures[40]).toMatchObject({ isKeyframe: true, timestampMs: 100 * FRAME_MS })
  })
})

test("wherever a player joins a stream with B-frames, times rise and pictures keep their order up to live", () => {
  const media = recordedMedia()
  const pictureCount = media.filter(({ type }) => type === "video").length
  for (let joinAt = 1; joinAt < media.length; joinAt++) {
    const gateway = new TestGateway()
    const source = RtmpSource.publishing(gateway)
    for (const message of media.slice(0, joinAt)) source.media(message)
    const sink = new RtmpSink(gateway, { start: "live" })
    const archive = new RtmpSink(gateway, { start: "keyframe" })
    for (const message of media.slice(joinAt)) source.media(message)
    expect(Math.min(1, ...stepsOf(sink.pictures))).toBe(1)
    expect(Math.min(0, ...sink.pictures.map(({ compositionTimeMs }) => compositionTimeMs))).toBe(0)
    const shown = (player: RtmpSink) =>
      player.pictures
        .toSorted((a, b) => a.timestampMs + a.compositionTimeMs - b.timestampMs - b.compositionTimeMs)
        .map(({ units }) => `${units}`)
    const got = new Set(shown(sink))
    expect(shown(sink)).toEqual(shown(archive).filter((picture) => got.has(picture)))
    const isReferredTo = ({ units }: { units: readonly Uint8Array[] }) =>
      units.some(([first = 0]) => (first & 0x60) > 0)
    expect([...got]).toEqual(
      expect.arrayContaining(archive.pictures.filter(isReferredTo).map(({ units }) => `${units}`)),
    )
    expect(sink.pictures.length).toBeLessThan(pictureCount)
  }
})

test("a player that no group of pictures is kept for begins with the next keyframe, at its true time", async () => {
  const gateway = new TestGateway({ cacheMaxMs: 1_000 })
  const source = RtmpSource.publishing(gateway)
  source.headers()
  await publishFrames(source, [0, 50], { keyframeInterval: 60 })
  const sink = new RtmpSink(gateway, { start: "live" })
  expect(sink.seen).toEqual([])
  await publishFrames(source, [50, 70], { keyframeInterval: 60 })
  expect(sink.pictures[0]).toMatchObject({ isKeyframe: true, timestampMs: 60 * FRAME_MS })
  expect(Math.min(...timesOf(sink.sounds))).toBeGreaterThan(60 * FRAME_MS)
})

test("of sound without pictures a player gets the newest, and is not as late as the cache is long", () => {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  source.media({ type: "audio", timestampMs: 0, payload: Uint8Array.of(0xaf, 0, 0x12, 0x10) })
  for (let id = 0; id < 100; id++) source.sound(id * 23, id)
  const sink = new RtmpSink(gateway, { start: "live" })
  const archive = new RtmpSink(gateway, { start: "keyframe" })
  source.sound(100 * 23, 100)
  expect(archive.sounds).toHaveLength(101)
  expect(sink.sounds).toEqual(archive.sounds.slice(-2))
})
