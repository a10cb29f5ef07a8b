import { describe, expect, test } from "vitest"
import { aggregateMessage } from "../../src/rtmp/aggregate.ts"
import type { AmfValue } from "../../src/rtmp/amf-value.ts"
import {
  commandMessage,
  controlMessage,
  dataMessage,
  setPeerBandwidth,
  USER_CONTROL,
  userControl,
} from "../../src/rtmp/message.ts"
import { ownCapabilities } from "../../src/rtmp/peer-capabilities.ts"
import {
  ClientPeer,
  CONNECTED,
  established,
  failure,
  result,
  SERVER_HANDSHAKE,
  STREAM_CREATED,
  status,
} from "./client-peer.ts"

const VIDEO = { typeId: 9, timestampMs: 40, streamId: 1, payload: Uint8Array.of(0x17, 1) }

describe("the dialogue", () => {
  test("of a publication is that of an encoder", () => {
    const peer = new ClientPeer("publish")
    const facts = { type: "nonprivate", flashVer: "FMLE/3.0 (compatible; Whipstitch)", ...ownCapabilities() }
    const place = { app: "live", tcUrl: "rtmp://h/live" }
    expect(peer.push(SERVER_HANDSHAKE)).toEqual([`0 connect 1 ${JSON.stringify({ ...place, ...facts })}`])
    expect(peer.push(CONNECTED)).toEqual([
      "control 5 002625a0",
      '0 releaseStream 2 null "cam1?key=secret"',
      '0 FCPublish 3 null "cam1?key=secret"',
      "0 createStream 4 null",
    ])
    expect(peer.push(STREAM_CREATED)).toEqual(['1 publish 5 null "cam1?key=secret" "live"'])
    expect(peer.push(status("Publish.Start"))).toMatchObject([{ type: "established", streamId: 1 }])
    expect(peer.see(peer.session.end("enough"))).toEqual([
      '0 FCUnpublish 6 null "cam1?key=secret"',
      "0 deleteStream 6 null 1",
      { type: "close", reason: "enough" },
    ])
    expect(peer.push(VIDEO)).toEqual([])
  })

  test("of a playback is that of a player", () => {
    const peer = new ClientPeer("play")
    expect(peer.push(SERVER_HANDSHAKE)).toEqual([expect.stringContaining('"flashVer":"LNX 9,0,124,2"')])
    expect(peer.push(CONNECTED)).toEqual(["control 5 002625a0", "0 createStream 4 null"])
    expect(peer.push(STREAM_CREATED)).toEqual([
      '0 FCSubscribe 7 null "cam1?key=secret"',
      "control 4 000300000001000003e8",
      '1 play 5 null "cam1?key=secret" -2000',
    ])
    expect(peer.push(status("Play.Reset"), status("Play.Start"))).toMatchObject([{ type: "established" }])
    expect(peer.push(dataMessage(1, 0, ["onMetaData", { width: 2 }]), VIDEO)).toMatchObject([
      { type: "metadata", values: { width: 2 } },
      { type: "video", timestampMs: 40, payload: VIDEO.payload },
    ])
    expect(peer.push(aggregateMessage([VIDEO, { ...VIDEO, typeId: 8, timestampMs: 50 }]))).toMatchObject([
      { type: "video", timestampMs: 40 },
      { type: "audio", timestampMs: 50 },
    ])
    expect(peer.push(status("Play.UnpublishNotify"))).toEqual([
      "0 deleteStream 6 null 1",
      { type: "ended", reason: "the stream is over" },
      { type: "close", reason: "the stream is over" },
    ])
  })

  test("does not need a status where media comes", () => {
    const peer = new ClientPeer("play")
    peer.push(SERVER_HANDSHAKE, CONNECTED, STREAM_CREATED)
    expect(peer.push(VIDEO)).toMatchObject([{ type: "established" }, { type: "video" }])
  })

  test("tells what the server said of itself", () => {
    const peer = new ClientPeer("publish")
    const info = { code: "NetConnection.Connect.Success", videoFourCcInfoMap: { hvc1: 4, av01: 2 } }
    peer.push(SERVER_HANDSHAKE, result(1, {}, info), STREAM_CREATED)
    const [event] = peer.push(status("Publish.Start"))
    expect(event).toMatchObject({ capabilities: { video: new Set(["hvc1"]) } })
  })
})

describe("control messages", () => {
  test("are answered: pings, windows, bandwidth, calls", () => {
    const peer = established("publish")
    expect(peer.push(userControl(USER_CONTROL.pingRequest, 7))).toEqual(["control 4 000700000007"])
    expect(peer.push(setPeerBandwidth(500_000, "hard"), setPeerBandwidth(500_000, "hard"))).toEqual([
      "control 5 0007a120",
    ])
    expect(peer.push(commandMessage(0, "onBWDone", 0, [null, 1]), commandMessage(0, "onBWDone", 0, [null]))).toEqual([
      "0 _checkbw 8 null",
    ])
    expect(peer.push(commandMessage(0, "_onbwcheck", 9, [null, 0]))).toEqual(["0 _result 9 null undefined"])
    expect(peer.push(commandMessage(0, "onFCPublish", 0, [null, { code: "x" }]))).toEqual([])
  })

  test("acknowledge what came, by the server's window", () => {
    const peer = established("play")
    const media = { ...VIDEO, payload: new Uint8Array(6_000) }
    const events = peer.push(controlMessage(5, 5_000), media)
    expect(events).toEqual([expect.objectContaining({ type: "video" }), expect.stringMatching(/^control 3 0000/)])
  })
})

