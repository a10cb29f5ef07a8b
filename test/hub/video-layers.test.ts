import { expect, test } from "vitest"
import { VideoLayers } from "../../src/hub/video-layers.ts"
import type { RtpBatch } from "../../src/media/packet.ts"
import { unwrapU16 } from "../../src/media/time.ts"

const SIZES = { q: [320, 180], h: [640, 360], f: [1_280, 720] } as const
type Rid = keyof typeof SIZES
const PICTURE_MS = 40

/** Layers, what became of them, and an encoder that makes pictures of them. */
class Scene {
  readonly emitted: RtpBatch[] = []
  readonly requests: { readonly rid: string; readonly atMs: number }[] = []
  changes = 0
  nowMs = 0
  readonly layers = new VideoLayers({
    setup: { cacheMaxBytes: 40_000, cacheMaxMs: 10_000 },
    emit: (batch) => this.emitted.push(batch),
    requestKeyframe: (rid, atMs) => this.requests.push({ rid, atMs }),
    onChange: () => this.changes++,
  })
  readonly #numbers: Record<string, number> = {}

  picture(rid: string, { isKeyframe = false, bytes = 100, size = true } = {}): RtpBatch {
    const sequenceNumber = this.#numbers[rid] ?? 0
    this.#numbers[rid] = (sequenceNumber + 1) & 0xffff
    const [widthPx, heightPx] = SIZES[rid as Rid] ?? [1, 1]
    return {
      kind: "video",
      timestamp: this.nowMs * 90,
      ptsUs: this.nowMs * 1000,
      startsKeyframe: isKeyframe,
      ...(isKeyframe && size && { widthPx, heightPx }),
      packets: [{ sequenceNumber, marker: true, payload: new Uint8Array(bytes).fill(rid.charCodeAt(0)) }],
    }
  }

  send(rid: string, options: Parameters<Scene["picture"]>[1] = {}): void {
    this.layers.push(rid, this.picture(rid, options), this.nowMs)
  }

  /** Pictures of some layers for a time; `bytes` of each. */
  play(rids: readonly string[], durationMs: number, bytes: Record<string, number> = {}): void {
    for (const endMs = this.nowMs + durationMs; this.nowMs < endMs; this.nowMs += PICTURE_MS) {
      for (const rid of rids) this.send(rid, { bytes: bytes[rid] ?? 100 })
    }
  }

  get rids(): string[] {
    return this.layers.list.map(({ rid }) => rid)
  }

  /** The layers that the emitted packets are of, without repetitions. */
  get carried(): string {
    return this.emitted
      .map(({ packets }) => String.fromCharCode(packets[0]?.payload[0] ?? 0))
      .join("")
      .replace(/(.)\1+/g, "$1")
  }
}

test("layers are in the order of their sizes, whatever came first, and the best one is carried from its keyframe on", () => {
  const scene = new Scene()
  for (const rid of ["q", "f", "h"]) scene.send(rid, { isKeyframe: true })
  scene.play(["q", "h", "f"], 400)
  expect(scene.rids).toEqual(["f", "h", "q"])
  expect(scene.carried).toBe("qf")
  expect(scene.layers.best(scene.nowMs)).toMatchObject({ rid: "f", widthPx: 1_280, heightPx: 720 })
  expect(scene.layers.list[0]?.bitrateBps(scene.nowMs)).toBeGreaterThan(0)
})

test("nothing is carried before a keyframe", () => {
  const scene = new Scene()
  scene.play(["q"], 400)
  expect(scene.emitted).toEqual([])
  expect(scene.requests.map(({ rid }) => rid)).toContain("q")
})

test("a source that pauses for a second keeps its layers", () => {
  const scene = new Scene()
  for (const rid of ["q", "f"]) scene.send(rid, { isKeyframe: true })
  scene.play(["q", "f"], 400)
  scene.requests.length = 0
  scene.nowMs += 1_000
  scene.layers.check(scene.nowMs)
  expect(scene.layers.list.map((layer) => layer.isActive(scene.nowMs))).toEqual([true, true])
  scene.play(["q", "f"], 400)
  expect([scene.requests, scene.carried.endsWith("f")]).toEqual([[], true])
})

test("when the best layer falls silent the next one is asked for a keyframe, and taken with it", () => {
  const scene = new Scene()
  for (const rid of ["q", "h", "f"]) scene.send(rid, { isKeyframe: true })
  scene.play(["q", "h", "f"], 400)
  const silentSinceMs = scene.nowMs - PICTURE_MS
  scene.requests.length = 0
  const changesBefore = scene.changes
  scene.play(["q", "h"], 2_000)
  expect(scene.carried.endsWith("f")).toBe(true)
  expect(scene.requests[0]?.rid).toBe("h")
  expect((scene.requests[0]?.atMs ?? 0) - silentSinceMs).toBeGreaterThanOrEqual(400)
  expect((scene.requests[0]?.atMs ?? 0) - silentSinceMs).toBeLessThan(750)
  expect(scene.changes).toBe(changesBefore + 1)
  expect(scene.layers.list.map((layer) => layer.isActive(scene.nowMs))).toEqual([false, true, true])

  scene.send("h", { isKeyframe: true })
  scene.play(["q", "h"], 400)
  expect(scene.carried.endsWith("fh")).toBe(true)
  scene.send("f", { isKeyframe: true })
  scene.play(["q", "h", "f"], 400)
  expect(scene.carried.endsWith("fhf")).toBe(true)
  expectRunningOn(scene.emitted)
})

