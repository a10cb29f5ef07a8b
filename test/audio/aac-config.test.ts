import { expect, test } from "vitest"
import { opusToAacConfig } from "../../src/audio/aac-config.ts"
import { hex } from "../support/bytes.ts"

test("the AAC made from Opus is AAC-LC at 48 kHz", () => {
  expect(opusToAacConfig(1)).toEqual(hex("11 88"))
  expect(opusToAacConfig(2)).toEqual(hex("11 90"))
})
