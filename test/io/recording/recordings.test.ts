import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import { NODE_FILES, type RecordingFiles, type RecordingHandle } from "../../../src/io/recording/files.ts"
import { amfField } from "../../../src/rtmp/amf-value.ts"
import { gatewayErrorCode } from "../../support/errors.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { FRAME_US, openRecordings, publisherOf, type RecordedFlv, readFlv, VIDEO } from "./setup.ts"

const scope = testScope()
const CAM1 = parseStreamName("live", "cam1")
const RULES = [{ stream: "live/*" }]

const duration = ({ metadata }: RecordedFlv) => amfField(metadata, "duration")
const counts = ({ tags }: RecordedFlv) =>
  [/^Vk?\d/, /^Vk/, /^A\d/].map((kind) => tags.filter((tag) => kind.test(tag)).length)

/** Files whose every write, number and length by turns, can be held up or refused. */
function controlledFiles(beforeWrite: (bytes: number, position: number) => Promise<void> | void): RecordingFiles {
  return {
    ...NODE_FILES,
    async create(path): Promise<RecordingHandle> {
      const handle = await NODE_FILES.create(path)
      return {
        ...handle,
        async write(bytes, position) {
          await beforeWrite(bytes.length, position)
          await handle.write(bytes, position)
        },
      }
    },
  }
}

const systemError = (code: string) => Object.assign(new Error(code), { code })

