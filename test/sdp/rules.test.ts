import { describe, expect, test } from "vitest"
import { VIDEO_CODECS } from "../../src/media/codec.ts"
import { type AvailableMedia, answerPlay, answerPublish } from "../../src/sdp/answer.ts"
import { parseOffer } from "../../src/sdp/offer.ts"
import { fixture, LOCAL, section, TRACKS } from "./support.ts"

const STREAM: AvailableMedia = { audio: true, video: { codec: "h264" } }
const publish = (sdp: string) => answerPublish(parseOffer(sdp), LOCAL, { codecs: VIDEO_CODECS })
const play = (sdp: string, available = STREAM) => answerPlay(parseOffer(sdp), LOCAL, TRACKS, available)
const refused = (code: string, message: RegExp | string = "") =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

const whip = fixture("chromium-whip")
const whep = fixture("chromium-whep")
const obs = fixture("obs-30")
/** The sections of an offer, the first being that of the session. */
const split = (sdp: string) => sdp.split(/(?=^m=)/m)
const both = [
  { name: "WHIP", answer: () => publish(whip) },
  { name: "WHEP", answer: () => play(whep) },
]

describe.each(both)("rules 3, 15, 22, 26 and 33: the answer to $name", ({ answer }) => {
  const { sdp } = answer()

  test("rule 3: has the sections of the offer in its order, under its mids", () => {
    expect(sdp.match(/^m=\w+/gm)).toEqual(["m=audio", "m=video"])
    expect(sdp.match(/^a=mid:.*(?=\r)/gm)).toEqual(["a=mid:0", "a=mid:1"])
  })

  test("rule 15: holds all candidates, once, and says that there are no more", () => {
    expect(sdp.match(/^a=candidate:/gm)).toHaveLength(LOCAL.candidates.length)
    expect(sdp.match(/^a=end-of-candidates/gm)).toHaveLength(1)
  })

  test("rule 22: bundles all sections with rtcp-mux-only in each", () => {
    expect(section(sdp, -1)).toContain("a=group:BUNDLE 0 1")
    for (const index of [0, 1]) {
      expect(section(sdp, index)).toEqual(expect.arrayContaining(["a=rtcp-mux", "a=rtcp-mux-only"]))
    }
  })

  test("rule 26: says that the gateway is ICE-lite", () => {
    expect(section(sdp, -1)).toEqual(expect.arrayContaining(["a=ice-lite", "a=ice-options:trickle ice2"]))
  })
})

test.each([
  ["sendonly", "sendonly"],
  ["sendrecv", "sendrecv"],
])("rule 5: a publisher that offers %s gets recvonly", (_, direction) => {
  const { sdp } = publish(whip.replaceAll("a=sendonly", `a=${direction}`))
  expect(sdp.match(/^a=(send|recv|inactive)\w*/gm)).toEqual(["a=recvonly", "a=recvonly"])
})

test("rule 5: a direction of the session holds for every section", () => {
  const offer = obs.replaceAll("a=sendonly\r\n", "").replace("a=setup:", "a=sendonly\r\na=setup:")
  expect(publish(offer).media).toHaveLength(2)
})

test("rule 35: a viewer gets sendonly", () => {
  expect(play(whep).sdp.match(/^a=(send|recv|inactive)\w*/gm)).toEqual(["a=sendonly", "a=sendonly"])
})

