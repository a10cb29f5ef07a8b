import { describe, expect, test } from "vitest"
import { FlvToFrames } from "../../src/bridge/flv-to-frames.ts"
import { concat } from "../../src/media/bytes.ts"
import type { VideoFrame } from "../../src/media/frame.ts"
import { toHex } from "../support/bytes.ts"
import { advance, OPUS_MARK, TestGateway, useFakeClock } from "./support-gateway.ts"
import { RECORDING, RtmpSource, recordedMedia } from "./support-rtmp.ts"
import { expectIntact, TestViewer } from "./support-webrtc.ts"

useFakeClock()

const MEDIA = recordedMedia()
const TURN_MS = 840
/** Pictures that a decoder holds back for the recording's B-frames; the keyframe fills it. */
const REORDER_DEPTH = 2

/** What was published, by an adapter of its own. */
const PUBLISHED = frames(MEDIA.filter(({ type }) => type === "video"))

function frames(media: typeof MEDIA): VideoFrame[] {
  const adapter = new FlvToFrames(0)
  return media.flatMap(({ timestampMs, payload }) => adapter.pushVideo(timestampMs, payload, 0) ?? [])
}

const contentOf = ({ units }: VideoFrame) => units.map(toHex).join(" ")
const CONTENTS = PUBLISHED.map(contentOf)
const ALL = PUBLISHED.map((_, i) => i)

/** Which pictures of the recording arrived, -1 for one that is like none of them. */
const indexes = (list: readonly VideoFrame[]) => list.map((frame) => CONTENTS.indexOf(contentOf(frame)))

/** The recording once more, message by message, at the time that each of them has. */
function playTurn(source: RtmpSource, turn: number): void {
  let atMs = 0
  for (const message of MEDIA) {
    advance(Math.max(0, message.timestampMs - atMs))
    atMs = Math.max(atMs, message.timestampMs)
    source.media({ ...message, timestampMs: message.timestampMs + turn * TURN_MS })
  }
  advance(TURN_MS - atMs)
}

const NETWORKS = [
  { network: "a good network", lossRate: 0, jitterMs: 0, hasRtx: true },
  { network: "loss and reordering, answered by RTX", lossRate: 0.05, jitterMs: 12, hasRtx: true },
  { network: "loss and reordering, answered by the packets themselves", lossRate: 0.05, jitterMs: 12, hasRtx: false },
]

