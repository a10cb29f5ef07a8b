import { expect, test } from "vitest"
import { toHex } from "../support/bytes.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { picture } from "./support-pictures.ts"
import { RtmpSink, RtmpSource, rtmpSlice } from "./support-rtmp.ts"
import { expectIntact, TestViewer, WhipSource } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40

/** Publishes in real time, timestamps from 0, and returns the pictures' slices. */
function publish(source: RtmpSource, firstId: number, count: number): string[] {
  source.headers()
  return Array.from({ length: count }, (_, i) => {
    source.picture(i * FRAME_MS, firstId + i, i === 0)
    source.sound(i * FRAME_MS, firstId + i)
    advance(FRAME_MS)
    return toHex(rtmpSlice(firstId + i, i === 0))
  })
}

/** The same by WHIP, without sound. */
function publishWhip(source: WhipSource, firstId: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const { units, payloads } = picture(firstId + i, { isKeyframe: i === 0 })
    source.send(...source.packets("video", (firstId + i) * FRAME_MS * 90, payloads))
    advance(FRAME_MS)
    return units.map(toHex).join(" ")
  })
}

const contents = (sink: RtmpSink) => sink.pictures.map(({ units }) => units.map(toHex).join(" "))

test("a publisher that was lost returns within the time: readers stay, and see where it was away", () => {
  const gateway = new TestGateway()
  const first = RtmpSource.publishing(gateway)
  const sink = new RtmpSink(gateway)
  const published = publish(first, 0, 20)
  first.lose()
  advance(3_000)
  gateway.registry.sweep(gateway.nowMs())
  expect(() => new RtmpSink(gateway)).toThrow(/try again/)
  const second = RtmpSource.publishing(gateway)
  published.push(...publish(second, 100, 20))
  first.picture(800, 77, true)
  expect(contents(sink)).toEqual(published)
  const steps = sink.pictures.slice(1).map(({ timestampMs }, i) => timestampMs - (sink.pictures[i]?.timestampMs ?? 0))
  expect(Math.min(...steps)).toBeGreaterThan(0)
  expect(Math.max(...steps)).toBeGreaterThanOrEqual(3_000)
  expect(sink.endedBecause).toBeUndefined()
  expect(gateway.bugs).toEqual([])

  second.stop()
  expect(sink.endedBecause).toBe("ended by the publisher")
  expect(gateway.registry.list()).toEqual([])
})

test("a viewer stays through the return of a WHIP publisher, also where it asked for pictures meanwhile", () => {
  const gateway = new TestGateway()
  const viewer = (() => {
    const first = new WhipSource(gateway)
    publishWhip(first, 0, 1)
    const watching = new TestViewer(gateway)
    publishWhip(first, 1, 20)
    first.publisher.onClosed({ type: "silent", idleMs: 10_000 })
    return watching
  })()
  for (let i = 0; i < 3; i++) {
    advance(1_200)
    viewer.sendPli()
  }
  const second = new WhipSource(gateway, { ssrc: 0x200, firstSequenceNumber: 7 })
  const published = publishWhip(second, 100, 20)
  advance(1_000)
  expect(viewer.endedBecause).toBeUndefined()
  expect(viewer.frames.slice(-20).map(({ units }) => units.map(toHex).join(" "))).toEqual(published)
  expectIntact(gateway, viewer)

  second.publisher.onClosed({ type: "closedByPeer" })
  expect(viewer.endedBecause).toBeDefined()
  expect(gateway.registry.list()).toEqual([])
})

test("a publisher that does not return ends its stream when the time is over", () => {
  const gateway = new TestGateway({ graceMs: 2_000 })
  const source = RtmpSource.publishing(gateway)
  const sink = new RtmpSink(gateway)
  publish(source, 0, 5)
  source.lose()
  advance(1_999)
  gateway.registry.sweep(gateway.nowMs())
  expect(sink.endedBecause).toBeUndefined()
  advance(1)
  gateway.registry.sweep(gateway.nowMs())
  expect(sink.endedBecause).toBe("the publisher did not return")
})

test("where the time is 0 a lost publisher's stream ends at once", () => {
  const gateway = new TestGateway({ graceMs: 0 })
  const source = RtmpSource.publishing(gateway)
  const sink = new RtmpSink(gateway)
  source.lose()
  expect(sink.endedBecause).toBe("gone")
})
