import { describe, expect, test } from "vitest"
import { VIDEO_CODECS } from "../../src/media/codec.ts"
import { answerPlay, answerPublish } from "../../src/sdp/answer.ts"
import { parseOffer } from "../../src/sdp/offer.ts"
import { FINGERPRINT, fixture, LOCAL, section, TRACKS } from "./support.ts"

const EVERYTHING = { audio: true, video: { codec: "h264" } } as const
const publish = (sdp: string, codecs = VIDEO_CODECS.slice()) => answerPublish(parseOffer(sdp), LOCAL, { codecs })
const play = (sdp: string, available: Parameters<typeof answerPlay>[3] = EVERYTHING) =>
  answerPlay(parseOffer(sdp), LOCAL, TRACKS, available)

test("answers an OBS offer line by line", () => {
  const { sdp, media, remote } = publish(fixture("obs-30"))
  const transport = [
    "a=ice-ufrag:edge0001",
    "a=ice-pwd:0123456789abcdefghijklmn",
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    "a=setup:passive",
    "a=rtcp-mux",
    "a=rtcp-mux-only",
  ]
  expect(sdp).toBe(
    [
      "v=0",
      "o=- 4611686018427387904 1 IN IP4 127.0.0.1",
      "s=-",
      "t=0 0",
      "a=ice-lite",
      "a=ice-options:trickle ice2",
      "a=group:BUNDLE 0 1",
      "a=msid-semantic: WMS *",
      "m=audio 8000 UDP/TLS/RTP/SAVPF 111",
      "c=IN IP4 192.0.2.7",
      "a=mid:0",
      "a=recvonly",
      ...transport,
      "a=rtpmap:111 opus/48000/2",
      "a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;useinbandfec=1",
      "a=candidate:1 1 udp 2130706431 192.0.2.7 8000 typ host",
      "a=candidate:2 1 udp 2130706175 2001:db8::7 8000 typ host",
      "a=candidate:3 1 tcp 2130705919 192.0.2.7 8000 typ host tcptype passive",
      "a=end-of-candidates",
      "m=video 8000 UDP/TLS/RTP/SAVPF 96",
      "c=IN IP4 192.0.2.7",
      "a=mid:1",
      "a=recvonly",
      ...transport,
      "a=rtpmap:96 H264/90000",
      "a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1",
      "a=rtcp-fb:96 nack",
      "a=rtcp-fb:96 nack pli",
      "a=rtcp-fb:96 goog-remb",
      "",
    ].join("\r\n"),
  )
  expect(remote).toMatchObject({ ufrag: "jk3P", pwd: "pTq1v8RzWc4NnY7uXb0sLe", dtlsRole: "server" })
  expect(media.map(({ kind, mid, payloadType, remoteSources }) => ({ kind, mid, payloadType, remoteSources }))).toEqual(
    [
      { kind: "audio", mid: "0", payloadType: 111, remoteSources: [{ ssrc: 1403290001, rtxSsrc: undefined }] },
      { kind: "video", mid: "1", payloadType: 96, remoteSources: [{ ssrc: 1403290002, rtxSsrc: undefined }] },
    ],
  )
})

test.each([
  {
    name: "chromium-whip",
    audio: 111,
    video: 102,
    rtx: 103,
    mid: 4,
    dtlsRole: "server",
    rtxSsrc: 2489548444,
  },
  { name: "libdatachannel-whip", audio: 111, video: 96, dtlsRole: "server" },
  { name: "werift-whip", audio: 96, video: 97, dtlsRole: "server" },
  { name: "obs-32-simulcast", audio: 111, video: 96, mid: 1, dtlsRole: "server" },
  { name: "ffmpeg-8", audio: 111, video: 106, dtlsRole: "client" },
  { name: "chromium-simulcast", audio: 111, video: 102, rtx: 103, mid: 4, dtlsRole: "server" },
  {
    name: "firefox-whip",
    audio: 109,
    video: 120,
    rtx: 124,
    codec: "vp8",
    mid: 3,
    dtlsRole: "server",
    rtxSsrc: 106646837,
  },
  { name: "aiortc-whip", audio: 96, video: 97, rtx: 98, codec: "vp8", mid: 1, dtlsRole: "server", rtxSsrc: 148276105 },
  { name: "gstreamer-whip", audio: 97, video: 96, codec: "h265", dtlsRole: "server" },
  { name: "bundle-only", audio: 98, video: 96, rtx: 97, dtlsRole: "server", rtxSsrc: 3456789012 },
])("accepts both tracks of $name", ({ name, audio, video, rtx, codec = "h264", mid, dtlsRole, rtxSsrc }) => {
  const { sdp, media, remote } = publish(fixture(name))
  expect(media).toHaveLength(2)
  expect(media.find((m) => m.kind === "audio")).toMatchObject({ codec: "opus", payloadType: audio })
  expect(media.find((m) => m.kind === "audio")?.extensionIds.mid).toBe(mid)
  const found = media.find((m) => m.kind === "video")
  const packetizationMode = codec === "h264" ? 1 : undefined
  expect(found).toMatchObject({ codec, payloadType: video, rtxPayloadType: rtx, packetizationMode })
  expect(found?.remoteSources[0]?.rtxSsrc).toBe(rtxSsrc)
  expect(remote.dtlsRole).toBe(dtlsRole)
  expect(sdp).toContain(dtlsRole === "client" ? "a=setup:active" : "a=setup:passive")
  expect(sdp.match(/^m=\w+ 8000 /gm)).toHaveLength(2)
  expect(sdp.match(/^a=end-of-candidates/gm)).toHaveLength(1)
  expect(sdp.length).toBeLessThan(8_192) // ffmpeg reads no more
})

