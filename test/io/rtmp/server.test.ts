import { expect, test, vi } from "vitest"
import { concat } from "../../../src/media/bytes.ts"
import { parseAmf0 } from "../../../src/rtmp/amf0.ts"
import { MESSAGE_TYPE } from "../../../src/rtmp/message.ts"
import { hex, toHex } from "../../support/bytes.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { RtmpClient } from "./client.ts"
import { type RtmpSetup, startRtmpSetup } from "./setup.ts"

const scope = testScope()
const AUDIO = 8
const VIDEO = 9
const VIDEO_HEADER = hex(
  "17 00 000000 0142c01effe1 0019 6742c01ed890280bfe5c04400000030040000 00c83c58b8980 01 0005 68c888cb20",
)
const AUDIO_HEADER = hex("af 00 1210")
const KEYFRAME = hex("17 01 000000 00000004 65888421")
const INTER_FRAME = hex("27 01 000000 00000004 419a0011")
const SOUND = hex("af 01 2110")

async function publish({ server }: RtmpSetup, stream = "cam1"): Promise<RtmpClient> {
  const publisher = await RtmpClient.open(server.port, scope, "publish", stream)
  await publisher.status("NetStream.Publish.Start")
  publisher.metadata({ videocodecid: 7, audiocodecid: 10 })
  publisher.message(VIDEO, 0, VIDEO_HEADER)
  publisher.message(AUDIO, 0, AUDIO_HEADER)
  return publisher
}

async function play({ server }: RtmpSetup, stream = "cam1"): Promise<RtmpClient> {
  const reader = await RtmpClient.open(server.port, scope, "play", stream)
  return reader.status("NetStream.Play.Start")
}

function metadataOf(reader: RtmpClient): Record<string, unknown> {
  const data = reader.messages.filter(({ typeId }) => typeId === MESSAGE_TYPE.dataAmf0)
  const [, values] = data.map(({ payload }) => parseAmf0(payload)).find(([name]) => name === "onMetaData") ?? []
  return Object.fromEntries(values as Map<string, unknown>)
}

function line(log: RtmpSetup["log"], message: string): Promise<Record<string, unknown>> {
  return until(`log line "${message}"`, () => log.find(({ msg }) => msg === message))
}

test("a reader gets metadata, headers and the group of pictures in the order of time, then live", async () => {
  const setup = await startRtmpSetup(scope)
  const publisher = await publish(setup)
  for (const [typeId, timestampMs, body] of [
    [VIDEO, 1_000, KEYFRAME],
    [AUDIO, 1_010, SOUND],
    [VIDEO, 1_040, INTER_FRAME],
  ] as const) {
    publisher.message(typeId, timestampMs, body)
  }
  await until("three frames", () => setup.registry.list()[0]?.lanes.videoFrames.cached.length === 2)
  const reader = await play(setup, "cam1?start=keyframe")
  publisher.message(VIDEO, 1_080, KEYFRAME)
  await until("all messages", () => reader.media().length === 6)
  const firstMs = reader.media()[0]?.timestampMs ?? 0
  const bodies = reader.media().map(({ timestampMs, payload }) => [timestampMs - firstMs, toHex(payload)])
  expect(bodies).toEqual([
    [0, toHex(VIDEO_HEADER)],
    [0, toHex(KEYFRAME)],
    [10, toHex(AUDIO_HEADER)],
    [10, toHex(SOUND)],
    [40, toHex(INTER_FRAME)],
    [80, toHex(KEYFRAME)],
  ])
  const expected = { videocodecid: 7, audiocodecid: 10, width: 640, height: 360, stereo: true }
  expect(metadataOf(reader)).toMatchObject(expected)
})