describe("a refusal", () => {
  const SAID = { level: "error", description: "no cam1?key=secret here" }
  test.each<[string, number | undefined, AmfValue, string]>([
    [
      "connect",
      1,
      { ...SAID, code: "NetConnection.Connect.Rejected" },
      'the server refused connect with "NetConnection.Connect.Rejected: no … here": look at the application and the key in the address',
    ],
    ["createStream", 4, {}, "the server refused createStream"],
    ["publish", 5, { ...SAID, code: "x" }, 'the server refused publish with "x: no … here"'],
    [
      "a name",
      undefined,
      { ...SAID, code: "NetStream.Publish.BadName" },
      'the server refused publish with "NetStream.Publish.BadName: no … here": the stream key or name is wrong, or in use by another publisher',
    ],
    [
      "a name without level",
      undefined,
      { code: "NetStream.Publish.Denied" },
      'the server refused publish with "NetStream.Publish.Denied": the stream key or name is wrong, or in use by another publisher',
    ],
  ])("of %s says what to do and tells no key", (_, transactionId, info, message) => {
    const peer = new ClientPeer("publish")
    const steps = [
      SERVER_HANDSHAKE,
      ...(transactionId === 1 ? [] : [CONNECTED]),
      ...(transactionId === 4 ? [] : [STREAM_CREATED]),
    ]
    peer.push(...(transactionId === 1 ? [SERVER_HANDSHAKE] : steps))
    const refused =
      transactionId === undefined ? commandMessage(1, "onStatus", 0, [null, info]) : failure(transactionId, info)
    expect(peer.push(refused)).toEqual([
      { type: "close", reason: message, error: expect.objectContaining({ code: "rtmp.refused" }) },
    ])
  })

  test("of what flows already is told as its end", () => {
    const [event] = established("publish").push(status("Publish.Denied", { description: "we close" }, "error"))
    const reason = 'the server ended what it had begun by publish, with "NetStream.Publish.Denied: we close"'
    expect(event).toMatchObject({ type: "close", reason, error: { code: "rtmp.refused" } })
  })

  test("of what is not live is that", () => {
    const peer = new ClientPeer("play")
    peer.push(SERVER_HANDSHAKE, CONNECTED, STREAM_CREATED)
    const [event] = peer.push(status("Play.StreamNotFound", {}, "error"))
    expect(event).toMatchObject({ type: "close", error: { code: "stream.not_live" } })
  })

  test.each([
    ["[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ]", "Adobe's authentication"],
    ["[ AccessManager.Reject ] : [ authmod=llnw ]", "Limelight's authentication"],
    ["?reason=authfailed&opaque=x", "user name or password"],
  ])("with %s names what is needed", (description, needed) => {
    const peer = new ClientPeer("publish")
    peer.push(SERVER_HANDSHAKE)
    const [event] = peer.push(failure(1, { code: "NetConnection.Connect.Rejected", description }))
    expect(event).toMatchObject({ type: "close", reason: expect.stringContaining(needed) })
  })

  test("of releaseStream or FCPublish is none", () => {
    const peer = new ClientPeer("publish")
    peer.push(SERVER_HANDSHAKE, CONNECTED)
    expect(peer.push(failure(2, { code: "NetConnection.Call.Failed" }), failure(3, undefined))).toEqual([])
    expect(peer.push(STREAM_CREATED)).toHaveLength(1)
  })

  test("of FCPublish is told when the server then hangs up", () => {
    const peer = new ClientPeer("publish")
    peer.push(SERVER_HANDSHAKE, CONNECTED, failure(3, { code: "NetStream.Publish.BadName", description: "wrong" }))
    const [event] = peer.see(peer.session.onPeerClosed(2_000))
    expect(event).toMatchObject({
      reason: expect.stringContaining('FCPublish with "NetStream.Publish.BadName: wrong"'),
    })
  })
})

describe("a redirect", () => {
  const target = "rtmp://b/live"
  test.each([
    ["ex.redirect of connect", 1, { code: "NetConnection.Connect.Rejected", ex: { code: 302, redirect: target } }],
    ["ex.redirect of publish", 5, { ex: { redirect: target } }],
  ])("as %s is told before the end", (_, transactionId, info) => {
    const peer = new ClientPeer("publish")
    peer.push(SERVER_HANDSHAKE, ...(transactionId === 1 ? [] : [CONNECTED, STREAM_CREATED]))
    const events = peer.push(failure(transactionId, info)).filter((event) => typeof event === "object")
    expect(events).toEqual([{ type: "redirected", tcUrl: target }, expect.objectContaining({ type: "close" })])
  })

  test("as a reconnect request of Enhanced RTMP ends the publication cleanly", () => {
    const peer = established("publish")
    const info = { level: "status", code: "NetConnection.Connect.ReconnectRequest", tcUrl: target }
    expect(peer.push(commandMessage(0, "onStatus", 0, [null, info]))).toEqual([
      expect.stringContaining("FCUnpublish"),
      expect.stringContaining("deleteStream"),
      { type: "redirected", tcUrl: target },
      { type: "close", reason: "the server asked to come again" },
    ])
  })
})

