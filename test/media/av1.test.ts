import { expect, test } from "vitest"
import { parseAv1SequenceHeader } from "../../src/media/av1.ts"
import { hex } from "../support/bytes.ts"

/** Bytes of the bits that are written, with zeros behind them. */
function bits(...fields: readonly string[]): Uint8Array {
  const all = fields.join("")
  const octets = all.padEnd(Math.ceil(all.length / 8) * 8, "0").match(/.{8}/g) ?? []
  return Uint8Array.from(octets, (octet) => Number.parseInt(octet, 2))
}

const SIZE_640x360 = ["1001", "1000", (639).toString(2).padStart(10, "0"), (359).toString(2).padStart(9, "0")]
const WITH_MODEL = bits(
  "00001000",
  "00000", // profile 0, neither still nor reduced
  "1", // timing info
  "0".repeat(64),
  "1", // equal pictures
  "00101",
  "1", // decoder model: delays of 10 bits
  "01001",
  "0".repeat(42),
  "1", // display delays
  "00001", // two operating points
  ...["000100000011", "01000", "1", "1", "1".repeat(21), "1", "1111"],
  ...["000100000001", "00001", "0", "0"],
  ...SIZE_640x360,
)

test.each([
  { name: "libaom", obu: hex("0a0b 0000 0004 3cf6 c4da f900 40"), widthPx: 318, heightPx: 178 },
  { name: "libaom, a still picture", obu: hex("0a07 1a2a bbec 3568 02"), widthPx: 1918, heightPx: 1078 },
  { name: "Chromium, without a size of its own", obu: hex("08 00000003b4ed900680"), widthPx: 158, heightPx: 90 },
  { name: "timing, decoder model and operating points", obu: WITH_MODEL, widthPx: 640, heightPx: 360 },
  {
    name: "an extension and a size of two bytes",
    obu: Uint8Array.of(0x0e, 0x20, 0x8b, 0x00, ...hex("0000 0004 3cf6 c4da f900 40")),
    widthPx: 318,
    heightPx: 178,
  },
])("reads the sequence header of $name", ({ obu, widthPx, heightPx }) => {
  expect(parseAv1SequenceHeader(obu)).toEqual({ widthPx, heightPx })
})

test.each([
  { name: "nothing", obu: "" },
  { name: "a frame", obu: "3200" },
  { name: "a header that is cut off", obu: "0a0b00000004" },
  { name: "a size without an end", obu: "0affffffff" },
])("takes $name for none", ({ obu }) => {
  expect(parseAv1SequenceHeader(hex(obu))).toBeUndefined()
})