test("where no size is known the bitrate tells, and small differences change nothing", () => {
  const scene = new Scene()
  for (const rid of ["a", "b"]) scene.send(rid, { isKeyframe: true, size: false })
  scene.play(["a", "b"], 3_000, { a: 100, b: 110 })
  expect(scene.rids).toEqual(["a", "b"])
  scene.play(["a", "b"], 3_000, { a: 100, b: 300 })
  expect(scene.rids).toEqual(["b", "a"])
  expect(scene.requests.at(-1)?.rid).toBe("b")
  scene.send("b", { isKeyframe: true, size: false })
  expect(scene.carried).toBe("ab")
})

test("packets that overtook their keyframe go behind it", () => {
  const scene = new Scene()
  for (const rid of ["q", "f"]) scene.send(rid, { isKeyframe: true })
  scene.play(["q"], 2_000)
  const keyframe = scene.picture("q", { isKeyframe: true })
  const overtaking = scene.picture("q")
  const count = scene.emitted.length
  scene.layers.push("q", overtaking, scene.nowMs)
  scene.layers.push("q", keyframe, scene.nowMs)
  expect(scene.carried).toBe("qfq")
  expect(scene.emitted).toHaveLength(count + 2)
  expectRunningOn(scene.emitted)
})

test("each layer's cache has a part of the whole", () => {
  const scene = new Scene()
  for (const rid of ["q", "h", "f", "x"]) scene.send(rid, { isKeyframe: true })
  const bytes = scene.layers.list.map(() => 0)
  for (let i = 0; i < 200; i++) {
    scene.play(["q", "h", "f", "x"], PICTURE_MS, { f: 1_000 })
    for (const [at, { lane }] of scene.layers.list.entries()) {
      const now = lane.cached.reduce((sum, { packets }) => sum + (packets[0]?.payload.length ?? 0), 0)
      bytes[at] = Math.max(now, bytes[at] ?? 0)
    }
  }
  expect(Math.max(...bytes)).toBeGreaterThan(9_000)
  expect(Math.max(...bytes)).toBeLessThanOrEqual(10_000)
})

test("another publisher's layers of the same names go on in the same lanes, with nothing known of them yet", () => {
  const scene = new Scene()
  for (const rid of ["q", "h"]) scene.send(rid, { isKeyframe: true })
  const lane = scene.layers.lane("q")
  scene.layers.restart(scene.emitted.at(-1))
  expect(scene.rids).toEqual([])
  expect(scene.layers.best(scene.nowMs)).toBeUndefined()
  expect(scene.layers.lane("q")).toBe(lane)
  expect(lane.cached).toEqual([])
  expect(lane.last).toBeDefined()
  scene.nowMs += 1_000
  scene.play(["q"], 400)
  expect(scene.rids).toEqual(["q"])
  expect(scene.layers.list[0]?.widthPx).toBeUndefined()
  const count = scene.emitted.length
  scene.send("q", { isKeyframe: true })
  expect(scene.emitted).toHaveLength(count + 1)
  expectRunningOn(scene.emitted)
})

test("of more layers than are agreed on, the first ones are taken", () => {
  const scene = new Scene()
  for (const rid of ["a", "b", "c", "d", "e"]) scene.send(rid, { isKeyframe: true })
  expect(scene.rids.sort()).toEqual(["a", "b", "c", "d"])
  expect(scene.layers.lane("e").last).toBeUndefined()
})

test("lanes of names that nobody watches or sends make room for new ones", () => {
  const scene = new Scene()
  scene.send("sent", { isKeyframe: true })
  const sent = scene.layers.lane("sent")
  const unwatched = scene.layers.lane("unwatched")
  const watched = scene.layers.lane("watched")
  watched.subscribe(() => undefined, { replay: false })
  for (let i = 0; i < 14; i++) scene.layers.lane(`name ${i}`)
  expect(scene.layers.lane("sent")).toBe(sent)
  expect(scene.layers.lane("watched")).toBe(watched)
  expect(scene.layers.lane("unwatched")).not.toBe(unwatched)
})

/** Numbers without a gap in the order of emission, and times that rise. */
function expectRunningOn(batches: readonly RtpBatch[]): void {
  for (const [i, { packets, timestamp, ptsUs }] of batches.slice(1).entries()) {
    const before = batches[i] as RtpBatch
    const number = before.packets[0]?.sequenceNumber ?? 0
    expect(unwrapU16(packets[0]?.sequenceNumber ?? 0, number) - number).toBe(1)
    expect((timestamp - before.timestamp) | 0).toBeGreaterThanOrEqual(0)
    expect(ptsUs).toBeGreaterThanOrEqual(before.ptsUs)
  }
}
