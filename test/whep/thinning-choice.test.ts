import { describe, expect, test } from "vitest"
import { type LinkState, ThinningChoice } from "../../src/whep/thinning-choice.ts"

const GOOD: LinkState = { estimateBps: 3_000_000, queueingMs: 10, streamBps: 1_000_000, disposableBps: 400_000 }
const NARROW = { ...GOOD, estimateBps: 700_000 }
const FULL = { ...GOOD, queueingMs: 800 }

/** Looks once a second; returns the levels. */
function levels(choice: ThinningChoice, links: readonly LinkState[], startS = 0): string[] {
  return links.map((link, i) => choice.choose(link, (startS + i) * 1000))
}

const many = (link: LinkState, count: number) => Array.from({ length: count }, () => link)

describe("a viewer without smaller layers", () => {
  test("gets everything on a good link, or on one of which nothing is known", () => {
    expect(new Set(levels(new ThinningChoice(), many(GOOD, 20)))).toEqual(new Set(["none"]))
    expect(new Set(levels(new ThinningChoice(), many({ ...GOOD, estimateBps: undefined }, 20)))).toEqual(
      new Set(["none"]),
    )
  })

  test("loses disposable pictures when the link is too narrow twice in a row", () => {
    expect(levels(new ThinningChoice(), [NARROW, GOOD, NARROW, NARROW])).toEqual(["none", "none", "none", "disposable"])
  })

  test("loses them at once when packets wait for long, and then all but keyframes", () => {
    expect(levels(new ThinningChoice(), [FULL, FULL, FULL])).toEqual(["disposable", "disposable", "keyframes"])
  })

  test("loses all but keyframes where nothing is disposable", () => {
    const link = { ...FULL, disposableBps: 10_000 }
    expect(levels(new ThinningChoice(), [link])).toEqual(["keyframes"])
  })

  test("gets more after two calm seconds, one level at a time", () => {
    const choice = new ThinningChoice()
    levels(choice, [FULL, FULL, FULL])
    expect(levels(choice, many(GOOD, 6), 3)).toEqual(["keyframes", "disposable", "disposable", "none", "none", "none"])
  })

  test("is not judged by what was measured while cached pictures were sent", () => {
    const choice = new ThinningChoice()
    choice.hold(0)
    expect(choice.choose(FULL, 1_000)).toBe("none")
    expect(choice.choose(FULL, 2_000)).toBe("disposable")
  })
})

test("tries on a link that stays narrow get rarer: no more than ten in ten minutes", () => {
  const choice = new ThinningChoice()
  let tries = 0
  let before = "none"
  for (let s = 0; s < 600; s++) {
    // As soon as all pictures are sent, packets wait.
    const level = choice.choose(before === "none" ? FULL : GOOD, s * 1000)
    if (level === "none" && before !== "none") tries++
    before = level
  }
  expect(tries).toBeGreaterThan(3)
  expect(tries).toBeLessThanOrEqual(14)
})
