import { describe, expect, test } from "vitest"
import { VIDEO_CODECS } from "../../src/media/codec.ts"
import type { AvailableMedia } from "../../src/sdp/answer.ts"
import { acceptAnswer, createOffer } from "../../src/sdp/counter-offer.ts"
import { parseOffer } from "../../src/sdp/offer.ts"
import { fixture, LOCAL, section, TRACKS } from "./support.ts"

const HIGH: AvailableMedia = { audio: true, video: { codec: "h264", profileIdc: 0x64 } }
const offer = (available = HIGH) => createOffer(LOCAL, TRACKS, available)
const accept = (answer: string, available = HIGH) => acceptAnswer(offer(available).pending, answer)
const chromium = fixture("chromium-counter-answer")
const refused = (code: string, message: RegExp | string = "") =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

describe("rule 36: the counter-offer", () => {
  const { sdp } = offer()

  test("is sendonly, actpass, ICE-lite and bundled, with all candidates", () => {
    expect(sdp.match(/^a=(send|recv|inactive)\w*/gm)).toEqual(["a=sendonly", "a=sendonly"])
    expect(sdp.match(/^a=setup:\w+/gm)).toEqual(["a=setup:actpass", "a=setup:actpass"])
    expect(section(sdp, -1)).toEqual(expect.arrayContaining(["a=ice-lite", "a=group:BUNDLE 0 1"]))
    expect(sdp.match(/^a=rtcp-mux-only/gm)).toHaveLength(2)
    expect(sdp.match(/^a=candidate:/gm)).toHaveLength(3)
  })

  test("offers H.264 in the stream's profile and, for decoders that do not name it, in baseline", () => {
    expect(section(sdp, 1)[0]).toBe("m=video 8000 UDP/TLS/RTP/SAVPF 96 97 98 99")
    expect(sdp.match(/profile-level-id=\w+/g)).toEqual(["profile-level-id=64001f", "profile-level-id=42e01f"])
    expect(sdp).toContain("a=fmtp:99 apt=98\r\n")
  })

  test.each(VIDEO_CODECS)("can be read as an offer and carries %s with its sources", (codec) => {
    const { media } = parseOffer(offer({ audio: true, video: { codec } }).sdp)
    expect(media[1]?.codecs[0]).toMatchObject({ payloadType: 96, name: codec })
    expect(media[1]?.sources).toEqual([{ ssrc: 2001, rtxSsrc: 2002 }])
    expect(media.map(({ streamIds }) => streamIds)).toEqual([["live"], ["live"]])
  })

  test("has one section where the stream has one kind, nothing where it has none", () => {
    expect(section(offer({ audio: false, video: { codec: "vp8" } }).sdp, 0)).toContain("a=mid:1")
    expect(() => offer({ audio: false, video: false })).toThrow(refused("sdp.not_acceptable"))
  })
})

describe("rule 37: the player's answer", () => {
  test("of Chromium is taken, with the baseline that it has", () => {
    const { sdp, media, remote } = accept(chromium)
    expect(sdp).toBe("")
    expect(remote).toMatchObject({ ufrag: "RXdf", dtlsRole: "server" })
    expect(media).toMatchObject([
      { kind: "audio", codec: "opus", mid: "0", payloadType: 111, redPayloadType: 63, local: TRACKS.audio },
      { kind: "video", codec: "h264", mid: "1", payloadType: 98, rtxPayloadType: 99, local: TRACKS.video },
    ])
    expect(media[1]?.feedback).toEqual(["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"])
    expect(media[1]?.extensionIds).toEqual({
      mid: 1,
      absSendTime: 2,
      transportCc: 3,
      absCaptureTime: 4,
      playoutDelay: 5,
      videoOrientation: 6,
    })
  })

  test("may be passive, which makes the gateway the DTLS client", () => {
    expect(accept(chromium.replaceAll("setup:active", "setup:passive")).remote.dtlsRole).toBe("client")
    expect(() => accept(chromium.replaceAll("setup:active", "setup:actpass"))).toThrow(refused("sdp.unsupported"))
  })

  test("cannot move an extension to another id", () => {
    const { media } = accept(chromium.replaceAll("a=extmap:1 ", "a=extmap:9 "))
    expect(media[0]?.extensionIds).not.toHaveProperty("mid")
  })

  test("may leave a section inactive", () => {
    const { media } = accept(chromium.replace("a=recvonly", "a=inactive"))
    expect(media.map(({ kind }) => kind)).toEqual(["video"])
  })

  test.each([
    ["is no SDP", "hello", "sdp.syntax"],
    ["has no credentials", chromium.replaceAll(/a=ice-pwd.*\r\n/g, ""), "sdp.syntax"],
    ["has another section", `${chromium}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:9\r\n`, "sdp.unsupported"],
    ["has the sections in another order", chromium.replace("m=audio", "m=x").replace("m=video", "m=audio"), "sdp"],
    ["has another mid", chromium.replace("a=mid:1", "a=mid:7").replace("BUNDLE 0 1", "BUNDLE 0 7"), "sdp.unsupported"],
    ["wants to send", chromium.replaceAll("recvonly", "sendonly"), "sdp.unsupported"],
    ["has no rtcp-mux", chromium.replaceAll("a=rtcp-mux\r\n", ""), "sdp.unsupported"],
    ["takes nothing", chromium.replaceAll("recvonly", "inactive"), "sdp.not_acceptable"],
    ["rejects the picture", chromium.replace("BUNDLE 0 1", "BUNDLE 0").replace("m=video 9", "m=video 0"), "sdp.not"],
    ["has another codec", chromium.replace("H264/", "VP8/"), "sdp.not_acceptable"],
  ])("that %s is refused", (_, answer, code) => {
    expect(() => accept(answer)).toThrow(expect.objectContaining({ code: expect.stringContaining(code) }))
  })
})
