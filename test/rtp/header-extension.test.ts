import fc from "fast-check"
import { expect, test } from "vitest"
import type { HeaderExtensionIds } from "../../src/media/header-extension.ts"
import {
  absSendTime,
  readPassedExtensions,
  readTextExtension,
  readTransportSequenceNumber,
} from "../../src/rtp/header-extension.ts"
import { type HeaderExtension, parseRtpPacket, serializeRtpPacket } from "../../src/rtp/packet.ts"
import { hex } from "../support/bytes.ts"

const IDS = {
  mid: 1,
  rid: 2,
  absSendTime: 3,
  transportCc: 4,
  absCaptureTime: 5,
  videoOrientation: 6,
} satisfies HeaderExtensionIds

function packetWith(extensions: readonly HeaderExtension[]) {
  const fields = { payloadType: 96, marker: false, sequenceNumber: 1, timestamp: 2, ssrc: 3, payload: hex("aa") }
  return parseRtpPacket(serializeRtpPacket({ ...fields, extensions }))
}

const TEXTS = [
  { id: IDS.mid, data: hex("30") },
  { id: IDS.rid, data: hex("6869") },
]
const NUMBERS = [
  { id: IDS.absSendTime, data: hex("800102") },
  { id: IDS.transportCc, data: hex("fffe") },
]

test.each([
  { form: "one-byte", extensions: [...TEXTS, ...NUMBERS] },
  { form: "two-byte", extensions: [...TEXTS, ...NUMBERS, { id: 20, data: new Uint8Array(30) }] },
])("reads texts and numbers in the $form form", ({ extensions }) => {
  const packet = packetWith(extensions)
  expect(readTextExtension(packet, IDS.mid)).toBe("0")
  expect(readTextExtension(packet, IDS.rid)).toBe("hi")
  expect(readTransportSequenceNumber(packet, IDS.transportCc)).toBe(0xfffe)
  expect(readTextExtension(packet, undefined)).toBeUndefined()
  expect(readTransportSequenceNumber(packet, IDS.absCaptureTime)).toBeUndefined()
})

test.each(["00", "20", "6100", "c3a4", "7f"])("takes %s for no text", (digits) => {
  expect(readTextExtension(packetWith([{ id: IDS.rid, data: hex(digits) }]), IDS.rid)).toBeUndefined()
})

test("takes an empty element for no text", () => {
  const extensions = [
    { id: 20, data: new Uint8Array(1) },
    { id: IDS.rid, data: new Uint8Array(0) },
  ]
  expect(readTextExtension(packetWith(extensions), IDS.rid)).toBeUndefined()
})

test.each(["ff", "ffffff", "ffff4001"])("takes %s for no transport-wide sequence number", (digits) => {
  const packet = packetWith([{ id: IDS.transportCc, data: hex(digits) }])
  expect(readTransportSequenceNumber(packet, IDS.transportCc)).toBeUndefined()
})

test("finds the extensions that are passed on, under the names agreed", () => {
  const packet = packetWith([
    ...TEXTS,
    { id: IDS.videoOrientation, data: hex("03") },
    { id: IDS.absCaptureTime, data: hex("0102030405060708") },
  ])
  expect(readPassedExtensions(packet, IDS)).toEqual([
    { name: "absCaptureTime", value: hex("0102030405060708") },
    { name: "videoOrientation", value: hex("03") },
  ])
  expect(readPassedExtensions(packet, {})).toBeUndefined()
  expect(readPassedExtensions(packetWith(TEXTS), IDS)).toBeUndefined()
  expect(readPassedExtensions(packetWith([]), IDS)).toBeUndefined()
})

test("keeps values that do not depend on the packet's memory", () => {
  const packet = packetWith([{ id: IDS.videoOrientation, data: hex("03") }])
  const extensions = readPassedExtensions(packet, IDS)
  packet.bytes.fill(0)
  expect(extensions).toEqual([{ name: "videoOrientation", value: hex("03") }])
})

test("does not pass on what has no place in the one-byte form", () => {
  const extensions = [
    { id: IDS.absCaptureTime, data: new Uint8Array(17) },
    { id: IDS.videoOrientation, data: new Uint8Array(0) },
  ]
  expect(readPassedExtensions(packetWith(extensions), IDS)).toBeUndefined()
})

test.each([
  { nowUs: 0, value: 0 },
  { nowUs: 1_000_000, value: 1 << 18 },
  { nowUs: 1_500_000, value: (1 << 18) + (1 << 17) },
  { nowUs: 63_999_999, value: 0xffffff },
  { nowUs: 64_000_000, value: 0 },
  { nowUs: 1_795_000_017_250_000, value: 17 * 2 ** 18 + 65_536 },
])("writes $nowUs µs as abs-send-time $value", ({ nowUs, value }) => {
  expect(absSendTime(nowUs)).toBe(value)
})

test("abs-send-time is exact to 4 µs and fits into 24 bits at any time", () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (nowUs) => {
      const value = absSendTime(nowUs)
      expect(value).toBeLessThan(2 ** 24)
      const errorUs = (nowUs % 64_000_000) - (value * 1_000_000) / 2 ** 18
      expect(errorUs).toBeGreaterThanOrEqual(0)
      expect(errorUs).toBeLessThan(4)
    }),
  )
})