test("gives a viewer one source per track and announces its retransmissions", () => {
  const { sdp, media } = play(fixture("chromium-whep"))
  expect(section(sdp, 0)).toContain("a=fmtp:111 minptime=10;useinbandfec=1;sprop-stereo=1")
  expect(section(sdp, 1)[0]).toBe("m=video 8000 UDP/TLS/RTP/SAVPF 102 103")
  expect(section(sdp, 1).slice(-7)).toEqual([
    "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=msid:live video",
    "a=ssrc-group:FID 2001 2002",
    "a=ssrc:2001 cname:gate",
    "a=ssrc:2001 msid:live video",
    "a=ssrc:2002 cname:gate",
    "a=ssrc:2002 msid:live video",
  ])
  expect(media.map((m) => m.local?.ssrc)).toEqual([1001, 2001])
})

test("prefers the payload type of the stream's profile for a viewer", () => {
  const video = (profileIdc: number) =>
    play(fixture("chromium-whep"), { audio: true, video: { codec: "h264", profileIdc } }).media[1]
  expect(video(0x4d)?.payloadType).toBe(116)
  expect(video(0x64)?.payloadType).toBe(102)
})

test("answers inactive where the stream lacks a kind, and still bundles the section", () => {
  const { sdp, media } = play(fixture("chromium-whep"), { audio: false, video: { codec: "h264" } })
  expect(section(sdp, -1)).toContain("a=group:BUNDLE 0 1")
  expect(section(sdp, 0)).toContain("a=inactive")
  expect(section(sdp, 0)[0]).toBe("m=audio 8000 UDP/TLS/RTP/SAVPF 111 63")
  expect(media.map((m) => m.kind)).toEqual(["video"])
})

test("rejects a data channel and bundles the rest", () => {
  const { sdp } = publish(fixture("chromium-datachannel"))
  expect(section(sdp, -1)).toContain("a=group:BUNDLE 0")
  expect(section(sdp, 1)).toEqual([
    "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=mid:1",
    "a=inactive",
  ])
})

test("answers a section without mid without mid, candidates included", () => {
  const offer = fixture("obs-30").replace(/a=(mid|group):.*\r\n/g, "")
  const { sdp, media } = publish(offer)
  expect(sdp).not.toMatch(/a=mid|BUNDLE/)
  expect(sdp.match(/^a=end-of-candidates/gm)).toHaveLength(2)
  expect(media.map((m) => m.mid)).toEqual([undefined, undefined])
})

describe("H.264 choice", () => {
  const withModes = (...modes: (number | undefined)[]) => {
    const lines = modes.flatMap((mode, i) => [
      `a=rtpmap:${100 + i} H264/90000`,
      `a=fmtp:${100 + i} profile-level-id=64001f${mode === undefined ? "" : `;packetization-mode=${mode}`}`,
    ])
    const section = [
      `m=video 9 UDP/TLS/RTP/SAVPF ${modes.map((_, i) => 100 + i).join(" ")}`,
      ...lines,
      "a=sendonly",
      "a=rtcp-mux",
    ]
    return `${fixture("obs-30").split("m=audio")[0]}${section.join("\r\n")}\r\n`
  }
  test.each([
    { name: "mode 1 wherever it stands", modes: [0, 1], payloadType: 101, packetizationMode: 1 },
    { name: "mode 0 where there is nothing else", modes: [0], payloadType: 100, packetizationMode: 0 },
    { name: "mode 0 where none is named", modes: [undefined], payloadType: 100, packetizationMode: 0 },
  ])("takes $name", ({ modes, payloadType, packetizationMode }) => {
    expect(publish(withModes(...modes)).media[0]).toMatchObject({ payloadType, packetizationMode })
  })

  test("refuses interleaved mode", () => {
    expect(() => publish(withModes(2))).toThrow(/packetization mode 0 or 1/)
  })
})

const obs = fixture("obs-30")
test.each([
  {
    name: "video of an unknown codec",
    offer: obs.replace("H264/90000", "H263/90000"),
    message: "video must offer H.264 (packetization mode 0 or 1), HEVC, VP8, VP9, AV1; the offer has H263",
  },
  { name: "audio without Opus", offer: obs.replace("opus/48000/2", "PCMU/8000"), message: "must offer Opus" },
  {
    name: "two video tracks",
    offer: `${obs}${obs.slice(obs.indexOf("m=video")).replace("mid:1", "mid:2")}`,
    message: "more than one video track",
  },
  { name: "nothing to receive", offer: obs.replaceAll("sendonly", "recvonly"), message: "does not send any" },
  { name: "plain RTP", offer: obs.replaceAll("UDP/TLS/RTP/SAVPF", "RTP/AVP"), message: "UDP/TLS/RTP/SAVPF" },
  { name: "a weak fingerprint only", offer: obs.replace("sha-256", "sha-1"), message: "sha-256, sha-384 or sha-512" },
  { name: "a payload type used twice", offer: obs.replace(/\b111\b/g, "96"), message: "payload types of their own" },
  {
    name: "two transports",
    offer: fixture("libdatachannel-whip").replace("a=group:BUNDLE 0 1\r\n", "").replace("ufrag:P8CM", "ufrag:Q9DN"),
    message: "share one transport",
  },
])("refuses $name as unsupported", ({ offer, message }) => {
  expect(() => publish(offer)).toThrow(
    expect.objectContaining({ code: "sdp.unsupported", message: expect.stringContaining(message) }),
  )
})
