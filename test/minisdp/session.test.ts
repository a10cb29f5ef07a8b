import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { decodePacket, encodePacket } from "../../src/minisdp/packet.ts"
import { sessionFromSdp } from "../../src/minisdp/session-from-sdp.ts"
import { sessionToSdp } from "../../src/minisdp/session-to-sdp.ts"
import { parseAnswer, parseOffer } from "../../src/sdp/offer.ts"
import { vectors } from "./vectors.ts"

const malformed = expect.objectContaining({ code: "minisdp.packet" })
const fixture = (name: string) => readFileSync(`test/fixtures/sdp/${name}.sdp`, "utf8")

describe("offers of real clients", () => {
  test.each([
    { name: "aiortc-whip", maxBytes: 300 },
    { name: "chromium-whep", maxBytes: 430 },
    { name: "chromium-whip", maxBytes: 430 },
    { name: "chromium-simulcast", maxBytes: 430 },
    { name: "ffmpeg-8", maxBytes: 300 },
    { name: "firefox-whep", maxBytes: 300 },
    { name: "gstreamer-whep", maxBytes: 430 },
    { name: "libdatachannel-whip", maxBytes: 300 },
    { name: "obs-30", maxBytes: 300 },
    { name: "werift-whep", maxBytes: 300 },
  ])("$name fits, comes back, and gives text that our parser takes", ({ name, maxBytes }) => {
    const session = sessionFromSdp(fixture(name))
    const bytes = encodePacket(packetOf(session))
    expect(bytes.length).toBeLessThanOrEqual(maxBytes)
    expect(decodePacket(bytes).session).toEqual(session)
    const text = sessionToSdp(session, { type: "offer" })
    const { media, remote } = parseOffer(text)
    expect(remote).toEqual(parseOffer(fixture(name)).remote)
    expect(media.map(({ kind }) => kind)).toEqual(session.media.map(({ kind }) => kind))
    expect(sessionFromSdp(text)).toEqual(session)
  })

  test("Chromium's offer of Opus and H.264 alone has at most 300 bytes", () => {
    const offer = vectors("v0-ext").find(({ name }) => name === "chrome_whep_recvonly_h264_opus_offer")
      ?.sdp_in as string
    expect(encodePacket(packetOf(sessionFromSdp(offer))).length).toBeLessThanOrEqual(300)
  })
})

describe("reading text", () => {
  test("takes from the session what the sections do not say", () => {
    const session = sessionFromSdp(
      sdp(
        ["a=fingerprint:sha-256 AB:CD", "a=ice-ufrag:abcd", "a=ice-pwd:secret", "a=setup:passive", "a=recvonly"],
        [OPUS],
      ),
    )
    expect(session).toMatchObject({
      ufrag: "abcd",
      pwd: "secret",
      role: "passive",
      direction: "recvonly",
      isEncrypted: true,
    })
    expect(session.fingerprint).toEqual({ algorithm: "sha-256", value: "AB:CD" })
  })

  test("knows codecs and transports however they are written", () => {
    const audio = [...OPUS.slice(0, 1), "a=rtpmap:111 OPUS/48000/2", "a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host"]
    const session = sessionFromSdp(sdp([], [audio]))
    expect(session.media[0]?.codecs[0]?.name).toBe("opus")
    expect(session.candidates).toEqual([{ transport: "udp", address: "192.0.2.1", port: 5000 }])
  })

  test("leaves out rtx of codecs that the packet has no code for, and payload types that are not chosen", () => {
    const video = [
      "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 102 103",
      ...["96 VP8", "97 rtx", "98 H264", "99 rtx", "102 H264", "103 rtx"].map((each) => `a=rtpmap:${each}/90000`),
      ...["97 apt=96", "99 apt=98", "103 apt=102", "98 packetization-mode=1 ; profile-level-id=42e01f"].map(
        (f) => `a=fmtp:${f}`,
      ),
    ]
    const payloadTypes = (options: { payloadTypes?: ReadonlySet<number> }) =>
      sessionFromSdp(sdp([], [video]), options).media[0]?.codecs.map((codec) => codec.payloadType)
    expect(payloadTypes({})).toEqual([98, 99, 102, 103])
    expect(payloadTypes({ payloadTypes: new Set([102]) })).toEqual([102, 103])
  })

  test("takes the direction of audio and video together, never that of data or of what is switched off", () => {
    const data = ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:2", "a=sendrecv"]
    const video = (direction: string) => ["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 H264/90000", `a=${direction}`]
    const of = (...sections: string[][]) => sessionFromSdp(sdp([], sections)).direction
    expect(of([...OPUS, "a=recvonly"], video("recvonly"), data)).toBe("recvonly")
    expect(of([...OPUS, "a=recvonly"], video("sendonly"))).toBe("sendrecv")
    expect(of([...OPUS, "a=sendonly"], video("inactive"))).toBe("sendonly")
  })

  test("keeps the first section of each kind, and none that is switched off", () => {
    const refused = [...OPUS.map((line) => line.replace("m=audio 9", "m=audio 0"))]
    const video = ["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 H264/90000"]
    const session = sessionFromSdp(sdp([], [refused, video, [...video, "a=ssrc:7 cname:x"]]))
    expect(session.media.map(({ kind, ssrc }) => [kind, ssrc])).toEqual([["video", 0]])
  })

  test("leaves out candidates of the other family, names, and what only connects out", () => {
    const lines = [
      "1 1 udp 1 host.local 5000 typ host",
      "1 1 udp 1 2001:db8::1 5000 typ host",
      "1 1 udp 1 192.0.2.1 5000 typ host",
      "1 2 udp 1 192.0.2.1 5001 typ host",
      "1 1 tcp 1 192.0.2.1 9 typ host tcptype active",
      "1 1 tcp 1 192.0.2.1 443 typ host tcptype passive",
    ]
    const text = sdp([], [[...OPUS, ...lines.map((line) => `a=candidate:${line}`)]])
    const addresses = (addressFamily?: 4 | 6) =>
      sessionFromSdp(text, { addressFamily }).candidates.map((c) => `${c.transport} ${c.port}`)
    expect(sessionFromSdp(text).addressFamily).toBe(6)
    expect(addresses(4)).toEqual(["udp 5000", "tcp 443"])
    expect(addresses(6)).toEqual(["udp 5000"])
  })

  test.each([
    { name: "no media", text: sdp([], []) },
    { name: "no codec of the form", text: sdp([], [["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 VP8/90000"]]) },
    { name: "nothing but what is switched off", text: sdp([], [[...OPUS, "a=inactive"]]) },
    { name: "no SDP at all", text: "hello" },
    { name: "more text than anyone has", text: "a=x\n".repeat(20_000) },
  ])("refuses $name", ({ text }) => {
    expect(() => sessionFromSdp(text)).toThrow(malformed)
  })
})

