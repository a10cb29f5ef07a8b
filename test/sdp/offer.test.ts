import fc from "fast-check"
import { expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { VIDEO_CODECS } from "../../src/media/codec.ts"
import { answerPlay, answerPublish } from "../../src/sdp/answer.ts"
import { acceptAnswer, createOffer } from "../../src/sdp/counter-offer.ts"
import { parseOffer } from "../../src/sdp/offer.ts"
import { fixture, LOCAL, TRACKS } from "./support.ts"

const obs = fixture("obs-30")

test("takes LF for CRLF and ignores empty lines at the end", () => {
  expect(parseOffer(`${obs.replaceAll("\r\n", "\n")}\n\n`)).toEqual(parseOffer(obs))
})

test("reads transport attributes of the session and of a section", () => {
  expect(parseOffer(obs).remote).toMatchObject({ ufrag: "jk3P", dtlsRole: "server" })
  expect(parseOffer(fixture("libdatachannel-whip")).remote).toMatchObject({ ufrag: "P8CM", dtlsRole: "server" })
  expect(parseOffer(fixture("ffmpeg-8")).remote).toMatchObject({ ufrag: "c9d1e2f0", dtlsRole: "client" })
})

test("keeps a bundle-only section with port 0, drops any other", () => {
  const kinds = (offer: string) => parseOffer(offer).media.map((media) => media.kind)
  const bundleOnly = fixture("bundle-only")
  expect(kinds(bundleOnly)).toEqual(["video", "audio"])
  expect(kinds(bundleOnly.replace(" audio1", "").replace("a=bundle-only\r\n", ""))).toEqual(["video", undefined])
})

test("accepts upper-case and several fingerprints", () => {
  const sha512 = `a=fingerprint:SHA-512 ${Array.from({ length: 64 }, () => "0a").join(":")}\r\n`
  const { fingerprints } = parseOffer(
    obs.replace("a=fingerprint", `${sha512}a=fingerprint:md5 00\r\na=fingerprint`),
  ).remote
  expect(fingerprints.map((f) => f.algorithm)).toEqual(["sha-512", "sha-256"])
  expect(fingerprints[0]?.value.slice(0, 5)).toBe("0A:0A")
})

test.each([
  ["nothing", ""],
  ["a page", "<html></html>"],
  ["JSON", '{"type":"offer"}'],
  ["another version", obs.replace("v=0", "v=1")],
  ["a line without equals sign", obs.replace("s=-", "session")],
  ["a control character", obs.replace("s=-", "s=\u0000")],
  ["no media", obs.slice(0, obs.indexOf("m=audio"))],
  ["a port out of range", obs.replace("m=audio 9", "m=audio 70000")],
  ["a media line without formats", obs.replace("SAVPF 111", "SAVPF")],
  ["a short ufrag", obs.replace("ufrag:jk3P", "ufrag:jk3")],
  ["a short pwd", obs.replace("pwd:pTq1v8RzWc4NnY7uXb0sLe", "pwd:pTq1v8RzWc4NnY7uXb0sL")],
  ["no ufrag", obs.replace(/a=ice-ufrag.*\r\n/, "")],
  ["a cut fingerprint", obs.replace(":04:92", ":04")],
  ["a repeated mid", obs.replace("mid:1", "mid:0")],
  ["too many lines", obs + "a=x\r\n".repeat(2_000)],
  ["too many sections", obs + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n".repeat(20)],
  ["too much text", `${obs}a=${"x".repeat(70_000)}\r\n`],
])("rule 4: refuses %s as malformed", (_, text) => {
  expect(() => parseOffer(text)).toThrow(expect.objectContaining({ code: "sdp.syntax" }))
})

test("no change to a real offer makes it throw anything but GatewayError", () => {
  const names = [
    "chromium-whep",
    "chromium-datachannel",
    "chromium-simulcast",
    "obs-32-simulcast",
    "ffmpeg-8",
    "bundle-only",
  ]
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(40),
    text: fc.string({ maxLength: 12 }),
  })
  const stream = { audio: true, video: { codec: "h264" } } as const
  const survives = (name: string, edits: { at: number; length: number; text: string }[]) => {
    let sdp = fixture(name)
    for (const { at, length, text } of edits) {
      const start = Math.floor(at * sdp.length)
      sdp = sdp.slice(0, start) + text + sdp.slice(start + length)
    }
    for (const answer of [
      () => answerPublish(parseOffer(sdp), LOCAL, { codecs: VIDEO_CODECS }),
      () => answerPlay(parseOffer(sdp), LOCAL, TRACKS, stream),
      () => acceptAnswer(createOffer(LOCAL, TRACKS, stream).pending, sdp),
    ]) {
      try {
        // Whatever is echoed, nothing can break out of its line.
        expect(answer().sdp).not.toMatch(/[^\r]\n|\r[^\n]/)
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error
      }
    }
  }
  fc.assert(fc.property(fc.constantFrom(...names), fc.array(edit, { maxLength: 6 }), survives), { numRuns: 500 })
})
