import { expect, test } from "vitest"
import { packetizeH265 } from "../../src/rtp/h265-packetizer.ts"
import { hex, toHex } from "../support/bytes.ts"

test("neighbours that fit share an aggregation packet with the lowest layer and temporal id", () => {
  const payloads = packetizeH265([hex("4001aa"), hex("420abb"), hex("4403cc")])
  expect(payloads.map(toHex)).toEqual(["60010003 4001aa 0003 420abb 0003 4403cc".replaceAll(" ", "")])
})

test("a NAL unit alone is its own payload; what is too short for a header is left out", () => {
  const nalUnit = hex("2601af")
  expect(packetizeH265([new Uint8Array(), hex("26"), nalUnit])[0]).toBe(nalUnit)
})

test("a NAL unit above the bound becomes fragments of equal size with its header in each", () => {
  const nalUnit = hex("2602 000102030405060708090a0b0c0d0e0f10111213")
  const payloads = packetizeH265([hex("4001"), nalUnit, hex("4e01")], { maxPayloadBytes: 16 })
  expect(payloads.map(toHex)).toEqual([
    "4001",
    "620293000102030405060708 09".replace(" ", ""),
    "6202530a0b0c0d0e0f10111213",
    "4e01",
  ])
})
