import { type AddressInfo, createServer, type Socket } from "node:net"
import { pino } from "pino"
import { expect, test } from "vitest"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import { PushManager } from "../../../src/io/push/push-manager.ts"
import { connectRtmp } from "../../../src/io/rtmp/client.ts"
import { RtmpMessageCache } from "../../../src/io/rtmp/message-cache.ts"
import type { H264Track } from "../../../src/media/frame.ts"
import { RTMP_SERVER_DEFAULTS } from "../../../src/rtmp/server-options.ts"
import { RtmpServerSession } from "../../../src/rtmp/server-session.ts"
import { hex } from "../../support/bytes.ts"
import type { Scope } from "../../support/scope.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { startRtmpSetup } from "../rtmp/setup.ts"

const scope = testScope()
const MAX_QUEUE_BYTES = 500_000
const FRAME_BYTES = 100_000
const SYSTEM_BUFFERS_BYTES = 12_000_000
const TRACK: H264Track = {
  kind: "video",
  codec: "h264",
  sps: [hex("6742c01ed890280bfe5c0440000003004000000c83c58b8980")],
  pps: [hex("68c888cb20")],
  widthPx: 640,
  heightPx: 360,
}

test("a target that stops reading takes a bounded amount of memory, and is connected anew in the end", async () => {
  let nowMs = 0
  const { registry } = await startRtmpSetup(scope)
  const sockets: Socket[] = []
  const port = await startStallingServer(scope, sockets)
  const limits = { maxRetryMs: 1_000, refusedMaxRetryMs: 1_000, connectTimeoutMs: 5_000, stepTimeoutMs: 5_000 }
  const manager = new PushManager({
    pushes: [{ stream: "live/cam1", url: `rtmp://127.0.0.1:${port}/live/x` }],
    maxPushes: 1,
    limits: { ...limits, ca: undefined, maxQueueBytes: MAX_QUEUE_BYTES, maxDelayMs: 4_000, slowTimeoutMs: 10_000 },
    messages: new RtmpMessageCache(RTMP_SERVER_DEFAULTS.chunkSizeBytes),
    ownPorts: [],
    connect: connectRtmp,
    random: () => 1,
    registry,
    logger: pino({ level: "silent" }),
    nowMs: () => nowMs,
  })
  scope.defer(() => manager.close("the test is over"))
  const state = () => manager.list(nowMs)[0]?.state.type
  const publisher = {
    ...{ id: "p", protocol: "rtmp" as const, identity: undefined, lastMediaMs: 0 },
    requestKeyframe: () => {},
    end: () => {},
    describe: () => ({
      remoteAddress: undefined,
      transport: "tcp" as const,
      startedAtMs: 0,
      bytes: 0,
      bitrateBps: 0,
      codecs: [],
    }),
  }
  const stream = registry.publish(parseStreamName("live", "cam1"), publisher, nowMs)
  manager.sweep(nowMs)
  await until("the push", () => state() === "live")
  const unit = new Uint8Array(FRAME_BYTES).fill(0x65)
  for (let count = 0; count < 200; count++) {
    stream.pushFrame({ track: TRACK, dtsUs: count * 1_000, ptsUs: count * 1_000, isKeyframe: true, units: [unit] })
    await new Promise(setImmediate)
  }
  const { droppedFrames = 0, bytes = 0 } = manager.list(nowMs)[0]?.totals ?? {}
  expect(droppedFrames).toBeGreaterThan(20)
  // Beside the queue there is what the system's own buffers hold.
  expect(bytes).toBeLessThan(MAX_QUEUE_BYTES + SYSTEM_BUFFERS_BYTES)

  nowMs += 11_000
  stream.pushFrame({ track: TRACK, dtsUs: 11_000_000, ptsUs: 11_000_000, isKeyframe: true, units: [unit] })
  expect(manager.list(nowMs)[0]?.lastFailure?.error.message).toBe("the reader is too slow")
  nowMs += 1_000
  manager.sweep(nowMs)
  await until("another connection", () => sockets.length === 2)
})

/** Lets publish, and reads nothing from then on. */
async function startStallingServer(owner: Scope, sockets: Socket[]): Promise<number> {
  const server = createServer((socket) => {
    sockets.push(socket)
    owner.defer(() => socket.destroy())
    const session = new RtmpServerSession(RTMP_SERVER_DEFAULTS, new Uint8Array(8), 0)
    const apply = (events: ReturnType<typeof session.push>): void => {
      for (const event of events) {
        if (event.type === "send") socket.write(event.bytes)
        if (event.type !== "publishRequested") continue
        apply(session.acceptPublish(event.streamId))
        socket.pause()
      }
    }
    socket.on("error", () => {})
    socket.on("data", (bytes) => apply(session.push(bytes as Uint8Array, 0)))
  }).listen(0, "127.0.0.1")
  owner.defer(() => server.close())
  await until("the server", () => server.listening)
  return (server.address() as AddressInfo).port
}