describe.each(NETWORKS)("with $network", (network) => {
  test("every frame of a recorded ffmpeg session arrives", () => {
    const gateway = new TestGateway()
    const source = new RtmpSource(gateway)
    const viewers: TestViewer[] = []
    const end = RECORDING.length - 1
    for (let at = 0; at < end; at += 435) {
      source.feed(RECORDING.subarray(at, Math.min(at + 435, end)))
      const isPublishing = gateway.registry.list().length > 0
      if (isPublishing && viewers.length === 0) {
        for (const port of [1, 2]) viewers.push(new TestViewer(gateway, { ...network, port, seed: port }))
      }
      // That the last packets are missing nobody could notice.
      if (at > end - 8_000) for (const viewer of viewers) viewer.isLossy = false
      advance(5)
    }
    advance(1_000)
    source.feed(RECORDING.subarray(end))
    for (const viewer of viewers) expect(viewer.endedBecause).toMatch(/ended/)
    for (const viewer of viewers) {
      expect(viewer.link.lostCount > 0).toBe(network.lossRate > 0)
      expectIntact(gateway, viewer)
      const arrived = indexes(viewer.frames)
      const keyframes = arrived.lastIndexOf(0) + 1
      expect(arrived.slice(keyframes - 1)).toEqual(ALL)
      // Nobody can know of a packet that was lost before the first one that arrived.
      expect(keyframes).toBeGreaterThanOrEqual(network.lossRate > 0 ? REORDER_DEPTH : REORDER_DEPTH + 1)
      expect(keyframes).toBeLessThanOrEqual(REORDER_DEPTH + 1)
    }
  })

  test("a viewer that joins in mid-GOP begins with the keyframe and misses nothing", () => {
    const gateway = new TestGateway()
    const source = RtmpSource.publishing(gateway)
    playTurn(source, 0)
    const first = new TestViewer(gateway, { ...network, port: 1 })
    advance(100)
    for (const message of MEDIA.slice(0, 20)) {
      source.media({ ...message, timestampMs: message.timestampMs + TURN_MS })
      advance(5)
    }
    const second = new TestViewer(gateway, { ...network, port: 2, seed: 7 })
    for (const message of MEDIA.slice(20)) {
      source.media({ ...message, timestampMs: message.timestampMs + TURN_MS })
      advance(15)
    }
    for (const viewer of [first, second]) viewer.isLossy = false
    playTurn(source, 2)
    for (const viewer of [first, second]) {
      expectIntact(gateway, viewer)
      const arrived = indexes(viewer.frames)
      expect(arrived[0]).toBe(0)
      const isPrime = (index: number, i: number) => index === 0 && arrived[i + 1] === 0
      const withoutPrimes = arrived.filter((index, i) => !isPrime(index, i))
      const turns = viewer === first ? 3 : 2
      expect(withoutPrimes).toEqual(Array.from({ length: turns }, () => ALL).flat())
    }
  })

  test("a viewer that lost its picture is restarted from the cache, the other one notices nothing", () => {
    const gateway = new TestGateway()
    const source = RtmpSource.publishing(gateway)
    const unlucky = new TestViewer(gateway, { ...network, port: 1 })
    const other = new TestViewer(gateway, { ...network, port: 2, seed: 3 })
    playTurn(source, 0)
    playTurn(source, 1)
    const half = MEDIA.length / 2
    for (const message of MEDIA.slice(0, half)) {
      source.media({ ...message, timestampMs: message.timestampMs + 2 * TURN_MS })
      advance(10)
    }
    const beforePli = unlucky.frames.length
    unlucky.sendPli()
    unlucky.sendPli()
    for (const message of MEDIA.slice(half)) {
      source.media({ ...message, timestampMs: message.timestampMs + 2 * TURN_MS })
      advance(10)
    }
    for (const viewer of [unlucky, other]) viewer.isLossy = false
    playTurn(source, 3)
    for (const viewer of [unlucky, other]) expectIntact(gateway, viewer)
    const again = indexes(unlucky.frames.slice(beforePli - 3))
    const restart = again.indexOf(0)
    const keyframe = again.lastIndexOf(0, again.indexOf(1, restart))
    expect(keyframe - restart).toBe(REORDER_DEPTH)
    expect(again.slice(keyframe)).toEqual([...ALL, ...ALL])
    const first = indexes(other.frames)
    expect(first.slice(first.indexOf(1) - 1)).toEqual([ALL, ALL, ALL, ALL].flat())
  })

  test("another gateway that could do with a keyframe gets no picture twice: the publisher cannot make one", () => {
    const gateway = new TestGateway()
    const source = RtmpSource.publishing(gateway)
    const edge = new TestViewer(gateway, network)
    for (let turn = 0; turn < 3; turn++) {
      playTurn(source, turn)
      edge.sendFir()
    }
    edge.isLossy = false
    playTurn(source, 3)
    const seen = indexes(edge.frames)
    expect(seen.slice(seen.indexOf(1) - 1)).toEqual([ALL, ALL, ALL, ALL].flat())
  })
})

test("sound goes out as the transcoder made it, in the order of its time", () => {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  const viewer = new TestViewer(gateway)
  playTurn(source, 0)
  playTurn(source, 1)
  const sent = MEDIA.filter(({ type, payload }) => type === "audio" && payload[1] === 1)
  const expected = sent.map(({ payload }) => toHex(concat([OPUS_MARK, payload.subarray(2)])))
  expect(viewer.audio.map(({ payload }) => toHex(payload))).toEqual([...expected, ...expected])
  const steps = viewer.audio.slice(1).map(({ timestamp }, i) => (timestamp - (viewer.audio[i]?.timestamp ?? 0)) | 0)
  expect(Math.min(...steps)).toBeGreaterThan(0)
  expect(gateway.bugs).toEqual([])
})
