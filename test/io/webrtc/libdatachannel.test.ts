import { PeerConnection, type Track, Video } from "node-datachannel"
import { afterEach, beforeEach, expect, test } from "vitest"
import { TypeScriptFanout } from "../../../src/io/webrtc/fanout-typescript.ts"
import type { SrtpKeys } from "../../../src/io/webrtc/srtp/keys.ts"
import { WebRtcTransport } from "../../../src/io/webrtc/transport.ts"
import type { WebRtcPeer } from "../../../src/io/webrtc/transport-peer.ts"

/** libdatachannel is what OBS is built on: another DTLS, another SRTP and another ICE than ours. */
let transport: WebRtcTransport
let connection: PeerConnection
let track: Track
const bugs: unknown[] = []

beforeEach(async () => {
  transport = await WebRtcTransport.listen({
    hosts: ["127.0.0.1"],
    port: 0,
    maxSessions: 2,
    connectTimeoutMs: 15_000,
    idleTimeoutMs: 10_000,
    onBug: (error) => bugs.push(error),
  })
  connection = new PeerConnection("client", { iceServers: [], bindAddress: "127.0.0.1" })
  const video = new Video("video", "SendRecv")
  video.addH264Codec(96)
  video.addSSRC(4242, "cname", "stream", "track")
  track = connection.addTrack(video)
})

afterEach(async () => {
  connection.close()
  await transport.close("test is over")
  expect(bugs).toEqual([])
})

interface Session {
  peer: WebRtcPeer
  keys: SrtpKeys
  rtp: Promise<Uint8Array>
}

async function connect(dtlsRole: "server" | "client"): Promise<Session> {
  const opened = new Promise<void>((resolve) => track.onOpen(resolve))
  const offer = await new Promise<string>((resolve) => {
    connection.onGatheringStateChange((state) => {
      if (state === "complete") resolve(connection.localDescription()?.sdp ?? "")
    })
    connection.setLocalDescription("offer")
  })
  const line = (name: string) => new RegExp(`a=${name}:(.*)\r\n`).exec(offer)?.[1] ?? ""
  const [algorithm = "", value = ""] = line("fingerprint").split(" ")
  const connected = Promise.withResolvers<SrtpKeys>()
  const rtp = Promise.withResolvers<Uint8Array>()
  const peer = transport.open({
    remote: { fingerprints: [{ algorithm, value }], dtlsRole, ufrag: line("ice-ufrag") },
    events: { connected: connected.resolve, rtp: rtp.resolve },
  })
  const [candidate] = transport.candidates()
  const answer = [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=ice-lite",
    "a=group:BUNDLE video",
    `a=fingerprint:sha-256 ${transport.identity.fingerprint}`,
    "m=video 9 UDP/TLS/RTP/SAVPF 96",
    "c=IN IP4 127.0.0.1",
    "a=mid:video",
    "a=sendrecv",
    "a=rtcp-mux",
    `a=setup:${peer.setup}`,
    `a=ice-ufrag:${peer.localUfrag}`,
    `a=ice-pwd:${peer.localPwd}`,
    "a=rtpmap:96 H264/90000",
    `a=candidate:1 1 UDP 2130706431 ${candidate?.address} ${candidate?.port} typ host`,
    "a=end-of-candidates",
  ]
  connection.setRemoteDescription(`${answer.join("\r\n")}\r\n`, "answer")
  const [keys] = await Promise.all([connected.promise, opened])
  return { peer, keys, rtp: rtp.promise }
}

/** A packet of payload type 96 as the track wants it: plain. */
function rtpPacket(): Buffer {
  return Buffer.concat([Buffer.from([0x80, 0x60, 0x12, 0x34, 0, 0, 0, 1, 0, 0, 0x10, 0x92]), Buffer.alloc(900, 7)])
}

test.each(["server", "client"] as const)(
  "connects while we are the DTLS %s, and media goes both ways",
  async (dtlsRole) => {
    const session = await connect(dtlsRole)
    track.sendMessageBinary(rtpPacket())
    expect(Buffer.from(await session.rtp)).toEqual(rtpPacket())

    const received = new Promise<Buffer>((resolve) => track.onMessage(resolve))
    const fanout = new TypeScriptFanout(transport.send)
    const tracks = [{ trackId: "video", ssrc: 99, payloadType: 96 }]
    const viewer = fanout.addViewer({ remote: session.peer.remote, keys: session.keys, tracks })
    fanout.joinTrack(viewer, "video", { sourceId: "lane", sequenceOffset: 0 })
    const packets = [{ sequenceNumber: 5, marker: true, payload: Buffer.alloc(1100, 9) }]
    fanout.send("lane", { kind: "video", timestamp: 1, ptsUs: 0, startsKeyframe: true, packets })
    expect((await received).subarray(12)).toEqual(Buffer.alloc(1100, 9))
  },
)

test("libdatachannel closes when we say goodbye", async () => {
  const closed = new Promise<void>((resolve) => {
    connection.onStateChange((state) => {
      if (["closed", "disconnected", "failed"].includes(state)) resolve()
    })
  })
  const session = await connect("server")
  session.peer.close("stream is over")
  await closed
})
