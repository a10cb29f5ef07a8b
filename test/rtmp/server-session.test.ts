import { describe, expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import { controlMessage, MESSAGE_TYPE, userControl } from "../../src/rtmp/message.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import {
  CONNECT,
  CREATE_STREAM,
  command,
  data,
  HANDSHAKE,
  Peer,
  PLAY,
  PUBLISH,
  playing,
  publishing,
  VIDEO,
} from "./peer.ts"

describe("connecting", () => {
  test("announces its windows and chunk size, then success", () => {
    expect(new Peer().push(HANDSHAKE, CONNECT, CREATE_STREAM)).toEqual([
      "control 5 002625a0",
      "control 6 002625a002",
      '0 _result 1 {"fmsVer":"FMS/3,5,7,7009","capabilities":31} {"level":"status","code":"NetConnection.Connect.Success","description":"connected","objectEncoding":0}',
      "0 _result 2 null 1",
    ])
  })

  test.each([
    { name: "another command before connect", input: CREATE_STREAM, reason: "createStream before connect" },
    {
      name: "connect without an application",
      input: command(0, "connect", 1, {}),
      reason: "connect without an application",
    },
  ])("refuses $name", ({ input, reason }) => {
    const status = { level: "error", code: "NetConnection.Connect.Rejected", description: reason }
    expect(new Peer().push(HANDSHAKE, input)).toEqual([
      `0 _error 1 null ${JSON.stringify(status)}`,
      { type: "close", reason, error: expect.any(GatewayError) },
    ])
  })

  test("refuses a second connect with _error and goes on", () => {
    const peer = new Peer()
    peer.push(HANDSHAKE, CONNECT)
    expect(peer.push(CONNECT, CREATE_STREAM)).toEqual([expect.stringContaining("_error 1 null"), "0 _result 2 null 1"])
  })

  test("another protocol ends the session without a word", () => {
    expect(new Peer().push(Uint8Array.of(0x47, 0x45))).toEqual([
      { type: "close", reason: expect.stringContaining("HTTP"), error: expect.any(GatewayError) },
    ])
  })
})

