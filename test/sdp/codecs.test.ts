import { describe, expect, test } from "vitest"
import { VIDEO_CODECS, type VideoCodec } from "../../src/media/codec.ts"
import { answerPlay, answerPublish } from "../../src/sdp/answer.ts"
import { parseOffer } from "../../src/sdp/offer.ts"
import { fixture, LOCAL, section, TRACKS } from "./support.ts"

const whip = fixture("chromium-whip")
const whep = fixture("chromium-whep")
const obs = fixture("obs-30")
const publish = (sdp: string, codecs: readonly VideoCodec[] = VIDEO_CODECS) =>
  answerPublish(parseOffer(sdp), LOCAL, { codecs })
const play = (sdp: string, video: { codec: VideoCodec; profileIdc?: number } = { codec: "h264" }) =>
  answerPlay(parseOffer(sdp), LOCAL, TRACKS, { audio: true, video })

/** OBS's offer with other video formats, such as `H265/90000 profile-id=2`, from payload type 100 on. */
function withFormats(...formats: string[]): string {
  const payloadTypes = formats.map((_, i) => 100 + i)
  const lines = formats.flatMap((format, i) => {
    const [rtpmap, parameters] = format.split(" ")
    return [`a=rtpmap:${100 + i} ${rtpmap}`, ...(parameters ? [`a=fmtp:${100 + i} ${parameters}`] : [])]
  })
  return obs
    .replace("SAVPF 96", `SAVPF ${payloadTypes.join(" ")}`)
    .replace(/a=rtpmap:96[\s\S]*$/, `${lines.join("\r\n")}\r\n`)
}
const video = (sdp: string) => publish(sdp).media[1]

test.each([
  [["vp8", "h264"], 96],
  [["h265", "vp9", "h264"], 98],
  [["av1"], 45],
  [VIDEO_CODECS, 102],
] as const)("a publisher with every codec gets the best that is allowed: %j", (codecs, payloadType) => {
  expect(publish(whip, codecs).media[1]).toMatchObject({ payloadType, rtxPayloadType: payloadType + 1 })
})

test("a publisher whose only codec is not allowed is refused", () => {
  expect(() => publish(obs, ["vp8", "av1"])).toThrow("video must offer VP8, AV1; the offer has H264")
})

test.each([
  ["H.264 High, mode 1", "H264/90000 profile-level-id=640033;packetization-mode=1"],
  ["H.264 without parameters", "H264/90000"],
  ["HEVC", "H265/90000 level-id=156;profile-id=1;tier-flag=0;tx-mode=SRST"],
  ["HEVC without parameters", "H265/90000"],
  ["AV1", "AV1/90000 level-idx=8;profile=0;tier=0"],
  ["VP9", "VP9/90000 profile-id=0"],
  ["VP8", "VP8/90000"],
])("echoes the parameters of %s", (_, format) => {
  const [rtpmap, parameters = ""] = format.split(" ")
  const { sdp } = publish(withFormats(format))
  expect(section(sdp, 1)).toContain(`a=rtpmap:100 ${rtpmap}`)
  expect(section(sdp, 1).filter((line) => line.startsWith("a=fmtp"))).toEqual(
    parameters === "" ? [] : [`a=fmtp:100 ${parameters}`],
  )
})

test("does not repeat what a sender says of itself", () => {
  expect(publish(fixture("gstreamer-whip")).sdp).not.toContain("sprop-")
})

test.each([
  ["firefox-whep", "vp8", 120],
  ["firefox-whep", "av1", 99],
  ["gstreamer-whep", "h264", 96],
  ["werift-whep", "h264", 97],
] as const)("%s plays %s", (name, codec, payloadType) => {
  expect(play(fixture(name), { codec }).media.find(({ kind }) => kind === "video")).toMatchObject({ payloadType })
})

