import { pino } from "pino"
import { describe, expect, test } from "vitest"
import { GatewayError } from "../../../src/errors.ts"
import type { LiveStream } from "../../../src/hub/live-stream.ts"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import { StreamRegistry } from "../../../src/hub/stream-registry.ts"
import { PushManager, type PushManagerOptions } from "../../../src/io/push/push-manager.ts"
import type { PushRequest } from "../../../src/io/push/push-target.ts"
import type { connectRtmp, RtmpClientConnection, RtmpConnectOptions } from "../../../src/io/rtmp/client.ts"
import { RtmpMessageCache } from "../../../src/io/rtmp/message-cache.ts"
import type { H264Track, H265Track, VideoFrame } from "../../../src/media/frame.ts"
import { ChunkReader } from "../../../src/rtmp/chunk-reader.ts"
import type { RtmpMessage } from "../../../src/rtmp/message.ts"
import { NO_CAPABILITIES } from "../../../src/rtmp/peer-capabilities.ts"
import { RTMP_SERVER_DEFAULTS } from "../../../src/rtmp/server-options.ts"
import { hex } from "../../support/bytes.ts"
import { gatewayErrorCode } from "../../support/errors.ts"
import { noConverters } from "../rtmp/setup.ts"

const UNREACHABLE = new GatewayError("rtmp.unreachable", "nothing listens there")
const REFUSED = new GatewayError("rtmp.refused", "the stream key is wrong")
const TRACK: H264Track = {
  kind: "video",
  codec: "h264",
  sps: [hex("6742c01ed890280bfe5c0440000003004000000c83c58b8980")],
  pps: [hex("68c888cb20")],
  widthPx: 640,
  heightPx: 360,
}

const HEVC: H265Track = {
  kind: "video",
  codec: "h265",
  vps: [hex("4001aa")],
  sps: [hex("42010101600000030090000003000003003ca00a080c1d446595952930bffc1640165da708000003000800000300c840")],
  pps: [hex("4401bb")],
  widthPx: 64,
  heightPx: 64,
}

/** A connection that the test leads, with what it was given. */
class FakeConnection implements RtmpClientConnection {
  readonly remoteAddress = "192.0.2.1:1935"
  readonly messages: RtmpMessage[] = []
  queuedBytes = 0
  delayMs = 0
  endedBecause: string | undefined
  readonly url: string
  readonly #options: RtmpConnectOptions
  readonly #reader = new ChunkReader(RTMP_SERVER_DEFAULTS)

  constructor(url: string, options: RtmpConnectOptions) {
    this.url = url
    this.#options = options
    const setChunkSize = hex("02 000000 000004 01 00000000 0000ea60")
    this.#reader.push(setChunkSize, () => {})
  }

  get output() {
    return this
  }

  send(bytes: Uint8Array): void {
    this.#reader.push(bytes, (message) => this.messages.push(message))
  }

  sendNow(bytes: Uint8Array): void {
    this.send(bytes)
  }

  establish(capabilities = NO_CAPABILITIES): void {
    this.#options.handlers.established({ streamId: 1, capabilities }, this)
  }

  fail(error: GatewayError): void {
    this.#options.handlers.closed({ reason: error.message, error })
  }

  reconnect(reconnectUrl: string): void {
    this.#options.handlers.closed({ reason: "elsewhere", reconnectUrl })
  }

  end(reason: string): void {
    this.endedBecause = reason
    this.#options.handlers.closed({ reason })
  }
}

