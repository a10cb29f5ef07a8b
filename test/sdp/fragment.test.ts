import fc from "fast-check"
import { expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { parseFragment, serializeFragment } from "../../src/sdp/fragment.ts"
import { LOCAL } from "./support.ts"

const lines = (...all: string[]) => `${all.join("\r\n")}\r\n`
const CREDENTIALS = ["a=ice-ufrag:EsAw", "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1"]
const SECTION = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0"]
const candidate = (text: string) => `a=candidate:1387637174 ${text} generation 0 ufrag EsAw network-id 1`

test.each([
  ["of the session", [...CREDENTIALS, ...SECTION]],
  ["of the section", [...SECTION, ...CREDENTIALS]],
])("reads credentials %s", (_, text) => {
  expect(parseFragment(lines(...text))).toEqual({
    ufrag: "EsAw",
    pwd: "P2uYro0UCOQ4zxjKXaWCBui1",
    candidates: [],
    endOfCandidates: false,
  })
})

test("reads candidates and their end", () => {
  const { ufrag, candidates, endOfCandidates } = parseFragment(
    lines(
      ...SECTION,
      candidate("1 udp 2122260223 192.0.2.1 61764 typ host"),
      candidate("1 UDP 1685987071 2001:db8::9 9999 typ srflx raddr 192.0.2.1 rport 61764"),
      candidate("1 tcp 1518280447 192.0.2.1 9 typ host tcptype active"),
      "a=end-of-candidates",
    ),
  )
  expect(ufrag).toBeUndefined()
  expect(candidates).toEqual([
    { protocol: "udp", address: "192.0.2.1", port: 61764, type: "host" },
    { protocol: "udp", address: "2001:db8::9", port: 9999, type: "srflx" },
    { protocol: "tcp", address: "192.0.2.1", port: 9, type: "host" },
  ])
  expect(endOfCandidates).toBe(true)
})

test.each([
  ["an mDNS name", "1 udp 2113937151 5f2a77e6-7f5b-4a0e-9d4c-0b8f2f6b6a11.local 56789 typ host"],
  ["a DNS name", "1 udp 2113937151 media.example.com 56789 typ host"],
  ["an address that is none", "1 udp 2113937151 192.0.2.256 56789 typ host"],
  ["another transport", "1 sctp 2113937151 192.0.2.1 56789 typ host"],
  ["another component", "2 udp 2113937151 192.0.2.1 56789 typ host"],
  ["another type", "1 udp 2113937151 192.0.2.1 56789 typ quantum"],
])("rule 18: a candidate with %s is dropped, the others are kept", (_, text) => {
  const { candidates } = parseFragment(lines(candidate(text), candidate("1 udp 1 192.0.2.1 61764 typ host")))
  expect(candidates.map(({ port }) => port)).toEqual([61764])
})

test("keeps a bounded number of candidates", () => {
  const many = Array.from({ length: 500 }, (_, i) => candidate(`1 udp 1 192.0.2.1 ${i + 1} typ host`))
  expect(parseFragment(lines(...many)).candidates).toHaveLength(64)
})

test("takes the empty candidate of browsers that are done", () => {
  expect(parseFragment(lines(...SECTION, "a=")).candidates).toEqual([])
})

test.each([
  ["nothing", ""],
  ["no line", "candidate"],
  ["a candidate without address", "a=candidate:1 1 udp 1\r\n"],
  ["a candidate with a bad port", "a=candidate:1 1 udp 1 192.0.2.1 70000 typ host\r\n"],
  ["a candidate without type", "a=candidate:1 1 udp 1 192.0.2.1 7000\r\n"],
  ["a short ufrag", "a=ice-ufrag:abc\r\n"],
  ["a short pwd", "a=ice-ufrag:abcd\r\na=ice-pwd:short\r\n"],
])("rule 10: a fragment with %s is malformed", (_, text) => {
  expect(() => parseFragment(text)).toThrow(expect.objectContaining({ code: "sdp.syntax" }))
})

test("rules 19 and 20: the answer to a restart has new credentials and all candidates, and stays ICE-lite", () => {
  const { ufrag, pwd, candidates } = LOCAL
  const text = serializeFragment({ ufrag, pwd, candidates, section: { kind: "video", mid: "v" } })
  expect(text.split("\r\n")).toEqual([
    "a=ice-lite",
    "a=ice-options:trickle ice2",
    "m=video 9 UDP/TLS/RTP/SAVPF 0",
    "a=mid:v",
    "a=ice-ufrag:edge0001",
    "a=ice-pwd:0123456789abcdefghijklmn",
    "a=candidate:1 1 udp 2130706431 192.0.2.7 8000 typ host",
    "a=candidate:2 1 udp 2130706175 2001:db8::7 8000 typ host",
    "a=candidate:3 1 tcp 2130705919 192.0.2.7 8000 typ host tcptype passive",
    "a=end-of-candidates",
    "",
  ])
  const parsed = parseFragment(text)
  expect(parsed).toMatchObject({ ufrag, pwd, endOfCandidates: true })
  expect(parsed.candidates.map(({ protocol, address, port }) => ({ protocol, address, port }))).toEqual(candidates)
})

test("no text makes it throw anything but GatewayError", () => {
  const word = fc.constantFrom(
    "a=candidate:",
    "a=ice-ufrag:",
    "a=ice-pwd:",
    "m=audio",
    "1",
    "udp",
    "typ",
    "host",
    "::1",
  )
  const text = fc
    .array(fc.oneof(word, fc.string({ maxLength: 8 }), fc.constantFrom(" ", "\r\n")))
    .map((a) => a.join(""))
  const survives = (fragment: string) => {
    try {
      parseFragment(fragment)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
    }
  }
  fc.assert(fc.property(text, survives), { numRuns: 500 })
})