describe("a recording", () => {
  test("begins by a rule with the stream, misses nothing, and is complete when the stream is over", async () => {
    const setup = await openRecordings(scope, { rules: RULES })
    const publisher = setup.publish()
    publisher.send(30)
    setup.recordings.sweep()
    publisher.send(20)
    setup.registry.endStream("live/cam1", "over")
    const { "live/cam1-001.flv": file, ...others } = await setup.files()
    expect(others).toEqual({})
    expect(file).toMatchObject({ hasVideo: true, hasAudio: true })
    // The group of pictures that was there at the beginning is the second one.
    expect(file?.tags.slice(0, 5)).toEqual(["Vc0", "Vk0", "Ac1", "A1", "V40"])
    expect(file && [counts(file), duration(file)]).toEqual([[25, 1, 25], 1.001])
    expect(setup.recordings.list()).toMatchObject([
      {
        stream: "live/cam1",
        cause: "config",
        state: "finished",
        files: [{ name: "live/cam1-001.flv", state: "complete" }],
      },
    ])
    expect(setup.recordings.list()[0]?.bytes).toBe(file?.bytes)
    expect(setup.bugs).toEqual([])
  })

  test("goes on in a new file at a keyframe, and each file holds the sound of its time, late as it may come", async () => {
    const setup = await openRecordings(scope, { rules: [{ stream: "live/cam1", maxFileDurationMs: 1_500 }] })
    const publisher = setup.publish()
    publisher.send(1)
    setup.recordings.sweep()
    publisher.send(124, { soundDelay: 5 })
    publisher.catchUp()
    const files = Object.values(await setup.files())
    expect(files.map(counts)).toEqual([
      [50, 2, 50],
      [50, 2, 50],
      [25, 1, 25],
    ])
    expect(files.map(({ tags }) => tags.slice(0, 2))).toEqual([
      ["Vc0", "Vk0"],
      ["Vc0", "Vk0"],
      ["Vc0", "Vk0"],
    ])
    for (const { tags } of files) expect(tags.filter((tag) => tag.startsWith("Ac"))).toEqual(["Ac1"])
    expect(files.map(duration)).toEqual([2.001, 2.001, 1.001])
  })

  test("goes on in a new file when one has its size", async () => {
    const setup = await openRecordings(scope, { rules: RULES, maxFileBytes: 20_013 + 60_000 })
    const publisher = setup.publish()
    publisher.send(1)
    setup.recordings.sweep()
    publisher.send(149)
    const files = Object.values(await setup.files())
    expect(files.map((file) => counts(file)[1])).toEqual([3, 3])
  })

  test("goes on in the same file when the publisher returns, with its new parameters", async () => {
    const setup = await openRecordings(scope, { rules: RULES })
    const first = setup.publish()
    first.send(25)
    setup.recordings.sweep()
    setup.registry.unpublish(first.stream, first.session, "lost", { mayReturn: true, nowMs: 1_000 })
    setup.nowMs = 3_000
    const second = setup.publish("cam1", publisherOf("one"))
    expect(second.stream).toBe(first.stream)
    second.next = 75
    second.nextSound = 75
    second.video = { ...VIDEO, pps: [Uint8Array.of(0x68, 0xce, 0x3c, 0x80)] }
    second.send(50)
    setup.recordings.sweep()
    const files = Object.values(await setup.files())
    expect(files.map(counts)).toEqual([[75, 3, 75]])
    const heads = ["Vc0", "Vk0", "Ac1", "Vc3000", "Vk3000", "Vc4000", "Vk4000"]
    expect(files[0]?.tags.filter((tag) => /[ck]/.test(tag))).toEqual(heads)
    expect(setup.recordings.list()).toHaveLength(1)
  })

  test("goes on in a new file when parameters change after a while, not when they are only said again", async () => {
    const setup = await openRecordings(scope, { rules: RULES })
    const publisher = setup.publish()
    publisher.send(25)
    setup.recordings.sweep()
    publisher.send(250)
    publisher.video = { ...VIDEO }
    publisher.send(25)
    publisher.video = { ...VIDEO, pps: [Uint8Array.of(0x68, 0xce, 0x3c, 0x80)] }
    publisher.send(25)
    expect(Object.values(await setup.files()).map(counts)).toEqual([
      [300, 12, 300],
      [25, 1, 25],
    ])
  })

  test("goes on in a new file when the video comes in another codec", async () => {
    const setup = await openRecordings(scope, { rules: RULES })
    const publisher = setup.publish()
    publisher.send(25)
    setup.recordings.sweep()
    const track = { kind: "video", codec: "vp8", widthPx: 640, heightPx: 360 } as const
    for (let number = 25; number < 30; number++) {
      const ptsUs = number * FRAME_US
      const isKeyframe = number === 25
      publisher.stream.pushFrame({ track, ptsUs, dtsUs: ptsUs, isKeyframe, units: [new Uint8Array(50).fill(0x10)] })
    }
    const files = await setup.files()
    expect(Object.keys(files)).toEqual(["live/cam1-001.flv", "live/cam1-002.flv"])
    const [first, second] = Object.values(files)
    expect(first && counts(first)).toEqual([25, 1, 25])
    expect([second && duration(second), second && amfField(second.metadata, "videocodecid")]).toEqual([0.2, 0x76703038])
    expect(setup.recordings.list()).toMatchObject([{ state: "finished", files: [{}, {}] }])
    expect(setup.bugs).toEqual([])
  })

  test("never writes over a file that is there", async () => {
    const setup = await openRecordings(scope, { rules: RULES })
    await mkdir(join(setup.folder, "live"))
    await writeFile(join(setup.folder, "live/cam1-001.flv"), "precious")
    const publisher = setup.publish()
    publisher.send(25)
    setup.recordings.sweep()
    await setup.recordings.close(5_000)
    expect(await readFile(join(setup.folder, "live/cam1-001.flv"), "utf8")).toBe("precious")
    expect(setup.recordings.list()[0]?.files).toMatchObject([{ name: "live/cam1-001-2.flv", state: "complete" }])
    expect(counts(readFlv(await readFile(join(setup.folder, "live/cam1-001-2.flv"))))).toEqual([25, 1, 25])
  })

  test("waits for the second kind of media, but not for ever", async () => {
    const setup = await openRecordings(scope, { rules: RULES })
    const { stream } = setup.publish()
    setup.recordings.sweep()
    stream.pushFrame({ track: VIDEO, ptsUs: 0, dtsUs: 0, isKeyframe: true, units: [new Uint8Array(9)] })
    setup.recordings.sweep()
    expect(setup.recordings.list()).toEqual([])
    setup.nowMs += 1_000
    setup.recordings.sweep()
    expect(Object.values(await setup.files())).toMatchObject([
      { hasVideo: true, hasAudio: false, tags: ["Vc0", "Vk0"] },
    ])
  })
})