describe("writing text", () => {
  const answer = sessionFromSdp(vectors("v0-ext")[1]?.sdp_in as string)

  test("follows the sections of the offer, and refuses what the packet lacks", () => {
    const sections = [
      { kind: "video", mid: "v" },
      { kind: "data", mid: "d" },
      { kind: "audio", mid: "a" },
    ] as const
    const text = sessionToSdp(answer, { type: "answer", sections })
    expect(text).toContain("a=group:BUNDLE v a\r\n")
    expect(text).toContain("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n")
    expect(parseAnswer(text).media.map(({ kind, mid }) => [kind, mid])).toEqual([
      ["video", "v"],
      [undefined, "d"],
      ["audio", "a"],
    ])
  })

  test("restores what browsers expect of video, and decides the role of an answer", () => {
    const text = sessionToSdp({ ...answer, role: "actpass" }, { type: "answer" })
    for (const line of ["a=rtcp-fb:106 nack pli", "a=rtcp-fb:106 ccm fir", "a=setup:passive", "a=end-of-candidates"]) {
      expect(text).toContain(`${line}\r\n`)
    }
    expect(text).toContain("m=video 9 UDP/TLS/RTP/SAVPF 106 107\r\n")
    expect(text).toContain("a=ssrc-group:FID 1119721060 1119721061\r\n")
    expect(text).not.toContain("foundation 1")
  })

  test("asks for DTLS wherever there is a fingerprint, and for nothing that there is not", () => {
    const plain = { ...answer, isEncrypted: false }
    expect(sessionToSdp(plain, { type: "answer" })).toContain("UDP/TLS/RTP/SAVPF")
    expect(sessionToSdp({ ...plain, fingerprint: undefined }, { type: "answer" })).toContain("m=audio 9 RTP/AVPF 111")
  })

  test("refuses a session without media", () => {
    expect(() => sessionToSdp({ ...answer, media: [] }, { type: "answer" })).toThrow(malformed)
  })
})

const OPUS = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 opus/48000/2"]

function sdp(session: readonly string[], sections: readonly (readonly string[])[]): string {
  return ["v=0", "o=- 2 2 IN IP4 127.0.0.1", "s=-", "t=0 0", ...session, ...sections.flat(), ""].join("\r\n")
}

function packetOf(session: ReturnType<typeof sessionFromSdp>) {
  const streamUrl = "edge.example.com/live/stream1"
  return {
    generation: "ext",
    type: "offer",
    status: 0,
    seq: 1,
    immSend: false,
    streamUrl,
    svrsig: "",
    push: undefined,
    session,
  } as const
}
