import { expect, test } from "vitest"
import { SPS_320, SPS_640 } from "../rtp/h264-stream.ts"
import { toHex } from "../support/bytes.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { RtmpSink } from "./support-rtmp.ts"
import { SimulcastSource } from "./support-simulcast.ts"

useFakeClock()

test.each([false, true])(
  "readers get the best layer, whole pictures through each change (out of order: %s)",
  (swap) => {
    const gateway = new TestGateway()
    const source = new SimulcastSource(gateway)
    const sink = new RtmpSink(gateway)
    source.play(["q", "f"], 1)
    const both = source.play(["q", "f"], 20, { swap })
    const small = source.play(["q"], 60, { swap })
    expect(gateway.stream.layers.map((layer) => layer.isActive(gateway.nowMs()))).toEqual([false, true])
    source.requested.add("f")
    const again = source.play(["q", "f"], 20, { swap })
    advance(1_000)

    const seen = sink.pictures.map(({ units }) => units.map(toHex).join(" "))
    expect(seen.filter((one) => both.f.includes(one))).toEqual(both.f)
    expect(seen.slice(-20)).toEqual(again.f)
    const smallSeen = seen.filter((one) => small.q.includes(one))
    expect(smallSeen).toEqual(small.q.slice(-smallSeen.length))
    // The silence of a layer is noticed after 1.5 to 1.75 s, and the keyframe is there with the next picture.
    expect(smallSeen.length).toBeGreaterThan(14)
    const sizes = sink.seen.flatMap((message) => (message.type === "videoConfig" ? message.sps.map(toHex) : []))
    expect(sizes.slice(-3)).toEqual([SPS_640, SPS_320, SPS_640].map(toHex))
    const steps = sink.pictures.slice(1).map(({ timestampMs }, i) => timestampMs - (sink.pictures[i]?.timestampMs ?? 0))
    expect(Math.min(...steps)).toBeGreaterThan(0)
    expect(Math.max(...steps)).toBeLessThan(1_800)
    expect(gateway.bugs).toEqual([])
  },
)