describe("publishing", () => {
  test("asks the caller before it tells the peer", () => {
    const peer = new Peer()
    expect(peer.push(HANDSHAKE, CONNECT, CREATE_STREAM, PUBLISH).at(-1)).toEqual({
      type: "publishRequested",
      streamId: 1,
      app: "live",
      stream: "cam1",
      token: "t",
      publishType: "live",
    })
    expect(peer.see(peer.session.acceptPublish(1))).toEqual([
      "control 4 000000000001",
      '1 onStatus 0 null {"level":"status","code":"NetStream.Publish.Start","description":"publishing"}',
    ])
    expect(peer.see(peer.session.acceptPublish(1))).toEqual([])
  })

  test("a refusal tells the code and closes; nothing is read afterwards", () => {
    const peer = new Peer()
    peer.push(HANDSHAKE, CONNECT, CREATE_STREAM, PUBLISH)
    expect(peer.see(peer.session.rejectPublish(1, "NetStream.Publish.BadName", "live/cam1 is live"))).toEqual([
      '1 onStatus 0 null {"level":"error","code":"NetStream.Publish.BadName","description":"live/cam1 is live"}',
      { type: "close", reason: "live/cam1 is live" },
    ])
    expect(peer.push(VIDEO)).toEqual([])
    expect(peer.session.nextTimeoutMs).toBeUndefined()
  })

  test("hands over media and metadata", () => {
    expect(
      publishing().push(
        data("@setDataFrame", "onMetaData", { width: 640 }),
        VIDEO,
        data("onFI", 1),
        data("@clearDataFrame", "onMetaData"),
      ),
    ).toEqual([
      { type: "metadata", streamId: 1, values: { width: 640 } },
      { type: "video", streamId: 1, timestampMs: 40, payload: Uint8Array.of(0x17, 1) },
      { type: "userData", streamId: 1, timestampMs: 0, name: "onFI", values: [1] },
    ])
  })

  test("takes aggregate messages apart", () => {
    const tag = (typeId: number, timestampMs: number, byte: number) => [
      typeId,
      0,
      0,
      1,
      0,
      0,
      timestampMs,
      0,
      0,
      0,
      0,
      byte,
      0,
      0,
      0,
      12,
    ]
    const payload = Uint8Array.from([...tag(8, 10, 0xaa), ...tag(9, 30, 0xbb)])
    const input = serializeMessage({ typeId: MESSAGE_TYPE.aggregate, timestampMs: 1_000, streamId: 1, payload }, 128)
    expect(publishing().push(input)).toEqual([
      { type: "audio", streamId: 1, timestampMs: 1_000, payload: Uint8Array.of(0xaa) },
      { type: "video", streamId: 1, timestampMs: 1_020, payload: Uint8Array.of(0xbb) },
    ])
  })

  test("large messages are for publishers only", () => {
    const payload = new Uint8Array(70_000)
    const large = serializeMessage({ typeId: 9, timestampMs: 0, streamId: 1, payload }, 128)
    expect(playing().push(large).at(-1)).toMatchObject({ type: "close", error: { code: "rtmp.chunk" } })
    expect(publishing().push(large)).toEqual([{ type: "video", streamId: 1, timestampMs: 0, payload }])
  })

  test.each([
    { name: "deleteStream", input: command(0, "deleteStream", 5, null, 1) },
    { name: "closeStream", input: command(1, "closeStream", 0, null) },
  ])("$name ends it", ({ input }) => {
    const peer = publishing()
    expect(peer.push(command(0, "FCUnpublish", 4, null, "cam1"), input)).toEqual([
      "0 _result 4 null undefined",
      '0 onFCUnpublish 0 null {"level":"status","code":"NetStream.Unpublish.Success","description":"cam1"}',
      '1 onStatus 0 null {"level":"status","code":"NetStream.Unpublish.Success","description":"publication ended"}',
      { type: "publishEnded", streamId: 1 },
    ])
  })

  test("after closeStream the message stream can be used again", () => {
    const peer = publishing()
    peer.push(command(1, "closeStream", 0, null))
    expect(peer.push(PUBLISH)).toEqual([expect.objectContaining({ type: "publishRequested", streamId: 1 })])
  })

  test.each([
    { name: "before it was accepted", begin: [CREATE_STREAM, PUBLISH] },
    { name: "without a publication", begin: [CREATE_STREAM] },
    { name: "on an unknown message stream", begin: [] },
  ])("media $name is an error", ({ begin }) => {
    const peer = new Peer()
    peer.push(HANDSHAKE, CONNECT, ...begin)
    expect(peer.push(VIDEO)).toEqual([
      expect.stringContaining("NetStream.Failed"),
      { type: "close", reason: "video without a publication", error: expect.any(GatewayError) },
    ])
  })

  test("media that is under way when the publication is revoked is ignored", () => {
    const peer = publishing()
    expect(peer.see(peer.session.endPublish(1, "taken over"))).toEqual([
      '1 onStatus 0 null {"level":"error","code":"NetStream.Publish.Denied","description":"taken over"}',
    ])
    expect(peer.push(VIDEO)).toEqual([])
  })

  test("an answer for a publication that was given up has no effect", () => {
    const peer = new Peer()
    peer.push(HANDSHAKE, CONNECT, CREATE_STREAM, PUBLISH)
    expect(peer.push(command(0, "deleteStream", 5, null, 1))).toEqual([{ type: "publishEnded", streamId: 1 }])
    expect(peer.session.acceptPublish(1)).toEqual([])
  })

  test("the caller's own error reaches the peer", () => {
    const peer = publishing()
    const error = new GatewayError("flv.tag", "video codec VP6 is not supported yet")
    expect(peer.see(peer.session.fail(error))).toEqual([
      '1 onStatus 0 null {"level":"error","code":"NetStream.Failed","description":"video codec VP6 is not supported yet"}',
      { type: "close", reason: error.message, error },
    ])
  })
})

describe("playing", () => {
  test("asks the caller before it tells the peer", () => {
    const peer = new Peer()
    expect(peer.push(HANDSHAKE, CONNECT, CREATE_STREAM, PLAY).at(-1)).toEqual(
      expect.objectContaining({
        type: "playRequested",
        streamId: 1,
        app: "live",
        stream: "cam1",
        capabilities: expect.objectContaining({ audio: undefined, canReconnect: false }),
      }),
    )
    expect(peer.see(peer.session.acceptPlay(1))).toEqual([
      "control 4 000000000001",
      expect.stringContaining("NetStream.Play.Reset"),
      expect.stringContaining("NetStream.Play.Start"),
      "1 |RtmpSampleAccess true true",
    ])
  })

  test("a name that is not live is refused", () => {
    const peer = new Peer()
    peer.push(HANDSHAKE, CONNECT, CREATE_STREAM, PLAY)
    expect(peer.see(peer.session.rejectPlay(1, "NetStream.Play.StreamNotFound", "not live"))).toEqual([
      '1 onStatus 0 null {"level":"error","code":"NetStream.Play.StreamNotFound","description":"not live"}',
      { type: "close", reason: "not live" },
    ])
  })

  test.each([
    { isThere: false, told: "control 4 000200000001" },
    {
      isThere: true,
      told: '1 onStatus 0 null {"level":"status","code":"NetStream.Play.PublishNotify","description":"the publisher is back"}',
    },
  ])("is told of its publisher: $isThere", ({ isThere, told }) => {
    const peer = playing()
    expect(peer.see(peer.session.tellPublisher(1, isThere))).toEqual([told])
    peer.see(peer.session.endPlay(1, "over"))
    expect(peer.session.tellPublisher(1, isThere)).toEqual([])
  })

  test("the end of the stream is announced", () => {
    const peer = playing()
    expect(peer.see(peer.session.endPlay(1, "over"))).toEqual([
      '1 onStatus 0 null {"level":"status","code":"NetStream.Play.UnpublishNotify","description":"over"}',
      "control 4 000100000001",
    ])
  })

  test("media from a player is an error", () => {
    expect(playing().push(VIDEO).at(-1)).toEqual(expect.objectContaining({ type: "close" }))
  })
})

