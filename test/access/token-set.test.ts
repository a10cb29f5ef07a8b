import fc from "fast-check"
import { expect, test } from "vitest"
import { SecretHasher, TokenSet } from "../../src/access/token-set.ts"

const hasher = new SecretHasher(new Uint8Array(16))

test("a set has its tokens and nothing else, whatever they are made of", async () => {
  const text = fc.string({ unit: "binary", minLength: 1, maxLength: 40 })
  const holds = async (tokens: string[], other: string) => {
    const set = new TokenSet(tokens, hasher)
    for (const token of tokens) expect(await set.has(token)).toBe(true)
    expect(await set.has(other)).toBe(tokens.includes(other))
  }
  await fc.assert(fc.asyncProperty(fc.array(text, { maxLength: 5 }), text, holds), { numRuns: 50 })
})

test("an empty set has not even the empty token", async () => {
  expect(await new TokenSet([], hasher).has("")).toBe(false)
})

test("an identity cannot be told from outside, as every process has another salt", async () => {
  const other = new SecretHasher(new Uint8Array(16).fill(1))
  expect(await other.identity("secret")).not.toBe(await hasher.identity("secret"))
})