function setup(pushes: PushRequest[], options: Partial<PushManagerOptions> = {}) {
  let nowMs = 0
  const connections: FakeConnection[] = []
  const connect: typeof connectRtmp = (url, connectOptions) => {
    const connection = new FakeConnection(url, connectOptions)
    connections.push(connection)
    return connection
  }
  const bounds = { maxStreams: 10, maxSubscribers: 10, cacheMaxBytes: 1e6, cacheMaxMs: 30_000, graceMs: 5_000 }
  const registry = new StreamRegistry(noConverters, {
    ...bounds,
    silentTakeoverMs: 1_000,
    keyframeRequestIntervalMs: 1_000,
  })
  const limits = {
    maxRetryMs: 15_000,
    refusedMaxRetryMs: 60_000,
    connectTimeoutMs: 1_000,
    stepTimeoutMs: 1_000,
    ca: undefined,
  }
  const manager = new PushManager({
    pushes,
    maxPushes: 3,
    limits: { ...limits, maxQueueBytes: 1_000, maxDelayMs: 4_000, slowTimeoutMs: 10_000 },
    messages: new RtmpMessageCache(60_000),
    ownPorts: [1935],
    connect,
    random: () => 1,
    registry,
    logger: pino({ level: "silent" }),
    nowMs: () => nowMs,
    ...options,
  })
  const publisher = (name: string) => ({
    id: name,
    protocol: "rtmp" as const,
    identity: undefined,
    lastMediaMs: 0,
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
  })
  return {
    manager,
    registry,
    connections,
    last: () => connections.at(-1) as FakeConnection,
    publish: (name: string) => {
      const [app = "", stream = ""] = name.split("/")
      return registry.publish(parseStreamName(app, stream), publisher(name), nowMs)
    },
    /** Lets time pass as the gateway's timer does. */
    pass: (durationMs: number) => {
      for (const endMs = nowMs + durationMs; nowMs < endMs; ) {
        nowMs = Math.min(endMs, nowMs + 250)
        manager.sweep(nowMs)
      }
    },
    states: () => manager.list(nowMs).map(({ state }) => state.type),
    entry: () => manager.list(nowMs)[0],
  }
}

function pushPicture(stream: LiveStream, ptsUs: number, isKeyframe = true): void {
  const frame: VideoFrame<H264Track> = {
    track: TRACK,
    dtsUs: ptsUs,
    ptsUs,
    isKeyframe,
    units: [hex(isKeyframe ? "65888421" : "419a0011")],
  }
  stream.pushFrame(frame)
}

const TO_B = { stream: "live/*", url: "rtmp://b.example/app/{app}-{stream}?key=k" }