describe("profiles", () => {
  test.each([
    ["H265/90000 profile-id=2", "H265/90000 profile-id=1", 101, 1],
    ["AV1/90000 profile=1", "AV1/90000", 101, 0],
    ["VP9/90000 profile-id=2", "VP9/90000 profile-id=0", 101, 0],
    ["VP9/90000 profile-id=2", "VP9/90000 profile-id=3", 100, 2],
    ["H265/90000 tx-mode=MRST", "H265/90000 profile-id=2", 101, 2],
    ["H265/90000 sprop-max-don-diff=2", "H265/90000 sprop-max-don-diff=0", 101, 1],
    ["VP8/90000", "H264/90000 profile-level-id=64001f", 101, undefined],
  ])("of a publisher with %s and %s", (first, second, payloadType, profileIdc) => {
    expect(video(withFormats(first, second))).toMatchObject({ payloadType, profileIdc })
  })

  const viewer = (...formats: string[]) => withFormats(...formats).replaceAll("a=sendonly", "a=recvonly")
  test.each([
    ["h265", 1, ["H265/90000 profile-id=2"], 100],
    ["h265", 2, ["H265/90000 profile-id=1", "H265/90000 profile-id=2"], 101],
    ["av1", 0, ["AV1/90000 profile=1", "AV1/90000 profile=0"], 101],
    ["vp9", 2, ["VP9/90000", "VP9/90000 profile-id=2"], 101],
    ["vp9", undefined, ["VP9/90000 profile-id=2", "VP9/90000"], 101],
    ["h264", 0x64, ["H264/90000 profile-level-id=42e01f", "H264/90000 profile-level-id=64001f"], 101],
    ["h264", 0x64, ["H264/90000 profile-level-id=42e01f"], 100],
  ] as const)("%s of profile %s for a viewer with %j", (codec, profileIdc, formats, payloadType) => {
    const stream = profileIdc === undefined ? { codec } : { codec, profileIdc }
    expect(play(viewer(...formats), stream).media[1]).toMatchObject({ codec, payloadType })
  })

  test.each([
    ["h265", 2, "H265/90000 profile-id=1"],
    ["vp9", 0, "VP9/90000 profile-id=2"],
  ] as const)("%s of profile %i is nothing for a viewer with %s alone", (codec, profileIdc, format) => {
    expect(() => play(viewer(format), { codec, profileIdc })).toThrow(
      expect.objectContaining({ code: "sdp.not_acceptable" }),
    )
  })
})

describe("Opus", () => {
  const parameters = (sdp: string) => section(sdp, 0).find((line) => line.startsWith("a=fmtp:111"))

  test("a publisher is asked for two channels and error correction, and keeps its DTX", () => {
    const offer = whip.replace("minptime=10;useinbandfec=1", "minptime=10;usedtx=1;sprop-stereo=1")
    expect(parameters(publish(offer).sdp)).toBe("a=fmtp:111 minptime=10;usedtx=1;stereo=1;useinbandfec=1")
  })

  test("a viewer is told that two channels may come, and keeps what it says of itself", () => {
    const offer = whep.replace("minptime=10;useinbandfec=1", "stereo=1;usedtx=1;useinbandfec=1")
    expect(parameters(play(offer).sdp)).toBe("a=fmtp:111 stereo=1;usedtx=1;useinbandfec=1;sprop-stereo=1")
  })

  test.each([
    ["whip", whip, publish],
    ["whep", whep, play],
  ])("RED stands where the offer has it: %s", (_, offer, answer) => {
    const after = answer(offer)
    expect(after.media[0]).toMatchObject({ payloadType: 111, redPayloadType: 63, prefersRed: false })
    expect(section(after.sdp, 0)[0]).toMatch(/ 111 63$/)
    expect(section(after.sdp, 0)).toContain("a=fmtp:63 111/111")
    const before = answer(offer.replace("SAVPF 111 63 ", "SAVPF 63 111 "))
    expect(before.media[0]).toMatchObject({ payloadType: 111, redPayloadType: 63, prefersRed: true })
    expect(section(before.sdp, 0)[0]).toMatch(/ 63 111$/)
  })

  test("RED cannot have a payload type of the picture", () => {
    const offer = whip.replace("SAVPF 111 63", "SAVPF 111 102").replace(/^a=(rtpmap|fmtp):63 /gm, "a=$1:102 ")
    expect(() => publish(offer)).toThrow("payload types of their own")
  })

  test("RED of another codec is none", () => {
    const { media, sdp } = publish(whip.replace("a=fmtp:63 111/111", "a=fmtp:63 111/0"))
    expect(media[0]).toMatchObject({ redPayloadType: undefined, prefersRed: false })
    expect(section(sdp, 0)[0]).toMatch(/ 111$/)
  })
})