test("a reader that does not say where begins at live; another word than live and keyframe is refused", async () => {
  const setup = await startRtmpSetup(scope)
  const publisher = await publish(setup)
  publisher.message(VIDEO, 1_000, KEYFRAME)
  publisher.message(VIDEO, 1_040, INTER_FRAME)
  publisher.message(VIDEO, 1_080, INTER_FRAME)
  await until("three pictures", () => setup.registry.list()[0]?.lanes.videoFrames.cached.length === 3)
  const readers = [await play(setup), await play(setup, "cam1?start=live")]
  for (const reader of readers) {
    await until("the header and three pictures", () => reader.media().length === 4)
    const [header = 0, ...times] = reader.media().map(({ timestampMs }) => timestampMs)
    expect(times.map((time) => time - header)).toEqual([0, 1, 2])
  }
  const refused = await RtmpClient.open(setup.server.port, scope, "play", "cam1?start=now")
  await refused.closed
  expect(refused.statusCodes()).toEqual(["NetStream.Play.Failed"])
  expect(await line(setup.log, "reader refused: start must be live or keyframe")).toMatchObject({
    code: "stream.start",
  })
})

test("a second publisher is refused and disconnected, the first one goes on", async () => {
  const setup = await startRtmpSetup(scope)
  const first = await publish(setup)
  const second = await RtmpClient.open(setup.server.port, scope, "publish", "cam1")
  await second.closed
  expect(second.statusCodes()).toEqual(["NetStream.Publish.BadName"])
  first.message(VIDEO, 0, KEYFRAME)
  await until("a frame", () => setup.registry.list()[0]?.lanes.videoFrames.last)
})