describe("a disk", () => {
  test("that is full ends the recording, not the stream; the file is whole as far as it goes", async () => {
    let roomBytes = 60_000
    const files = controlledFiles((bytes, position) => {
      if (position + bytes > roomBytes) throw systemError("ENOSPC")
    })
    const setup = await openRecordings(scope, { rules: RULES, files, retryMs: 1 })
    const publisher = setup.publish()
    publisher.send(25)
    setup.recordings.sweep()
    await until(
      "the first batch",
      async () => (await readFile(join(setup.folder, "live/cam1-001.flv"))).length > 40_000,
    )
    publisher.send(25)
    await until("the failure", () => setup.recordings.totals.failures > 0)
    roomBytes = 1e9
    const failed = await until("the end", () => setup.recordings.list().find(({ state }) => state === "failed"))
    expect(failed).toMatchObject({ error: { code: "recording.failed" }, files: [{ state: "failed" }] })
    expect(failed.error?.detail).toContain("the disk is full")
    expect(setup.log.filter(({ level }) => Number(level) >= 50)).toMatchObject([{ code: "recording.failed" }])
    expect(publisher.stream.publisher).toBe(publisher.session)

    // The rule holds: the recording begins again.
    await until("the next try", () => setup.recordings.totals.running === 1)
    publisher.send(25)
    expect(failed.files[0]?.durationMs).toBe(1_001)
    const { "live/cam1-001.flv": first, "live/cam1-001-2.flv": second } = await setup.files()
    expect(first && [counts(first), duration(first), amfField(first.metadata, "filesize")]).toEqual([
      [25, 1, 25],
      1.001,
      first?.bytes,
    ])
    expect(second && counts(second)[1]).toBeGreaterThanOrEqual(1)
    expect(setup.bugs).toEqual([])
  })

  test("without the room that shall be left gets no file", async () => {
    const files = { ...NODE_FILES, freeBytes: async () => 999 }
    const setup = await openRecordings(scope, { rules: RULES, files, minFreeBytes: 1_000 })
    setup.publish().send(25)
    setup.recordings.sweep()
    const failed = await until("the end", () => setup.recordings.list().find(({ state }) => state === "failed"))
    expect(failed.error?.detail).toMatch(/only 999 bytes are free/)
    expect(failed.files).toMatchObject([{ state: "failed", bytes: 0 }])
    expect(await setup.files()).toEqual({})
  })

  test("that cannot be written to says so", async () => {
    const setup = await openRecordings(scope, { rules: RULES })
    await writeFile(join(setup.folder, "live"), "no folder")
    setup.publish().send(25)
    setup.recordings.sweep()
    const failed = await until("the end", () => setup.recordings.list().find(({ state }) => state === "failed"))
    expect(failed.error?.detail).toMatch(/a file is in the way/)
  })

  test("that is slow costs pictures up to a later keyframe, and a bounded queue", async () => {
    const gate = Promise.withResolvers<void>()
    const files = controlledFiles((_, position) => (position > 0 ? gate.promise : undefined))
    const setup = await openRecordings(scope, { rules: RULES, files, queueMaxBytes: 40_000 })
    const publisher = setup.publish()
    publisher.send(25)
    setup.recordings.sweep()
    publisher.send(100)
    gate.resolve()
    await until("the queue", async () => (await readFile(join(setup.folder, "live/cam1-001.flv"))).length > 60_000)
    publisher.send(50)
    const [file] = Object.values(await setup.files())
    const [pictures = 0, keyframes] = file ? counts(file) : []
    expect(pictures).toBeGreaterThan(70)
    expect(pictures).toBeLessThan(95)
    expect(keyframes).toBe(4)
    // After the gap the first picture is a keyframe.
    const times = file?.tags.filter((tag) => tag.startsWith("V") && !tag.startsWith("Vc")) ?? []
    const gapAt = times.findIndex(
      (tag, i) => i > 0 && Number(tag.replace(/\D+/, "")) - Number(times[i - 1]?.replace(/\D+/, "")) > 40,
    )
    expect(times[gapAt]).toBe("Vk5000")
    expect(setup.recordings.list()).toMatchObject([{ state: "finished" }])
  })

  test("that hangs ends the recording", async () => {
    const gate = Promise.withResolvers<void>()
    scope.defer(() => gate.resolve())
    const files = controlledFiles((_, position) => (position > 0 ? gate.promise : undefined))
    const setup = await openRecordings(scope, { rules: RULES, files, slowTimeoutMs: 1_000 })
    const publisher = setup.publish()
    publisher.send(25)
    setup.recordings.sweep()
    setup.nowMs += 9_000
    publisher.send(1)
    setup.nowMs += 2_000
    publisher.send(1)
    expect(setup.recordings.list()).toMatchObject([{ state: "failed" }])
    expect(setup.recordings.list()[0]?.error?.detail).toContain("too slow")
    expect(publisher.stream.subscribers.size).toBe(0)
  })
})