describe("other messages", () => {
  test("several message streams live on one connection, up to a limit", () => {
    const peer = new Peer({ ...RTMP_SERVER_DEFAULTS, maxMessageStreams: 2 })
    peer.push(HANDSHAKE, CONNECT)
    expect(peer.push(CREATE_STREAM, CREATE_STREAM, CREATE_STREAM)).toEqual([
      "0 _result 2 null 1",
      "0 _result 2 null 2",
      expect.stringContaining("_error 2 null"),
    ])
    const input = [command(1, "publish", 3, null, "a", "live"), command(2, "play", 4, null, "b")]
    expect(peer.push(...input)).toEqual([
      expect.objectContaining({ type: "publishRequested", streamId: 1, stream: "a" }),
      expect.objectContaining({ type: "playRequested", streamId: 2, stream: "b" }),
    ])
  })

  test("acknowledges what the peer's window asks for", () => {
    const peer = publishing()
    peer.push(serializeMessage(controlMessage(MESSAGE_TYPE.windowAckSize, 5_000), 128))
    const payload = new Uint8Array(6_000)
    const events = peer.push(serializeMessage({ typeId: 9, timestampMs: 0, streamId: 1, payload }, 128))
    expect(events.at(-1)).toMatch(/^control 3 0000[0-9a-f]{4}$/)
  })
})

describe("time", () => {
  test.each([
    { name: "no byte", input: [] },
    { name: "half a handshake", input: [HANDSHAKE.subarray(0, 2_000)] },
    { name: "no command", input: [HANDSHAKE] },
    { name: "no publish", input: [HANDSHAKE, CONNECT, CREATE_STREAM] },
  ])("$name within the time to set up ends the session", ({ input }) => {
    const peer = new Peer()
    peer.push(new Uint8Array(0), ...input)
    expect(peer.session.nextTimeoutMs).toBe(10_000)
    expect(peer.session.onTimeout(9_999)).toEqual([])
    expect(peer.session.onTimeout(10_000).at(-1)).toMatchObject({ type: "close", error: { code: "rtmp.timeout" } })
  })

  test("a publisher that sends no media is ended, also one that answers pings", () => {
    const { session } = publishing({ ...RTMP_SERVER_DEFAULTS, pingIntervalMs: 20_000 })
    expect(session.nextTimeoutMs).toBe(21_000)
    session.push(VIDEO, 5_000)
    expect(session.onTimeout(25_000)).toHaveLength(1)
    session.push(PONG, 26_000)
    expect(session.nextTimeoutMs).toBe(35_000)
    expect(session.onTimeout(35_000).at(-1)).toMatchObject({ type: "close", error: { code: "rtmp.timeout" } })
  })

  test("a silent player is asked whether it is there, and stays as long as it answers", () => {
    const peer = playing()
    expect(peer.session.nextTimeoutMs).toBe(31_000)
    expect(peer.session.onTimeout(30_999)).toEqual([])
    expect(peer.see(peer.session.onTimeout(31_000))).toEqual(["control 4 000600007918"])
    expect(peer.session.nextTimeoutMs).toBe(61_000)
    expect(peer.session.push(PONG, 32_000)).toEqual([])
    expect(peer.session.nextTimeoutMs).toBe(62_000)
    expect(peer.session.onTimeout(62_000)).toHaveLength(1)
    expect(peer.session.onTimeout(91_999)).toEqual([])
    expect(peer.session.onTimeout(92_000).at(-1)).toMatchObject({ type: "close", error: { code: "rtmp.timeout" } })
  })

  test("a request may wait for its answer for ever", () => {
    const peer = new Peer()
    peer.push(HANDSHAKE, CONNECT, CREATE_STREAM, PUBLISH)
    expect(peer.session.nextTimeoutMs).toBeUndefined()
  })

  test("after a publication the time to set up runs again", () => {
    const peer = publishing()
    peer.push(command(1, "closeStream", 0, null))
    expect(peer.session.nextTimeoutMs).toBe(11_000)
  })
})

const PONG = serializeMessage(userControl(7, 16_000), 128)
