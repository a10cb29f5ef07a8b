import { expect, test } from "vitest"
import { type AccessRule, completeRules, requirementFor } from "../../src/access/rules.ts"

const NOTHING = { publishTokens: [], playTokens: [], rules: [], callbacks: {} }
const RULES: AccessRule[] = [
  { stream: "live/cam1", publish: { tokens: ["key-of-cam1"] }, play: "nobody" },
  { stream: "live/*", publish: { jwt: true }, play: "anyone" },
]

test("the first rule that names a stream decides", () => {
  expect(requirementFor(RULES, "publish", "live/cam1")).toEqual({ tokens: ["key-of-cam1"] })
  expect(requirementFor(RULES, "play", "live/cam1")).toBe("nobody")
  expect(requirementFor(RULES, "publish", "live/cam2")).toEqual({ jwt: true })
})

test("a stream that no rule names is nobody's", () => {
  expect(requirementFor(RULES, "play", "studio/cam1")).toBe("nobody")
})

test.each([
  { name: "nothing is configured", access: {}, publish: "anyone", play: "anyone" },
  {
    name: "there are publish tokens",
    access: { publishTokens: ["stream-key"] },
    publish: { tokens: ["stream-key"] },
    play: "anyone",
  },
  { name: "there is a key for JWT", access: { jwt: {} }, publish: { jwt: true }, play: { jwt: true } },
  {
    name: "there is a callback",
    access: { callbacks: { onPublish: "http://h" } },
    publish: { callback: true },
    play: "anyone",
  },
  { name: "there are rules for others", access: { rules: RULES }, publish: "nobody", play: "nobody" },
  {
    name: "there are rules for others, and tokens",
    access: { rules: RULES, playTokens: ["viewer-key"] },
    publish: "nobody",
    play: { tokens: ["viewer-key"] },
  },
])("where $name, a stream without a rule needs that", ({ access, publish, play }) => {
  const rules = completeRules({ ...NOTHING, ...access })
  expect(requirementFor(rules, "publish", "studio/cam1")).toEqual(publish)
  expect(requirementFor(rules, "play", "studio/cam1")).toEqual(play)
})
