import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import type { AmfValue } from "../../src/rtmp/amf-value.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import { controlMessage, MESSAGE_TYPE, setPeerBandwidth, userControl } from "../../src/rtmp/message.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { parseSharedObject, sharedObjectMessage } from "../../src/rtmp/shared-object-message.ts"
import {
  CONNECT,
  CREATE_STREAM,
  command,
  connect,
  data,
  HANDSHAKE,
  Peer,
  PLAY,
  PUBLISH,
  playing,
  publishing,
  statusCodes,
  VIDEO,
} from "./peer.ts"

const status = (level: string, code: string, description: string) => JSON.stringify({ level, code, description })

function connected(connectCommand = CONNECT): Peer {
  const peer = new Peer()
  peer.push(HANDSHAKE, connectCommand)
  return peer
}

describe("connect", () => {
  test("in AMF3 is answered so, and all that follows comes in AMF3 messages", () => {
    const peer = new Peer()
    const replies = peer.push(HANDSHAKE, connect({ objectEncoding: 3 }), CREATE_STREAM)
    expect(replies.at(-2)).toContain('"objectEncoding":3')
    expect(replies.at(-1)).toBe("amf3 0 _result 2 null 1")
    peer.push(PLAY)
    const begun = peer.see(peer.session.acceptPlay(1))
    expect(begun[1]).toBe(`amf3 1 onStatus 0 null ${status("status", "NetStream.Play.Reset", "playing and resetting")}`)
  })

  test("with Enhanced RTMP is answered with what this server can do, without it as of old", () => {
    const [properties] = /_result 1 (\{.*?\}) \{"level/.exec(`${connectReply({ capsEx: 1 })}`)?.slice(1) ?? []
    expect(JSON.parse(properties ?? "")).toMatchObject({
      fmsVer: "FMS/3,5,7,7009",
      fourCcList: expect.arrayContaining(["avc1", "hvc1", "av01", "vp09", "Opus", "mp4a"]),
      videoFourCcInfoMap: { hvc1: 4 },
      audioFourCcInfoMap: { Opus: 4 },
      capsEx: expect.any(Number),
    })
    expect(connectReply({})).not.toContain("fourCcList")
  })

  test("of a player says what it can receive", () => {
    const peer = connected(connect({ fourCcList: ["Opus"], videoFourCcInfoMap: { av01: 1 }, capsEx: 1 }))
    const [, request] = peer.push(CREATE_STREAM, PLAY)
    expect(request).toMatchObject({
      capabilities: { video: new Set(["av01"]), audio: new Set(["Opus"]), canReconnect: true },
    })
  })

  test("a second time is refused and changes nothing", () => {
    const peer = connected()
    const refusal = status("error", "NetConnection.Connect.Rejected", "this connection is connected already")
    expect(peer.push(connect({ app: "other", objectEncoding: 3 }))).toEqual([`0 _error 1 null ${refusal}`])
    expect(peer.push(CREATE_STREAM, PLAY).at(-1)).toMatchObject({ app: "live" })
  })

  function connectReply(properties: Record<string, AmfValue>): unknown {
    return new Peer().push(HANDSHAKE, connect(properties)).at(-1)
  }
})

describe.each([
  { encoding: "AMF0", properties: {}, mark: "" },
  { encoding: "AMF3", properties: { objectEncoding: 3 }, mark: "amf3 " },
])("commands that are only answered, in $encoding", ({ properties, mark }) => {
  const fc1 = (name: string, code: string) => `0 ${name} 0 null ${status("status", code, "x")}`

  test.each<{ name: string; args: AmfValue[]; answers: string[] }>([
    { name: "releaseStream", args: [null, "x"], answers: ["0 _result 7 null undefined"] },
    { name: "FCPublish", args: [null, "x"], answers: ["0 _result 7 null undefined"] },
    {
      name: "FCUnpublish",
      args: [null, "x"],
      answers: ["0 _result 7 null undefined", fc1("onFCUnpublish", "NetStream.Unpublish.Success")],
    },
    { name: "FCSubscribe", args: [null, "x"], answers: [fc1("onFCSubscribe", "NetStream.Play.Start")] },
    { name: "FCUnsubscribe", args: [null, "x"], answers: [fc1("onFCUnsubscribe", "NetStream.Play.Stop")] },
    { name: "getStreamLength", args: [null, "x"], answers: ["0 _result 7 null 0"] },
    { name: "_checkbw", args: [null], answers: ["0 _result 7 null undefined"] },
    { name: "checkBandwidth", args: [null], answers: ["0 _result 7 null undefined", "0 onBWDone 0 null 0 0 0 0"] },
    { name: "onBWDone", args: [null], answers: [] },
    { name: "_result", args: [null], answers: [] },
    {
      name: "fly",
      args: [null, { to: "the moon" }],
      answers: [`0 _error 7 null ${status("error", "NetConnection.Call.Failed", "unknown command fly")}`],
    },
  ])("$name", ({ name, args, answers }) => {
    expect(connected(connect(properties)).push(command(0, name, 7, ...args))).toEqual(
      answers.map((answer) => mark + answer),
    )
  })
})

test.each(["releaseStream", "_checkbw", "fly"])("%s without a transaction wants no answer", (name) => {
  expect(connected().push(command(0, name, 0, null, "x"))).toEqual([])
})

describe("publish", () => {
  test.each([
    { type: "live", publishType: "live" },
    { type: "LIVE", publishType: "live" },
    { type: undefined, publishType: "live" },
    { type: "", publishType: "live" },
    { type: "record", publishType: "record" },
    { type: "append", publishType: "append" },
  ])("of type $type", ({ type, publishType }) => {
    const peer = connected()
    peer.push(CREATE_STREAM)
    expect(peer.push(command(1, "publish", 3, null, "cam1", type))).toEqual([
      expect.objectContaining({ type: "publishRequested", publishType, stream: "cam1" }),
    ])
  })

  test("of another type is refused", () => {
    const peer = connected()
    peer.push(CREATE_STREAM)
    expect(peer.push(command(1, "publish", 3, null, "cam1", "appendWithGap"))).toEqual([
      expect.stringContaining("must be live, record or append"),
      expect.objectContaining({ type: "close", error: expect.any(GatewayError) }),
    ])
  })

  test("tells a client that announced it with FCPublish, once it is accepted", () => {
    const peer = connected()
    peer.push(command(0, "FCPublish", 2, null, "cam1?token=t"), CREATE_STREAM, PUBLISH)
    expect(peer.see(peer.session.acceptPublish(1)).slice(1)).toEqual([
      expect.stringContaining("0 onFCPublish 0 null"),
      expect.stringContaining("1 onStatus 0 null"),
    ])
  })

  test("of false ends it", () => {
    expect(
      publishing()
        .push(command(1, "publish", 0, null, false))
        .at(-1),
    ).toEqual({ type: "publishEnded", streamId: 1 })
  })
})

describe("play", () => {
  const play = (...args: AmfValue[]) => command(1, "play", 3, null, "cam1", ...args)

  test.each([[], [-2_000], [-1_000], [0], [30_000], [-2_000, -1], [0, 0], [-2_000, -1, true]])(
    "starts live, whatever start it asks for: %j",
    (...args) => {
      expect(statusCodes(begin(play(...args)))).toEqual(["NetStream.Play.Reset", "NetStream.Play.Start"])
    },
  )

  test("without a reset does not tell of one", () => {
    expect(statusCodes(begin(play(-2_000, -1, false)))).toEqual(["NetStream.Play.Start"])
  })

  test("ends after the duration it asks for", () => {
    const peer = playing(CONNECT, play(-2_000, 5_000))
    expect(peer.session.nextTimeoutMs).toBe(6_000)
    expect(peer.session.onTimeout(5_999)).toEqual([])
    expect(peer.see(peer.session.onTimeout(6_000))).toEqual([
      expect.stringContaining("NetStream.Play.Stop"),
      { type: "playEnded", streamId: 1 },
      "control 4 000100000001",
    ])
    expect(peer.session.nextTimeoutMs).toBe(6_000 + RTMP_SERVER_DEFAULTS.commandTimeoutMs)
  })

  test("again on the same message stream changes to the other stream", () => {
    const peer = playing()
    expect(peer.push(command(1, "play", 4, null, "cam2"))).toEqual([
      { type: "playEnded", streamId: 1 },
      expect.objectContaining({ type: "playRequested", streamId: 1, stream: "cam2" }),
    ])
  })

  test("of something for a play list is refused, and what plays goes on", () => {
    const peer = playing()
    const append = command(1, "play2", 4, null, { streamName: "cam2", transition: "append" })
    expect(statusCodes(peer.push(command(1, "play", 4, null, "cam2", -2_000, -1, false), append))).toEqual([
      "NetStream.Play.Failed",
      "NetStream.Play.Failed",
    ])
    expect(peer.see(peer.session.endPlay(1, "over"))).toHaveLength(2)
  })

  test("by play2 changes to another stream", () => {
    const change = command(1, "play2", 4, null, { oldStreamName: "cam1", streamName: "cam2", transition: "switch" })
    expect(playing().push(change).at(-1)).toMatchObject({ type: "playRequested", stream: "cam2" })
  })

  test("of false stops", () => {
    expect(playing().push(command(1, "play", 0, null, false))).toEqual([
      expect.stringContaining("NetStream.Play.Stop"),
      { type: "playEnded", streamId: 1 },
    ])
  })

  function begin(playCommand: Uint8Array): unknown[] {
    const peer = connected()
    peer.push(CREATE_STREAM, playCommand)
    return peer.see(peer.session.acceptPlay(1))
  }
})

describe("a player", () => {
  const changed = (kind: string, enabled: boolean) => ({ type: "receiveChanged", streamId: 1, kind, enabled })

  test("is paused and goes on", () => {
    const peer = playing()
    const pause = command(1, "pause", 0, null, true, 0)
    expect(peer.push(pause)).toEqual([
      expect.stringContaining("NetStream.Pause.Notify"),
      changed("audio", false),
      changed("video", false),
    ])
    expect(peer.push(pause)).toEqual([expect.stringContaining("NetStream.Pause.Notify")])
    expect(peer.push(command(1, "pauseRaw", 0, null))).toEqual([
      expect.stringContaining("NetStream.Unpause.Notify"),
      changed("audio", true),
      changed("video", true),
    ])
  })

  test("turns sound off, and on again with a status", () => {
    const peer = playing()
    expect(peer.push(command(1, "receiveAudio", 0, null, false))).toEqual([changed("audio", false)])
    const shown = peer.push(command(1, "receiveAudio", 0, null, true))
    expect(statusCodes(shown)).toEqual(["NetStream.Seek.Notify", "NetStream.Play.Start"])
    expect(shown.at(-1)).toEqual(changed("audio", true))
  })

  test("that is paused gets nothing of what it turns on until it goes on", () => {
    const peer = playing()
    peer.push(command(1, "receiveVideo", 0, null, false), command(1, "pause", 0, null, true))
    expect(peer.push(command(1, "receiveVideo", 0, null, true)).filter((shown) => typeof shown === "object")).toEqual(
      [],
    )
    expect(peer.push(command(1, "pause", 0, null, false)).slice(1)).toEqual([
      changed("audio", true),
      changed("video", true),
    ])
  })

  test("cannot search in a live stream", () => {
    expect(statusCodes(playing().push(command(1, "seek", 0, null, 1_000)))).toEqual(["NetStream.Seek.Failed"])
  })
})

describe("messages between the parts of a protocol", () => {
  test.each([
    { name: "a ping", message: userControl(6, 99), answers: ["control 4 000700000063"] },
    { name: "a pong", message: userControl(7, 99), answers: [] },
    { name: "an acknowledgement", message: controlMessage(MESSAGE_TYPE.acknowledgement, 1_000), answers: [] },
    { name: "a hard limit", message: setPeerBandwidth(500_000, "hard"), answers: ["control 5 0007a120"] },
    { name: "the limit that it knows", message: setPeerBandwidth(2_500_000, "hard"), answers: [] },
  ])("$name", ({ message, answers }) => {
    expect(connected().push(serializeMessage(message, 128))).toEqual(answers)
  })

  test.each([
    { isPersistent: false, code: "SharedObject.NoReadAccess" },
    { isPersistent: true, code: "SharedObject.BadPersistence" },
  ])("a shared object is refused with $code", ({ isPersistent, code }) => {
    const use = { name: "chat", version: 0, isPersistent, encoding: "amf0", events: [{ type: "use" }] } as const
    const [reply] = connected().push(serializeMessage(sharedObjectMessage(use), 128))
    const payload = Uint8Array.from(Buffer.from(`${reply}`.replace("control 19 ", ""), "hex"))
    expect(parseSharedObject({ typeId: 19, timestampMs: 0, streamId: 0, payload })).toEqual({
      ...use,
      events: [{ type: "status", code, level: "error" }],
    })
  })

  test("a peer that can is asked to connect to another server", () => {
    const peer = connected(connect({ capsEx: 1 }))
    expect(peer.session.canReconnect).toBe(true)
    const [told] = peer.see(peer.session.requestReconnect("rtmp://other:1935", "closing"))
    expect(told).toContain('"code":"NetConnection.Connect.ReconnectRequest"')
    expect(told).toContain('"tcUrl":"rtmp://other:1935/live"')
    const old = connected()
    expect([old.session.canReconnect, old.session.requestReconnect("rtmp://other", "closing")]).toEqual([false, []])
  })

  test("the end of the connection is told", () => {
    const peer = connected()
    expect(peer.see(peer.session.end("closing"))).toEqual([
      expect.stringContaining("NetConnection.Connect.Closed"),
      { type: "close", reason: "closing" },
    ])
    expect(peer.push(CREATE_STREAM)).toEqual([])
  })
})

describe("every command in every state", () => {
  const setups: Record<string, () => Peer> = {
    connected: () => connected(),
    idle: () => pushed(connected(), CREATE_STREAM),
    publishRequested: () => pushed(connected(), CREATE_STREAM, PUBLISH),
    publishing: () => publishing(),
    publishRevoked: () => {
      const peer = publishing()
      peer.see(peer.session.endPublish(1, "taken over"))
      return peer
    },
    playRequested: () => pushed(connected(), CREATE_STREAM, PLAY),
    playing: () => playing(),
    closed: () => pushed(connected(), PLAY),
  }
  const names = ["connect", "createStream", "publish", "play", "play2", "pause", "pauseRaw", "seek", "receiveAudio"]
  const others = ["receiveVideo", "closeStream", "deleteStream", "FCPublish", "FCUnpublish", "FCSubscribe", "_checkbw"]
  const argument = fc.constantFrom<AmfValue>(
    null,
    undefined,
    1,
    0,
    -1,
    true,
    false,
    "cam1",
    "",
    { streamName: "a" },
    [1],
  )

  test.each(Object.keys(setups))(
    "%s: nothing begins or goes on that was not accepted, and nothing is thrown",
    (state) => {
      const step = fc.record({
        name: fc.constantFrom(...names, ...others),
        streamId: fc.constantFrom(0, 1, 2),
        args: fc.array(argument, { maxLength: 5 }),
      })
      const property = fc.property(fc.array(step, { minLength: 1, maxLength: 4 }), (steps) => {
        const peer = (setups[state] as () => Peer)()
        let isPublishing = state === "publishing"
        for (const { name, streamId, args } of steps) {
          for (const event of peer.push(command(streamId, name, 9, null, ...args))) {
            if (typeof event === "object" && event !== null && "type" in event) {
              if (event.type === "publishEnded") isPublishing = false
              if (event.type === "close") isPublishing = false
            } else expect(`${event}`).not.toContain("NetStream.Publish.Start")
          }
        }
        const handsOver = peer.push(VIDEO, data("onMetaData", {})).some((event) => hasType(event, "video"))
        expect(handsOver).toBe(isPublishing)
      })
      fc.assert(property, { numRuns: 150 })
    },
  )

  function pushed(peer: Peer, ...input: Uint8Array[]): Peer {
    peer.push(...input)
    return peer
  }

  function hasType(event: unknown, type: string): boolean {
    return typeof event === "object" && event !== null && "type" in event && event.type === type
  }
})