test("the same token takes over: the first publisher is told, readers stay and time goes on", async () => {
  const setup = await startRtmpSetup(scope)
  const first = await publish(setup, "cam1?token=secret")
  const reader = await play(setup)
  first.message(VIDEO, 70_000, KEYFRAME)
  await until("the first picture", () => reader.media().length === 2)
  const second = await publish(setup, "cam1?token=secret")
  await first.closed
  expect(first.statusCodes()).toContain("NetStream.Publish.Denied")
  second.message(VIDEO, 5, KEYFRAME)
  await until("the second picture", () => reader.media().filter(({ payload }) => payload[1] === 1).length === 2)
  const times = reader.media().map(({ timestampMs }) => timestampMs)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test.each(["..", "a b", "", "x".repeat(65)])("the name %j is refused", async (name) => {
  const { server, log } = await startRtmpSetup(scope)
  const publisher = await RtmpClient.open(server.port, scope, "publish", name)
  await publisher.closed
  expect(publisher.statusCodes()).toEqual(["NetStream.Publish.BadName"])
  expect(log).toEqual([expect.objectContaining({ level: 40, code: "stream.name" })])
})

test("a publisher without a stream key is told where it belongs", async () => {
  const { server, log } = await startRtmpSetup(scope)
  const publisher = await RtmpClient.open(server.port, scope, "publish", "")
  await publisher.closed
  expect(log).toEqual([expect.objectContaining({ msg: expect.stringContaining("the stream key NAME") })])
})

test("a stream that is not live is refused, and so is a reader too many", async () => {
  const setup = await startRtmpSetup(scope)
  const lost = await RtmpClient.open(setup.server.port, scope, "play", "nobody")
  await lost.closed
  expect(lost.statusCodes()).toEqual(["NetStream.Play.StreamNotFound"])
  await publish(setup)
  await play(setup)
  await play(setup)
  const third = await RtmpClient.open(setup.server.port, scope, "play", "cam1")
  await third.closed
  expect(third.statusCodes()).toEqual(["NetStream.Play.Failed"])
})

test("media that cannot be used ends the publication with a clear error", async () => {
  const setup = await startRtmpSetup(scope)
  const publisher = await publish(setup)
  publisher.message(VIDEO, 0, hex("12 00"))
  publisher.message(AUDIO, 0, hex("f2 00"))
  await publisher.closed
  expect(publisher.statusCodes()).toContain("NetStream.Failed")
  expect(
    await line(
      setup.log,
      "RTMP error: the video is in Sorenson H.263, which is not supported: set the encoder to H.264, HEVC, AV1, VP9 or VP8; the sound is in sound format 15, which is not supported: set the encoder to AAC or Opus",
    ),
  ).toMatchObject({ code: "flv.tag" })
  expect(setup.registry.list()).toEqual([])
})

test("sound that only RTMP has goes on to readers, with a warning", async () => {
  const setup = await startRtmpSetup(scope)
  const publisher = await publish(setup)
  publisher.message(AUDIO, 0, hex("2f fffb9464"))
  const what = "the sound is MP3: RTMP and FLV readers get it as it is, WebRTC viewers and outputs with AAC get none"
  expect(await line(setup.log, `${what}; set the encoder to AAC or Opus`)).toMatchObject({ level: 40 })
  publisher.message(VIDEO, 0, VIDEO_HEADER)
  publisher.message(VIDEO, 0, KEYFRAME)
  publisher.message(AUDIO, 24, hex("2f fffb9464"))
  const reader = await play(setup)
  await until("header, picture and sound", () => reader.media().length === 4)
  expect(metadataOf(reader)).toMatchObject({ videocodecid: 7, audiocodecid: 2 })
  expect(
    reader
      .media()
      .filter(({ typeId }) => typeId === AUDIO)
      .at(-1)?.payload,
  ).toEqual(hex("2f fffb9464"))
})

test("readers are told at once when the publisher says that it goes", async () => {
  const setup = await startRtmpSetup(scope)
  const publisher = await publish(setup)
  const reader = await play(setup)
  publisher.command(0, "deleteStream", 4, null, 1)
  await reader.closed
  expect(reader.statusCodes().at(-1)).toBe("NetStream.Play.UnpublishNotify")
  expect(setup.registry.list()).toEqual([])
})

test("readers stay while a lost publisher may return, get its media when it does, and are told when it does not", async () => {
  const setup = await startRtmpSetup(scope)
  const [first, reader] = [await publish(setup), await play(setup)]
  first.socket.destroy()
  await line(setup.log, "publisher gone")
  const second = await publish(setup)
  second.message(VIDEO, 0, KEYFRAME)
  await until("a picture", () => reader.media().length > 1)
  second.socket.destroy()
  await until("the stream to wait", () => setup.registry.list()[0]?.awaited !== undefined)
  const { untilMs = 0 } = setup.registry.list()[0]?.awaited ?? {}
  setup.registry.sweep(untilMs - 1)
  expect(setup.registry.list()).toHaveLength(1)
  setup.registry.sweep(untilMs)
  await reader.closed
  expect(reader.statusCodes().at(-1)).toBe("NetStream.Play.UnpublishNotify")
  expect(setup.registry.list()).toEqual([])
})

test("B-frames are warned of once, with the stream's name", async () => {
  const setup = await startRtmpSetup(scope)
  const publisher = await publish(setup)
  for (let i = 0; i < 3; i++) publisher.message(VIDEO, i * 40, hex("27 01 000000 00000003 019e00"))
  await until("three frames", () => (setup.registry.list()[0]?.lanes.videoFrames.last?.dtsUs ?? 0) > 0)
  publisher.socket.end()
  await line(setup.log, "publisher gone")
  expect(setup.log.filter(({ level }) => level === 40)).toEqual([expect.objectContaining({ stream: "live/cam1" })])
})

test("video in colours that browsers do not take is warned of once", async () => {
  const setup = await startRtmpSetup(scope)
  const publisher = await RtmpClient.open(setup.server.port, scope, "publish", "cam1")
  await publisher.status("NetStream.Publish.Start")
  const header = "17 00 000000 01f4000affe1 0018 67f4000a91964109b011000003000100000300020f122648 01 0006 68ebc3c44844"
  publisher.message(VIDEO, 0, hex(`${header} fff8f800`))
  for (let i = 0; i < 3; i++) publisher.message(VIDEO, i * 40, KEYFRAME)
  publisher.socket.end()
  await line(setup.log, "publisher gone")
  const warnings = setup.log.filter(({ level }) => level === 40)
  expect(warnings).toEqual([expect.objectContaining({ msg: expect.stringContaining("yuv420p") })])
})

test("one line in the log when a session opens, one with totals when it closes", async () => {
  const setup = await startRtmpSetup(scope)
  const publisher = await publish(setup)
  const reader = await play(setup)
  publisher.message(VIDEO, 0, KEYFRAME)
  publisher.message(AUDIO, 0, SOUND)
  await until("all messages", () => reader.media().length === 4)
  reader.socket.end()
  await line(setup.log, "reader gone")
  publisher.socket.end()
  await line(setup.log, "publisher gone")
  expect(setup.log.map(({ msg, stream, protocol }) => [msg, stream, protocol])).toEqual(
    ["publisher connected", "reader connected", "reader gone", "publisher gone"].map((msg) => [
      msg,
      "live/cam1",
      "rtmp",
    ]),
  )
  expect(setup.log[2]).toMatchObject({ videoFrames: 1, audioFrames: 1, droppedFrames: 0, bytes: expect.any(Number) })
  expect(setup.log[3]).toMatchObject({ videoFrames: 1, audioFrames: 1, reason: "the peer closed the connection" })
})

test("a handshake that stalls is ended", async () => {
  const { server, log } = await startRtmpSetup(scope, { setupTimeoutMs: 50 })
  const client = new RtmpClient(server.port, scope)
  client.socket.write(Uint8Array.of(3, 0, 0))
  await client.closed
  expect(log).toEqual([expect.objectContaining({ code: "rtmp.timeout" })])
})

test("a publisher that falls silent is ended", async () => {
  const setup = await startRtmpSetup(scope, { idleTimeoutMs: 50 })
  const publisher = await publish(setup)
  await publisher.closed
  expect(await line(setup.log, "RTMP error: nothing received")).toMatchObject({ code: "rtmp.timeout" })
})

test("connections above the limit are closed", async () => {
  const setup = await startRtmpSetup(scope, { maxConnections: 1 })
  await publish(setup)
  await new RtmpClient(setup.server.port, scope).closed
})

test("a reader that does not read skips to a later keyframe and costs no more than its queue", async () => {
  const setup = await startRtmpSetup(scope, { readerQueueMaxBytes: 2e6 })
  const publisher = await publish(setup)
  const reader = await play(setup)
  const quick = await play(setup)
  reader.socket.pause()
  const large = concat([hex("17 01 000000 00030d44 65888421"), new Uint8Array(200_000)])
  const total = 150
  for (let i = 0; i < total; i++) {
    publisher.message(VIDEO, i * 40, large)
    await until("the quick reader", () => quick.media().length === i + 2, { intervalMs: 1 })
  }
  reader.socket.resume()
  await until("an empty queue", () => reader.socket.bytesRead > 2e6)
  publisher.message(VIDEO, total * 40, INTER_FRAME)
  await vi.waitFor(() => {
    publisher.message(VIDEO, total * 40 + 40, KEYFRAME)
    expect(reader.media().some(({ payload }) => payload.length === KEYFRAME.length)).toBe(true)
  }, 5_000)
  expect(reader.media().length).toBeLessThan(total)
  expect(reader.media().some(({ payload }) => payload.length === INTER_FRAME.length && payload[0] === 0x27)).toBe(false)
  reader.socket.end()
  const { droppedFrames } = await line(setup.log, "reader gone")
  expect(droppedFrames).toBeGreaterThan(10)
})

test("closing tells publishers and readers and takes no longer than it may", async () => {
  const setup = await startRtmpSetup(scope)
  const publisher = await publish(setup)
  const reader = await play(setup)
  await setup.server.close(2_000)
  await Promise.all([publisher.closed, reader.closed])
  expect(publisher.statusCodes().slice(-2)).toEqual(["NetStream.Publish.Start", "NetConnection.Connect.Closed"])
  expect(reader.statusCodes().slice(-2)).toEqual(["NetStream.Play.UnpublishNotify", "NetConnection.Connect.Closed"])
  expect(setup.log.filter(({ msg }) => msg === "publisher gone")).toEqual([
    expect.objectContaining({ reason: "the gateway is closing" }),
  ])
})

test("a port that is taken is a clear error", async () => {
  const { server } = await startRtmpSetup(scope)
  await expect(startRtmpSetup(scope, { port: server.port })).rejects.toMatchObject({ code: "listen.failed" })
})
