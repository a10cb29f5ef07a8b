import { expect, test } from "vitest"
import type { OfferedCodec } from "../../src/sdp/codec.ts"
import { offeredParameterSets } from "../../src/sdp/parameter-sets.ts"
import { hex } from "../support/bytes.ts"

const codec = (parameters: Record<string, string>) =>
  ({ parameters: new Map(Object.entries(parameters)) }) as unknown as OfferedCodec

test("the sets of H.264 are parted by commas", () => {
  const sets = offeredParameterSets(codec({ "sprop-parameter-sets": "Z0LAH9oBQBboQAAAAwBAAAAPA8YMqA==,aM4PyA==" }))
  expect(sets).toEqual([hex("6742c01fda014016e84000000300400000 0f03c60ca8"), hex("68ce0fc8")])
})

test("those of H.265 have a parameter each", () => {
  const sets = offeredParameterSets(codec({ "sprop-pps": "RAE=", "sprop-vps": "QAE=", "sprop-sps": "QgE=" }))
  expect(sets).toEqual([hex("4001"), hex("4201"), hex("4401")])
})

test("what is no base64, empty or far too long is left out", () => {
  const long = "A".repeat(4_096)
  expect(offeredParameterSets(codec({ "sprop-parameter-sets": `!!,,${long},aM4PyA==` }))).toEqual([hex("68ce0fc8")])
  expect(offeredParameterSets(codec({}))).toEqual([])
})
