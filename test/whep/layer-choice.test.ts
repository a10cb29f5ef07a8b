import { describe, expect, test } from "vitest"
import { type ChoosableLayer, LayerChoice } from "../../src/whep/layer-choice.ts"

const HIGH = { rid: "h", bitrateBps: 2_500_000, widthPx: 1280, heightPx: 720 }
const MIDDLE = { rid: "m", bitrateBps: 700_000, widthPx: 640, heightPx: 360 }
const LOW = { rid: "l", bitrateBps: 200_000, widthPx: 320, heightPx: 180 }
const ALL: ChoosableLayer[] = [HIGH, MIDDLE, LOW]

const choice = (startBitrateBps = 5_000_000) => new LayerChoice({ startBitrateBps })

describe("the first layer", () => {
  test("is the best one that fits what a link is taken to carry", () => {
    expect(choice(5_000_000).choose(ALL, undefined, 0)).toBe("h")
    expect(choice(1_000_000).choose(ALL, undefined, 0)).toBe("m")
  })
  test("is the smallest where none fits, and none where there is none", () => {
    expect(choice(1).choose(ALL, undefined, 0)).toBe("l")
    expect(choice().choose([], undefined, 0)).toBeUndefined()
  })
  test("is chosen by the estimate where there is one", () => {
    expect(choice().choose(ALL, 800_000, 0)).toBe("m")
  })
})

describe("while it goes on", () => {
  test("goes down to what fits when the estimate stays below, not before the last change has settled", () => {
    const layers = choice()
    layers.choose(ALL, undefined, 0)
    expect(layers.choose(ALL, 300_000, 1_000)).toBe("h")
    expect(layers.choose(ALL, 300_000, 3_000)).toBe("h")
    expect(layers.choose(ALL, 3_000_000, 4_000)).toBe("h")
    expect(layers.choose(ALL, 300_000, 5_000)).toBe("h")
    expect(layers.choose(ALL, 300_000, 6_000)).toBe("l")
  })
  test("goes up when there is room", () => {
    const layers = choice(1_000_000)
    layers.choose(ALL, undefined, 0)
    expect(layers.choose(ALL, 4_000_000, 3_000)).toBe("h")
  })
  test("tries the next better layer after ten calm seconds, and waits twice as long after a failure", () => {
    const layers = choice(1_000_000)
    layers.choose(ALL, undefined, 0)
    expect(layers.choose(ALL, 1_000_000, 9_000)).toBe("m")
    expect(layers.choose(ALL, 1_000_000, 10_000)).toBe("h")
    expect(layers.choose(ALL, 1_000_000, 12_000)).toBe("h")
    expect(layers.choose(ALL, 1_000_000, 13_000)).toBe("m")
    expect(layers.choose(ALL, 1_000_000, 24_000)).toBe("m")
    expect(layers.choose(ALL, 1_000_000, 33_000)).toBe("h")
  })
  test("a layer that ends is replaced at once", () => {
    const layers = choice()
    layers.choose(ALL, undefined, 0)
    expect(layers.choose([MIDDLE, LOW], undefined, 100)).toBe("m")
  })
})

describe("what the viewer asks for", () => {
  test("a layer by name stays, whatever the estimate", () => {
    const layers = choice()
    layers.constrain({ rid: "h" })
    layers.choose(ALL, undefined, 0)
    expect(layers.choose(ALL, 10_000, 5_000)).toBe("h")
  })
  test("a size keeps to it, and leaves the smallest where none does", () => {
    const layers = choice()
    layers.constrain({ maxWidthPx: 640 })
    expect(layers.choose(ALL, undefined, 0)).toBe("m")
    layers.constrain({ maxHeightPx: 10 })
    expect(layers.choose(ALL, undefined, 0)).toBe("l")
  })
  test("nothing gives the choice back", () => {
    const layers = choice()
    layers.constrain({ rid: "l" })
    layers.choose(ALL, undefined, 0)
    layers.constrain({})
    expect(layers.choose(ALL, undefined, 10)).toBe("h")
  })
})