describe("congestion control", () => {
  const without = (sdp: string, message: string) => sdp.replaceAll(new RegExp(`a=rtcp-fb:\\d+ ${message}\r\n`, "g"), "")

  test("a publisher gets both REMB and transport-wide feedback", () => {
    const [audio, picture] = publish(whip).media
    expect(audio).toMatchObject({ feedback: ["transport-cc"], extensionIds: { transportCc: 3, absSendTime: 2 } })
    expect(picture?.feedback).toEqual(["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"])
  })

  test("transport-wide feedback needs its message and its header extension", () => {
    const lines = (sdp: string) => publish(sdp).sdp.match(/transport-cc|transport-wide/g)
    expect(lines(whip)).toHaveLength(4)
    expect(lines(whip.replaceAll(/a=extmap:3 .*\r\n/g, ""))).toBeNull()
    expect(lines(without(whip, "transport-cc"))).toBeNull()
  })

  test("a viewer with REMB gets the send time, and transport-wide numbers for what is cached of the picture", () => {
    const [audio, picture] = play(whep).media
    expect(audio).toMatchObject({ feedback: [], extensionIds: { absSendTime: 2 } })
    expect(audio?.extensionIds).not.toHaveProperty("transportCc")
    expect(picture?.feedback).toEqual(["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"])
    expect(picture?.extensionIds).toMatchObject({ absSendTime: 2, transportCc: 3 })
  })

  test("a viewer without REMB gets transport-wide numbers and no send time", () => {
    for (const { feedback, extensionIds } of play(without(whep, "goog-remb")).media) {
      expect(feedback).toContain("transport-cc")
      expect(extensionIds).toMatchObject({ transportCc: 3 })
      expect(extensionIds).not.toHaveProperty("absSendTime")
    }
  })
})

describe("header extensions", () => {
  test("are agreed on by name, under the offer's ids", () => {
    const capture = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
    const offer = whip.replaceAll("a=sendonly", `a=sendonly\r\na=extmap:12 ${capture}`)
    const [audio, picture] = publish(offer).media
    expect(audio?.extensionIds).toEqual({ absSendTime: 2, transportCc: 3, mid: 4, absCaptureTime: 12 })
    expect(picture?.extensionIds).toEqual({
      absSendTime: 2,
      videoOrientation: 13,
      transportCc: 3,
      playoutDelay: 5,
      mid: 4,
      rid: 10,
      repairedRid: 11,
      absCaptureTime: 12,
    })
    expect(play(whep.replaceAll("a=recvonly", `a=recvonly\r\na=extmap:12 ${capture}`)).media[1]?.extensionIds).toEqual({
      absSendTime: 2,
      videoOrientation: 13,
      transportCc: 3,
      playoutDelay: 5,
      mid: 4,
      absCaptureTime: 12,
    })
  })

  const mid = "urn:ietf:params:rtp-hdrext:sdes:mid"
  test.each([
    ["an id of the two-byte form", `a=extmap:15 ${mid}`],
    ["an id of 0", `a=extmap:0 ${mid}`],
    ["an id out of range", `a=extmap:4100 ${mid}`],
    ["the opposite direction", `a=extmap:4/recvonly ${mid}`],
    ["inactive", `a=extmap:4/inactive ${mid}`],
    ["another's id", `a=extmap:3 ${mid}`],
  ])("are left out with %s", (_, line) => {
    const [audio] = publish(whip.replaceAll(/a=extmap:4 urn.*mid/g, line)).media
    expect(audio?.extensionIds).toEqual({ absSendTime: 2, transportCc: 3 })
  })

  test("answer a direction with its opposite", () => {
    const { sdp, media } = publish(whip.replaceAll("a=extmap:4 ", "a=extmap:4/sendonly "))
    expect(media[0]?.extensionIds.mid).toBe(4)
    expect(section(sdp, 0)).toContain(`a=extmap:4/recvonly ${mid}`)
  })

  test("may be offered for the whole session", () => {
    const offer = obs.replace("a=setup:", `a=extmap:7 ${mid}\r\na=setup:`)
    expect(publish(offer).media.map(({ extensionIds }) => extensionIds)).toEqual([{ mid: 7 }, { mid: 7 }])
  })

  test("the MID is left out where it is too long for the one-byte form", () => {
    const offer = obs.replace("a=setup:", `a=extmap:7 ${mid}\r\na=setup:`)
    const renamed = offer.replace("BUNDLE 0", "BUNDLE seventeen-letters").replace("mid:0", "mid:seventeen-letters")
    expect(publish(renamed).media.map(({ extensionIds }) => extensionIds)).toEqual([{}, { mid: 7 }])
  })
})