describe("rule 22: an offer without rtcp-mux", () => {
  test("is refused", () => {
    expect(() => publish(obs.replaceAll("a=rtcp-mux\r\n", ""))).toThrow(refused("sdp.unsupported", "rtcp-mux"))
    expect(() => play(whep.replaceAll("a=rtcp-mux\r\n", ""))).toThrow(refused("sdp.unsupported", "rtcp-mux"))
  })

  test("is refused where a section that is not bundled lacks it", () => {
    const offer = obs.replace("a=group:BUNDLE 0 1\r\n", "").replace("a=rtcp-mux\r\n", "")
    expect(() => publish(offer)).toThrow(refused("sdp.unsupported", "rtcp-mux"))
  })

  test("is taken where the first bundled section speaks for a bundle-only one, as in RFC 9725", () => {
    const [session = "", audio = "", video = ""] = split(whip)
    const bundleOnly = video
      .replace("m=video 9", "m=video 0")
      .replace(/a=(rtcp-mux|ice-\w+:.*|setup:.*|fingerprint:.*)\r\n/g, "")
      .replace("a=sendonly", "a=sendonly\r\na=bundle-only")
    const { media, sdp } = publish(session + audio + bundleOnly)
    expect(media.map(({ kind }) => kind)).toEqual(["audio", "video"])
    expect(section(sdp, 1)[0]).toMatch(/^m=video 8000 /)
  })

  test("is taken where it says rtcp-mux-only, or says it for the session", () => {
    expect(publish(obs.replaceAll("a=rtcp-mux\r\n", "a=rtcp-mux-only\r\n")).media).toHaveLength(2)
    const everywhere = obs.replaceAll("a=rtcp-mux\r\n", "").replace("a=setup:", "a=rtcp-mux\r\na=setup:")
    expect(publish(everywhere).media).toHaveLength(2)
  })
})

describe("rule 23: one MediaStream", () => {
  const second = (kind: string, mid: string) => {
    const from = split(obs).find((part) => part.startsWith(`m=${kind}`)) ?? ""
    return from.replace(/a=mid:\d/, `a=mid:${mid}`)
  }

  test.each(["audio", "video"])("refuses a second %s track", (kind) => {
    const message = `more than one ${kind} track`
    expect(() => publish(obs + second(kind, "2"))).toThrow(refused("sdp.unsupported", message))
  })

  test("refuses tracks of different streams", () => {
    const [session = "", audio = "", video = ""] = split(obs)
    const offer = session + audio + video.replaceAll("msid:NFqzYrVMHGeShkPd", "msid:another")
    expect(() => publish(offer)).toThrow(refused("sdp.unsupported", "one MediaStream"))
  })

  test.each([
    ["no stream (Chromium without streams)", (sdp: string) => sdp.replaceAll(/msid:\S+ /g, "msid:- ")],
    ["a track without stream", (sdp: string) => sdp.replaceAll(/msid:\S+ (?=\S+-audio)/g, "msid:- ")],
    ["no msid at all", (sdp: string) => sdp.replaceAll(/a=(msid|ssrc).*\r\n/g, "")],
    ["an msid in one section alone", (sdp: string) => sdp.replace(/a=(msid|ssrc):.*\r\n/g, "")],
    ["msid on ssrc lines alone", (sdp: string) => sdp.replaceAll(/a=msid:.*\r\n/g, "")],
    ["a track of two streams", (sdp: string) => sdp.replace("a=msid:NFqz", "a=msid:other NFqz-audio\r\na=msid:NFqz")],
  ])("takes %s", (_, change) => {
    expect(publish(change(obs)).media).toHaveLength(2)
  })

  test("takes every real offer", () => {
    const names = [
      "chromium-whip",
      "chromium-simulcast",
      "firefox-simulcast",
      "aiortc-whip",
      "gstreamer-whip",
      "ffmpeg-8",
    ]
    for (const name of names) expect(publish(fixture(name)).media).toHaveLength(2)
  })
})

describe("rule 24: no section is rejected alone", () => {
  test("a publisher's section of an unknown codec fails the offer", () => {
    const offer = obs.replace("opus/48000/2", "PCMU/8000")
    expect(() => publish(offer)).toThrow(refused("sdp.unsupported", "must offer Opus; the offer has PCMU"))
  })

  test("a section that the stream has nothing for stays open, inactive, whatever its codec is", () => {
    const noH264 = whep.replaceAll(" H264/", " H263/")
    const { sdp, media } = play(noH264, { audio: true, video: false })
    expect(section(sdp, 1)).toEqual(expect.arrayContaining(["m=video 8000 UDP/TLS/RTP/SAVPF 96 97", "a=inactive"]))
    expect(section(sdp, -1)).toContain("a=group:BUNDLE 0 1")
    expect(media.map(({ kind }) => kind)).toEqual(["audio"])
  })
})