describe("an administrator", () => {
  test("starts and ends recordings of live streams", async () => {
    const setup = await openRecordings(scope)
    expect(gatewayErrorCode(() => setup.recordings.start(CAM1))).toBe("stream.not_live")
    const publisher = setup.publish()
    publisher.send(25)
    expect(gatewayErrorCode(() => setup.recordings.start(CAM1, { template: "../x.flv" }))).toBe("recording.template")
    const { id, cause, state } = setup.recordings.start(CAM1, { template: "by-hand/{stream}.flv" })
    expect([cause, state]).toEqual(["api", "recording"])
    publisher.send(25)
    expect(setup.recordings.stop("nobody")).toBe(false)
    expect(setup.recordings.stop(id)).toBe(true)
    publisher.send(25)
    expect(setup.recordings.totals.running).toBe(0)
    await until("the file", () => setup.recordings.list()[0]?.files[0]?.state === "complete")
    expect(setup.recordings.stop(id)).toBe(false)
    expect(setup.recordings.list()).toMatchObject([{ id, state: "finished", files: [{ state: "complete" }] }])
    expect(Object.entries(await setup.files()).map(([name, file]) => [name, ...counts(file)])).toEqual([
      ["by-hand/cam1.flv", 50, 2, 50],
    ])
  })

  test("has so many at once as the configuration says, and none while the gateway closes", async () => {
    const setup = await openRecordings(scope, { maxRecordings: 1 })
    setup.publish().send(25)
    setup.recordings.start(CAM1)
    expect(gatewayErrorCode(() => setup.recordings.start(CAM1))).toBe("session.limit")
    await setup.recordings.close(1_000)
    expect(gatewayErrorCode(() => setup.recordings.start(CAM1))).toBe("gateway.closing")
  })
})

test("a publisher's wish counts where the configuration lets it", async () => {
  for (const allowPublishers of [false, true]) {
    const setup = await openRecordings(scope, { allowPublishers })
    setup.publish("cam1").send(1)
    setup.publish("cam2").send(1)
    setup.recordings.wish(CAM1)
    setup.recordings.sweep()
    expect(setup.recordings.list().map(({ stream, cause }) => [stream, cause])).toEqual(
      allowPublishers ? [["live/cam1", "publisher"]] : [],
    )
  }
})
