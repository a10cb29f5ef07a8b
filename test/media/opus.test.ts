import { expect, test } from "vitest"
import { parseOpusToc } from "../../src/media/opus.ts"
import { hex } from "../support/bytes.ts"
import { gatewayErrorCode } from "../support/errors.ts"

test.each([
  { name: "SILK, 10 ms, mono", packet: "00 11", channels: 1, frameDurationUs: 10_000, frameCount: 1 },
  { name: "SILK, 60 ms, two frames", packet: "19 11", channels: 1, frameDurationUs: 60_000, frameCount: 2 },
  { name: "hybrid, 20 ms, stereo", packet: "6c 11", channels: 2, frameDurationUs: 20_000, frameCount: 1 },
  {
    name: "CELT, 2.5 ms, two frames of their own size",
    packet: "e2 01 11",
    channels: 1,
    frameDurationUs: 2_500,
    frameCount: 2,
  },
  {
    name: "CELT, 20 ms, stereo, as libwebrtc sends it",
    packet: "fc 11",
    channels: 2,
    frameDurationUs: 20_000,
    frameCount: 1,
  },
  { name: "CELT, 20 ms, six frames", packet: "ff 06 11", channels: 2, frameDurationUs: 20_000, frameCount: 6 },
])("reads $name", ({ packet, channels, frameDurationUs, frameCount }) => {
  const durationUs = frameDurationUs * frameCount
  expect(parseOpusToc(hex(packet))).toEqual({ channels, frameDurationUs, frameCount, durationUs })
})

test.each([
  { name: "an empty packet", packet: "" },
  { name: "no frame count", packet: "ff" },
  { name: "no frames", packet: "ff 40" },
  { name: "more than 120 ms", packet: "ff 07" },
])("refuses $name", ({ packet }) => {
  expect(gatewayErrorCode(() => parseOpusToc(hex(packet)))).toBe("media.opus")
})
