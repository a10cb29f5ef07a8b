import { readdirSync, readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { packDictionary, pageTexts, trainingTexts } from "../../../scripts/lib/minisdp/dictionary.ts"
import { DICTIONARIES } from "../../../src/minisdp/lossless/dictionary.ts"
import { decodeSdp, encodeSdp, FULL_DICTIONARY, PAGE_DICTIONARY } from "../../../src/minisdp/lossless/sdp.ts"
import { allowGatewayErrors } from "../../support/errors.ts"

const FIXTURES = new URL("../../fixtures/sdp/", import.meta.url)
const CORPUS = readdirSync(FIXTURES)
  .filter((file) => file.endsWith(".sdp"))
  .map((file) => ({ name: file, text: readFileSync(new URL(file, FIXTURES), "utf8") }))

describe("gives back exactly", () => {
  test.each(CORPUS)("$name, with either line end", ({ text }) => {
    const lf = text.replaceAll("\r\n", "\n")
    for (const form of [text, lf, lf.replaceAll("\n", "\r\n"), text.trimEnd()]) {
      expect(decodeSdp(encodeSdp(form))).toBe(form)
    }
  })

  test.each([
    ["nothing", ""],
    ["one line end", "\n"],
    ["a line that is not ended", "v=0\r\ns=x"],
    ["empty lines", "\r\n\r\n\n\r\n"],
    ["a lone CR", "v=0\ra\nb\r"],
    ["control characters", "\0\u0001\u0006\r\n\u0007\0\r\n"],
    ["unicode and half a surrogate pair", "s=Ünïcode 🎥 \ud800x\r\n"],
    [
      "numbers out of the ordinary",
      "o=- 007 99999999999999999999 18446744073709551616 9999999999999999999 4294967296\r\n",
    ],
    ["digests of either case", `a=fingerprint:sha-1 ${"ab:".repeat(19)}cd\r\na=x ${"AB:".repeat(19)}cd\r\n`],
    ["addresses", "c=IN IP6 fe80::1%eth0\r\nc=IN IP6 ::\r\nc=IN IP6 2001:DB8::1\r\nc=IN IP6 1::2::3 0001:2::\r\n"],
    [
      "formats",
      "m=audio 9 RTP/AVP 0 08 9\r\nm=video 9 RTP/AVP 96  97\r\nm=x 9 y \r\nm=video 9 RTP/AVP 4294967296 1234567890\r\n",
    ],
    ["credentials", "a=ice-ufrag:\r\na=ice-pwd:a+/b==\r\na=ssrc:1 cname:{x}\r\na=ssrc:1 cname:\r\n"],
    ["UUIDs", "a=msid:0D1A2B3C-0000-0000-0000-000000000000 01234567-89ab-cdef-0123-456789abcdef\r\n"],
    ["one line of 65,536 characters", "a".repeat(65_536)],
    ["the same line again and again", "a=rtcp-fb:96 nack pli\r\n".repeat(2_849)],
  ])("%s", (_, text) => {
    expect(decodeSdp(encodeSdp(text))).toBe(text)
  })

  test("any text", () => {
    const text = fc.string({ unit: fc.constantFrom(..."\r\n \0\u0003:;=/-+.019afAFzZéß😀"), maxLength: 200 })
    const property = (form: string) => {
      expect(decodeSdp(encodeSdp(form))).toBe(form)
    }
    fc.assert(fc.property(fc.oneof(text, fc.string({ unit: "binary" }), fc.string()), property), { numRuns: 2_000 })
  })

  test("offers that were cut, turned round and written over", () => {
    const edits = fc.array(fc.tuple(fc.nat(8_000), fc.nat(60), fc.string({ maxLength: 12 })), { maxLength: 12 })
    const property = ({ text }: { text: string }, list: [number, number, string][]) => {
      let edited = text
      for (const [at, length, put] of list) edited = edited.slice(0, at) + put + edited.slice(at + length)
      expect(decodeSdp(encodeSdp(edited))).toBe(edited)
    }
    fc.assert(fc.property(fc.constantFrom(...CORPUS), edits, property), { numRuns: 400 })
  })
})

test("coding one text teaches nothing that changes the next", () => {
  const first = CORPUS.map(({ text }) => encodeSdp(text))
  for (const { text } of CORPUS.toReversed()) decodeSdp(encodeSdp(text))
  expect(() => decodeSdp((first[0] as Uint8Array).subarray(0, 20))).toThrow()
  expect(CORPUS.map(({ text }) => encodeSdp(text))).toEqual(first)
})

describe("refuses", () => {
  test("another dictionary", () => {
    expect(() => decodeSdp(Uint8Array.of(3, 0, 0))).toThrow(/dictionary 3/)
    expect(() => decodeSdp(new Uint8Array(0))).toThrow(/dictionary/)
  })

  test("a text of more than 65,536 characters", () => {
    expect(() => encodeSdp("a".repeat(65_537))).toThrow(/65536/)
  })

  test("what would grow to more than 96 characters per byte", () => {
    const packed = encodeSdp("a".repeat(60_000))
    expect(() => decodeSdp(packed.subarray(0, 100))).toThrow(/too long|more than/)
  })

  test("other bytes by nothing but its own error", () => {
    const offer = encodeSdp(CORPUS[3]?.text ?? "")
    const flip = (flips: [number, number][]) => {
      const bytes = offer.slice()
      for (const [at, value] of flips) bytes[1 + (at % (bytes.length - 1))] = value
      allowGatewayErrors(() => decodeSdp(bytes))
    }
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 8 }), flip))
    const survives = (bytes: Uint8Array) => {
      allowGatewayErrors(() => decodeSdp(Uint8Array.of(1, ...bytes)))
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survives), { numRuns: 500 })
  })
})

test.each([
  [FULL_DICTIONARY, trainingTexts()],
  [PAGE_DICTIONARY, pageTexts()],
] as const)("dictionary %d is what its texts are packed to", (number, texts) => {
  expect(DICTIONARIES[number].texts).toBe(texts.length)
  expect(Buffer.from(packDictionary(texts)).toString("base64")).toBe(DICTIONARIES[number].base64)
})

test("a page's dictionary gives back exactly, too, and is as good as the full one for what pages say", () => {
  for (const { text } of CORPUS) {
    const packed = encodeSdp(text, PAGE_DICTIONARY)
    expect([packed[0], decodeSdp(packed)]).toEqual([PAGE_DICTIONARY, text])
  }
  const offer = CORPUS.find(({ name }) => name === "chromium-whep.sdp")?.text ?? ""
  expect(encodeSdp(offer, PAGE_DICTIONARY).length).toBeLessThan(encodeSdp(offer).length * 1.25)
})
