import { describe, expect, test } from "vitest"
import type { AmfValue } from "../../src/rtmp/amf-value.ts"
import {
  isEnhanced,
  listsFourCc,
  NO_CAPABILITIES,
  ownCapabilities,
  parseCapabilities,
} from "../../src/rtmp/peer-capabilities.ts"

describe("what a peer says", () => {
  test.each<{ name: string; properties: AmfValue; expected: object }>([
    { name: "nothing", properties: { app: "live" }, expected: NO_CAPABILITIES },
    { name: "no object", properties: null, expected: NO_CAPABILITIES },
    {
      name: "a list, which is of both kinds",
      properties: { fourCcList: ["av01", "Opus", 7] },
      expected: { ...NO_CAPABILITIES, video: new Set(["av01", "Opus"]), audio: new Set(["av01", "Opus"]) },
    },
    {
      name: "maps, of which those to decode and to forward count",
      properties: {
        fourCcList: ["avc1"],
        videoFourCcInfoMap: new Map<string, AmfValue>([
          ["av01", 1],
          ["hvc1", 2],
          ["vp09", 6],
          ["vp08", "1"],
        ]),
        audioFourCcInfoMap: { "*": 4 },
      },
      expected: { ...NO_CAPABILITIES, video: new Set(["av01", "vp09"]), audio: new Set(["*"]) },
    },
    {
      name: "flags",
      properties: { capsEx: 0x0d },
      expected: { ...NO_CAPABILITIES, canReconnect: true, canModEx: true, canNanosecondOffsets: true },
    },
    {
      name: "values of other types",
      properties: { fourCcList: "avc1", videoFourCcInfoMap: 1, capsEx: "1" },
      expected: NO_CAPABILITIES,
    },
  ])("reads $name", ({ properties, expected }) => {
    expect(parseCapabilities(properties)).toEqual(expected)
  })

  test("a list has a codec by its name or by a star, and without a list nothing is known", () => {
    expect(listsFourCc(new Set(["Opus"]), "Opus")).toBe(true)
    expect(listsFourCc(new Set(["*"]), "Opus")).toBe(true)
    expect(listsFourCc(new Set(["mp4a"]), "Opus")).toBe(false)
    expect(listsFourCc(undefined, "Opus")).toBeUndefined()
  })
})

test("what this gateway says is what it reads itself", () => {
  const own = ownCapabilities()
  expect(isEnhanced(own)).toBe(true)
  expect(isEnhanced({ app: "live" })).toBe(false)
  const { video, audio, canReconnect, canModEx } = parseCapabilities(own)
  expect([canReconnect, canModEx]).toEqual([true, true])
  expect(listsFourCc(video, "hvc1")).toBe(true)
  expect(listsFourCc(audio, "hvc1")).toBe(false)
  expect(listsFourCc(audio, "Opus")).toBe(true)
})
