import { expect, test } from "vitest"
import { TestGateway, useFakeClock } from "./support-gateway.ts"
import { type Rid, SimulcastSource } from "./support-simulcast.ts"
import { expectContinuous, TestViewer } from "./support-webrtc.ts"

useFakeClock()

const FPS = 25
/** About 60 and 960 kbit/s. */
const SIZES = { q: { slices: 1, sliceBytes: 300 }, f: {} }
const MAX_STEP_TICKS = 90_000 / 10

/** Plays some seconds of both layers, with a viewer that reports its link once a second; returns the layers of the last second. */
function play(source: SimulcastSource, viewer: TestViewer, seconds: number, linkBps?: number): Set<Rid> {
  let layers = new Set<Rid>()
  for (let second = 0; second < seconds; second++) {
    const before = viewer.frames.length
    source.play(["q", "f"], FPS)
    if (linkBps !== undefined) viewer.sendRemb(linkBps)
    layers = new Set(viewer.frames.slice(before).map(({ units }) => (units.length === 1 ? "q" : "f")))
  }
  return layers
}

function start() {
  const gateway = new TestGateway()
  const source = new SimulcastSource(gateway, SIZES)
  source.play(["q", "f"], 2 * FPS)
  return { gateway, source, viewer: new TestViewer(gateway) }
}

/** No number twice, none left out, and no gap in time at a change of layers. */
function expectNoFreeze(gateway: TestGateway, viewer: TestViewer): void {
  expectContinuous(gateway, viewer)
  const timestamps = viewer.videoInOrder.map(({ timestamp }) => timestamp)
  const steps = timestamps.slice(1).map((timestamp, i) => (timestamp - (timestamps[i] ?? 0)) | 0)
  expect(Math.max(...steps)).toBeLessThan(MAX_STEP_TICKS)
}

test("a viewer begins with the best layer, goes down when its link narrows, and up again when it widens", () => {
  const { gateway, source, viewer } = start()
  expect(play(source, viewer, 3)).toEqual(new Set(["f"]))
  expect(play(source, viewer, 8, 300_000)).toEqual(new Set(["q"]))
  expect(play(source, viewer, 30, 3_000_000)).toEqual(new Set(["f"]))
  expectNoFreeze(gateway, viewer)
})

test("a viewer that asks for a layer gets it, whatever its link reports, until it leaves the choice to the gateway", () => {
  const { gateway, source, viewer } = start()
  play(source, viewer, 1)
  viewer.selectLayer({ rid: "q" })
  expect(play(source, viewer, 3, 5_000_000)).toEqual(new Set(["q"]))
  viewer.selectLayer({})
  expect(play(source, viewer, 3, 5_000_000)).toEqual(new Set(["f"]))
  expectNoFreeze(gateway, viewer)
})

test("a viewer with losses on both sides of a change still gets every packet", () => {
  const gateway = new TestGateway()
  const source = new SimulcastSource(gateway, SIZES)
  source.play(["q", "f"], 2 * FPS)
  const viewer = new TestViewer(gateway, { seed: 3, lossRate: 0.05 })
  for (const rid of ["q", "f", "q", "f"] as const) {
    viewer.selectLayer({ rid })
    expect(play(source, viewer, 3)).toEqual(new Set([rid]))
  }
  viewer.isLossy = false
  play(source, viewer, 2)
  expectContinuous(gateway, viewer)
})