describe("a push", () => {
  test("waits for its stream, goes live with it, and ends with it", () => {
    const { manager, registry, publish, pass, states, connections, last, entry } = setup([TO_B])
    expect([states(), entry()?.stream, entry()?.target]).toEqual([["waiting"], "live/*", "rtmp://b.example/app/…"])
    publish("other/cam1")
    pass(1_000)
    expect(connections).toEqual([])
    const stream = publish("live/cam1")
    pass(250)
    expect([states(), last().url]).toEqual([["connecting"], "rtmp://b.example/app/live-cam1?key=k"])
    last().establish()
    pushPicture(stream, 0)
    pushPicture(stream, 40_000, false)
    expect([states(), entry()?.stream, entry()?.totals.bytes]).toEqual([["live"], "live/cam1", expect.any(Number)])
    expect(last().messages.map(({ typeId, timestampMs }) => [typeId, timestampMs])).toEqual([
      [18, 0],
      [9, 0],
      [9, 0],
      [9, 40],
    ])
    registry.endStream("live/cam1", "over")
    expect(last().endedBecause).toBe("over")
    pass(250)
    expect([states(), connections.length]).toEqual([["waiting"], 1])
    expect(manager.totals).toMatchObject({ attempts: 1, errors: 0, bytes: expect.any(Number) })
  })

  test("of a pattern has an entry for each stream", () => {
    const { publish, pass, manager } = setup([TO_B])
    for (const name of ["live/a", "live/b"]) publish(name)
    pass(250)
    expect(manager.list(250).map(({ stream }) => stream)).toEqual(["live/a", "live/b"])
    expect(new Set(manager.list(250).map(({ id }) => id)).size).toBe(1)
  })

  test("comes back by itself to a target that was away for five minutes, trying at most every 15 s", () => {
    const { publish, pass, states, connections, last, entry } = setup([TO_B])
    const stream = publish("live/cam1")
    pass(250)
    last().establish()
    pushPicture(stream, 0)
    pass(20_000)
    last().fail(UNREACHABLE)
    const before = connections.length
    for (let passedMs = 0; passedMs < 300_000; passedMs += 250) {
      if (states()[0] === "connecting") last().fail(UNREACHABLE)
      pass(250)
    }
    expect(connections.length - before).toBeGreaterThanOrEqual(20)
    expect(connections.length - before).toBeLessThan(30)
    expect(entry()).toMatchObject({ lastFailure: { error: UNREACHABLE }, totals: { attempts: connections.length } })
    for (let waitedMs = 0; states()[0] !== "connecting"; waitedMs += 250) {
      expect(waitedMs).toBeLessThanOrEqual(15_000)
      pass(250)
    }
    last().establish()
    pushPicture(stream, 330_000_000)
    expect([states(), last().messages.at(-1)?.timestampMs]).toEqual([["live"], 330_000])
    pass(11_000)
    last().fail(UNREACHABLE)
    expect(entry()?.state).toMatchObject({ type: "backingOff", retryAtMs: expect.any(Number) })
    pass(750)
    expect(states()).toEqual(["connecting"])
  })

  test("that is refused says so at once, and is tried again slowly", () => {
    const { publish, pass, states, connections, last, entry } = setup([TO_B])
    publish("live/cam1")
    pass(250)
    last().fail(REFUSED)
    expect(entry()).toMatchObject({ state: { type: "failed", retryAtMs: 4_250 }, lastFailure: { error: REFUSED } })
    for (let passedMs = 0; passedMs < 600_000; passedMs += 250) {
      if (states()[0] === "connecting") last().fail(REFUSED)
      pass(250)
    }
    expect(connections.length).toBeLessThan(16)
  })

  test("goes where a reconnect request says, at once", () => {
    const { publish, pass, states, connections, last } = setup([TO_B])
    publish("live/cam1")
    pass(250)
    last().establish()
    pass(20_000)
    last().reconnect("rtmp://c.example/app/x")
    expect([states(), last().url]).toEqual([["connecting"], "rtmp://c.example/app/x"])
    last().establish()
    last().reconnect("rtmp://d.example/app/x")
    expect([states(), connections.length]).toEqual([["backingOff"], 2])
    pass(1_000)
    expect(last().url).toBe("rtmp://d.example/app/x")
    last().fail(UNREACHABLE)
    pass(15_000)
    expect(last().url).toBe("rtmp://b.example/app/live-cam1?key=k")
  })

  test("sends video of another codec than H.264 to a target that said that it takes it, and connects anew for a change", () => {
    const { publish, pass, states, connections, last, entry } = setup([TO_B])
    const stream = publish("live/cam1")
    pass(250)
    const pushHevc = (ptsUs: number) => {
      stream.pushFrame({ track: HEVC, dtsUs: ptsUs, ptsUs, isKeyframe: true, units: [hex("2601aabb")] })
    }
    last().establish()
    pushHevc(0)
    expect(last().messages.filter(({ typeId }) => typeId === 9)).toEqual([])
    last().end("again")
    pass(15_000)
    last().establish({ ...NO_CAPABILITIES, video: new Set(["hvc1"]) })
    pushHevc(1_000_000)
    const fourCcs = last()
      .messages.filter(({ typeId }) => typeId === 9)
      .map(({ payload }) => String.fromCharCode(...payload.subarray(1, 5)))
    expect(new Set(fourCcs)).toEqual(new Set(["hvc1"]))
    const { errors } = entry()?.totals ?? {}
    pushPicture(stream, 2_000_000)
    expect([states(), connections.length, entry()?.totals.errors]).toEqual([["connecting"], 3, errors])
  })

  test("to a slow target drops up to a later keyframe, and connects anew when it does not catch up", () => {
    const { publish, pass, states, last, entry } = setup([TO_B])
    const stream = publish("live/cam1")
    pass(250)
    last().establish()
    pushPicture(stream, 0)
    const target = last()
    target.queuedBytes = 2_000
    for (const ms of [40, 80, 120]) pushPicture(stream, ms * 1_000, false)
    expect(entry()?.totals.droppedFrames).toBe(3)
    target.queuedBytes = 0
    pushPicture(stream, 160_000, false)
    pushPicture(stream, 200_000)
    expect(target.messages.at(-1)?.timestampMs).toBe(200)
    target.queuedBytes = 2_000
    pushPicture(stream, 240_000, false)
    pass(11_000)
    pushPicture(stream, 11_000_000, false)
    expect([target.endedBecause, states()]).toEqual(["the reader is too slow", ["backingOff"]])
  })

  test("goes on with rising times when its publisher is replaced", () => {
    const { registry, publish, pass, last } = setup([TO_B])
    const stream = publish("live/cam1")
    pass(250)
    last().establish()
    pushPicture(stream, 0)
    pushPicture(stream, 5_000_000)
    pass(5_000)
    expect(publish("live/cam1")).toBe(stream)
    pushPicture(stream, stream.startUs(5_250))
    const times = last()
      .messages.filter(({ typeId }) => typeId === 9)
      .map(({ timestampMs }) => timestampMs)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect([last().endedBecause, registry.list().length]).toEqual([undefined, 1])
  })
})

