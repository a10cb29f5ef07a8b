import { expect, test } from "vitest"
import { VIDEO_CODECS } from "../../src/media/codec.ts"
import { answerPlay } from "../../src/sdp/answer.ts"
import { parseOffer } from "../../src/sdp/offer.ts"
import { acceptPlayAnswer, createPlayOffer } from "../../src/sdp/play-offer.ts"
import { FINGERPRINT, LOCAL, TRACKS } from "./support.ts"

const offer = createPlayOffer({
  sessionId: "1",
  ufrag: "client",
  pwd: "0123456789abcdefghijkl",
  fingerprint: { algorithm: "sha-256", value: FINGERPRINT },
})

const answer = (codec: (typeof VIDEO_CODECS)[number] | undefined, profileIdc?: number) => {
  const video = codec === undefined ? (false as const) : { codec, profileIdc }
  return answerPlay(parseOffer(offer), LOCAL, TRACKS, { audio: true, video }).sdp
}

test.each([
  ...VIDEO_CODECS.map((codec) => ({ codec, profileIdc: undefined })),
  { codec: "h264" as const, profileIdc: 0x64 },
  { codec: "h265" as const, profileIdc: 1 },
  { codec: "vp9" as const, profileIdc: 2 },
])(
  "our own answer gives $codec of profile $profileIdc with retransmission and keyframe requests, and Opus",
  (stream) => {
    const { media, remote, candidates } = acceptPlayAnswer(answer(stream.codec, stream.profileIdc))
    expect(media.map(({ codec }) => codec)).toEqual(["opus", stream.codec])
    const video = media[1]
    expect(video?.rtxPayloadType).toBe((video?.payloadType ?? 0) + 1)
    expect(video?.feedback).toEqual(expect.arrayContaining(["nack", "nack pli", "goog-remb"]))
    expect(video?.extensionIds).toMatchObject({ mid: 1 })
    expect(video?.remoteSources).toEqual([{ ssrc: 2001, rtxSsrc: 2002 }])
    expect(remote).toMatchObject({ ufrag: LOCAL.ufrag, pwd: LOCAL.pwd, dtlsRole: "client" })
    expect(candidates[0]).toMatchObject({ protocol: "udp", address: "192.0.2.7", port: 8000 })
  },
)

test("a stream of sound alone gives one section", () => {
  expect(acceptPlayAnswer(answer(undefined)).media.map(({ kind }) => kind)).toEqual(["audio"])
})

test.each([
  { name: "a codec that was not offered", from: "H264/90000", to: "H263/90000", code: "sdp.unsupported" },
  { name: "nothing that is sent", from: "a=sendonly", to: "a=inactive", code: "sdp.not_acceptable" },
  { name: "one section of two", from: /m=video[\s\S]*/, to: "", code: "sdp.unsupported" },
])("an answer with $name is refused", ({ from, to, code }) => {
  const changed = answer("h264").replaceAll(typeof from === "string" ? from : new RegExp(from, "g"), to)
  expect(() => acceptPlayAnswer(changed)).toThrow(expect.objectContaining({ code }))
})