test.each([
  ["actpass", "passive", "server"],
  ["active", "passive", "server"],
  ["passive", "active", "client"],
])("rule 25: setup:%s is answered with %s", (offered, answered, dtlsRole) => {
  const { sdp, remote } = publish(obs.replace("a=setup:actpass", `a=setup:${offered}`))
  expect(sdp.match(/^a=setup:\w+/gm)).toEqual([`a=setup:${answered}`, `a=setup:${answered}`])
  expect(remote.dtlsRole).toBe(dtlsRole)
})

test("rule 25: another setup is refused", () => {
  expect(() => publish(obs.replace("actpass", "holdconn"))).toThrow(refused("sdp.unsupported", "setup must be"))
})

test.each(VIDEO_CODECS.filter((codec) => codec !== "h265"))(
  "rule 39: an offer of many codecs is answered with that of the stream: %s",
  (codec) => {
    const [, media] = play(whep, { audio: true, video: { codec } }).media
    expect(media).toMatchObject({ codec, rtxPayloadType: expect.any(Number) })
  },
)

describe("sdp.not_acceptable (406): a viewer that cannot play the stream", () => {
  test.each([
    [{ codec: "h265" }, "the stream's video is HEVC; the offer has VP8, VP9, H264, AV1"],
    [{ codec: "vp9", profileIdc: 4 }, "the stream's video is VP9 \\(profile 4\\); the offer has VP8, VP9"],
    [{ codec: "av1", profileIdc: 2 }, "the stream's video is AV1 \\(profile 2\\)"],
  ] as const)("is told what the stream has: %o", (video, message) => {
    expect(() => play(whep, { audio: true, video })).toThrow(refused("sdp.not_acceptable", message))
  })

  test("that has no Opus", () => {
    expect(() => play(whep.replace(/opus\/48000/g, "PCMU/8000"))).toThrow(
      refused("sdp.not_acceptable", "the stream's audio is Opus; the offer has PCMU, G722"),
    )
  })

  test("that asks for nothing that the stream has", () => {
    const [session = "", , video = ""] = split(whep)
    expect(() => play(session + video, { audio: true, video: false })).toThrow(
      refused("sdp.not_acceptable", "it carries Opus audio"),
    )
  })
})

test("rule 40: a viewer's tracks are of one stream, one for each kind", () => {
  expect(play(whep).sdp.match(/^a=msid:.*(?=\r)/gm)).toEqual(["a=msid:live audio", "a=msid:live video"])
})

test("an IPv6 address has an IP6 connection line", () => {
  const candidates = [{ protocol: "udp", address: "2001:db8::7", port: 8000 }] as const
  const { sdp } = answerPublish(parseOffer(obs), { ...LOCAL, candidates }, { codecs: VIDEO_CODECS })
  expect(section(sdp, 0)[1]).toBe("c=IN IP6 2001:db8::7")
})

test("a data channel in front may carry the transport of the bundle", () => {
  const [session = "", audio = "", video = ""] = split(whip)
  const strip = (part: string) => part.replaceAll(/a=(ice-\w+|setup|fingerprint):.*\r\n/g, "")
  const credentials = audio.match(/a=(ice-\w+|setup|fingerprint):.*\r\n/g)?.join("")
  const data = `m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n${credentials}a=sctp-port:5000\r\n`
  const offer = session.replace("BUNDLE 0 1", "BUNDLE d 0 1") + data + strip(audio) + strip(video)
  const { sdp, media, remote } = publish(offer)
  expect(remote.ufrag).toBe("gs9L")
  expect(media).toHaveLength(2)
  expect(section(sdp, -1)).toContain("a=group:BUNDLE 0 1")
  expect(section(sdp, 0)[0]).toBe("m=application 0 UDP/DTLS/SCTP webrtc-datachannel")
})