describe("Adobe's authentication", () => {
  const reject = (description: string) => failure(1, { code: "NetConnection.Connect.Rejected", description })
  const tools = { md5Base64: (text: string) => `<${text}>`, nonce: "0000002a" }
  const rejected = (description: string, connectQuery?: string) => {
    const peer = new ClientPeer("publish", "rtmp://me:word@h/live/cam1", {}, { adobeAuth: tools, connectQuery })
    const [connect] = peer.push(SERVER_HANDSHAKE)
    return { connect, events: peer.push(reject(description)) }
  }

  test("tells the user's name when asked, then answers the challenge", () => {
    const first = rejected("[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ")
    const query = "?authmod=adobe&user=me"
    expect(first.events).toEqual([
      { type: "challenged", connectQuery: query },
      expect.objectContaining({ type: "close" }),
    ])
    const second = rejected("[ authmod=adobe ] : ?reason=needauth&user=me&salt=s+/=&challenge=c&opaque=o=", query)
    expect(second.connect).toContain('"app":"live?authmod=adobe&user=me","tcUrl":"rtmp://h/live?authmod=adobe&user=me"')
    expect(second.events[0]).toEqual({
      type: "challenged",
      connectQuery: "?authmod=adobe&user=me&challenge=0000002a&response=<<mes+/=word>o=0000002a>&opaque=o=",
    })
  })

  test("ends with a clear error where user or password are wrong", () => {
    const { events } = rejected("[ authmod=adobe ] : ?reason=authfailed&opaque=o", "?authmod=adobe&user=me")
    expect(events).toMatchObject([{ type: "close", reason: expect.stringContaining("user name or password") }])
  })
})

describe("time", () => {
  test("runs out in each step until media flows, and for a server that falls silent", () => {
    const peer = new ClientPeer("play", undefined, { stepTimeoutMs: 100, idleTimeoutMs: 1_000 })
    expect(peer.session.nextTimeoutMs).toBe(100)
    peer.pushAt(50, SERVER_HANDSHAKE)
    expect(peer.session.nextTimeoutMs).toBe(150)
    expect(peer.session.onTimeout(149)).toEqual([])
    peer.pushAt(140, CONNECTED)
    peer.pushAt(200, STREAM_CREATED)
    expect(peer.session.nextTimeoutMs).toBe(300)
    peer.pushAt(290, status("Play.Start"))
    peer.pushAt(400, VIDEO)
    expect(peer.session.nextTimeoutMs).toBe(1_400)
    const [event] = peer.session.onTimeout(1_400)
    expect(event).toMatchObject({ type: "close", error: { code: "rtmp.timeout" } })
    expect(peer.session.nextTimeoutMs).toBeUndefined()
  })

  test("names the step that was not answered", () => {
    const peer = new ClientPeer("publish", undefined, { stepTimeoutMs: 100 })
    peer.pushAt(0, SERVER_HANDSHAKE, CONNECTED, STREAM_CREATED)
    const [event] = peer.session.onTimeout(100)
    expect(event).toMatchObject({ reason: "the server does not answer: no reply to publish" })
  })

  test("does not run out for a publication", () => {
    expect(established("publish").session.nextTimeoutMs).toBeUndefined()
  })
})

describe("a server that hangs up", () => {
  test.each<[string, (peer: ClientPeer) => void, number, string, string]>([
    ["in the handshake", () => {}, 10, "rtmp.refused", "is it an RTMP server?"],
    ["after connect", (peer) => peer.push(SERVER_HANDSHAKE), 10, "rtmp.refused", "after connect"],
    [
      "right after publish",
      (peer) => peer.push(SERVER_HANDSHAKE, CONNECTED, STREAM_CREATED),
      10,
      "rtmp.refused",
      "the stream key is wrong",
    ],
    [
      "seconds after the start",
      (peer) => peer.push(SERVER_HANDSHAKE, CONNECTED, STREAM_CREATED, status("Publish.Start")),
      3_000,
      "rtmp.refused",
      "the stream key is wrong",
    ],
    [
      "later",
      (peer) => peer.push(SERVER_HANDSHAKE, CONNECTED, STREAM_CREATED, status("Publish.Start")),
      60_000,
      "rtmp.unreachable",
      "closed the connection",
    ],
  ])("%s is understood", (_, prepare, atMs, code, words) => {
    const peer = new ClientPeer("publish")
    prepare(peer)
    const [event] = peer.session.onPeerClosed(atMs)
    expect(event).toMatchObject({ type: "close", error: { code }, reason: expect.stringContaining(words) })
  })
})