describe("the list of pushes", () => {
  test("grows and shrinks by the API, within its bound", () => {
    const { manager, publish, pass, last, connections } = setup([TO_B])
    publish("live/cam1")
    const added = manager.add({ stream: "live/cam1", url: "rtmp://c/app/key" })
    expect(added).toMatchObject({ source: "api", state: { type: "connecting" }, target: "rtmp://c/app/…" })
    last().establish()
    expect(manager.remove(added.id)).toBe(true)
    expect(last().endedBecause).toBe("the push was removed")
    pass(60_000)
    expect(connections.filter(({ url }) => url === "rtmp://c/app/key")).toHaveLength(1)
    expect(manager.remove(added.id)).toBe(false)
    for (const name of ["a", "b"]) manager.add({ stream: `live/${name}`, url: "rtmp://c/app/key" })
    expect(gatewayErrorCode(() => manager.add({ stream: "live/c", url: "rtmp://c/app/key" }))).toBe("session.limit")
  })

  test("takes no address that cannot be read", () => {
    const { manager } = setup([])
    for (const url of ["http://b/app/x", "rtmp://b/x", "rtmp://b/app/x y"]) {
      expect(gatewayErrorCode(() => manager.add({ stream: "live/a", url }))).toBe("rtmp.url")
    }
    expect(() => setup([TO_B, { stream: "live/a", url: "rtmp://b:99999/app/x" }])).toThrow(
      "pushes.1.url: the address must",
    )
  })

  test("takes no loop: a push to ourselves under a name that is pushed again", () => {
    const { manager, publish, pass, entry, connections } = setup([
      { stream: "*", url: "rtmp://localhost/{app}/{stream}-x" },
    ])
    for (const host of ["localhost", "127.0.0.1", "[::1]:1935"]) {
      const url = `rtmp://${host}/live/cam1?token=t`
      expect(gatewayErrorCode(() => manager.add({ stream: "live/cam1", url }))).toBe("rtmp.url")
    }
    expect(manager.add({ stream: "live/cam1", url: "rtmp://127.0.0.1:1936/live/cam1" }).state.type).toBe("waiting")
    publish("live/cam2")
    pass(60_000)
    expect(entry()).toMatchObject({
      state: { type: "failed", retryAtMs: undefined },
      lastFailure: { error: { code: "rtmp.url" } },
    })
    expect(connections).toEqual([])
  })

  test("ends with the gateway", () => {
    const { manager, publish, pass, last } = setup([TO_B])
    publish("live/cam1")
    pass(250)
    last().establish()
    manager.close("the gateway is closing")
    expect([last().endedBecause, manager.list(0)]).toEqual(["the gateway is closing", []])
  })
})
