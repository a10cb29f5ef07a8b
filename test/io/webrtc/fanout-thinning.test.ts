import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { PacketFanout, ViewerId } from "../../../src/io/webrtc/fanout.ts"
import type { UdpPort } from "../../../src/io/webrtc/udp-port.ts"
import type { RtpBatch } from "../../../src/media/packet.ts"
import { batch, IMPLEMENTATIONS, type Received, Viewer } from "./fanout-support.ts"

const RTX = { ssrc: 99, payloadType: 97 }

/** A picture of some packets: a keyframe, one that nothing refers to, or another. */
function picture(kind: "K" | "D" | "P", first: number, count = 2): RtpBatch {
  const isDisposable = kind === "D" && { isDisposable: true as const }
  return { ...batch(first, count, (first & 0xffff) * 100), startsKeyframe: kind === "K", ...isDisposable }
}

/** Packets of a batch that arrive by themselves, as those of a WHIP publisher do. */
function apart(source: RtpBatch): RtpBatch[] {
  return source.packets.map((packet, i) => ({
    ...source,
    startsKeyframe: source.startsKeyframe && i === 0,
    packets: [packet],
  }))
}

describe.each(IMPLEMENTATIONS)("the $name fan-out leaves out", ({ openPort, create }) => {
  let port: UdpPort
  let fanout: PacketFanout
  let viewer: Viewer
  let id: ViewerId

  beforeAll(async () => {
    port = await openPort()
  })

  afterAll(() => port.close())

  beforeEach(async () => {
    fanout = create(port)
    viewer = await Viewer.open("AEAD_AES_128_GCM", 1)
    const tracks = [{ trackId: "video", ssrc: 5, payloadType: 96, rtx: RTX }]
    id = fanout.addViewer({ remote: viewer.remote, keys: viewer.keys, tracks })
    fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 1000 })
  })

  afterEach(() => {
    fanout.close()
    viewer.socket.close()
  })

  function send(...batches: RtpBatch[]): void {
    for (const one of batches) fanout.send("lane", one)
  }

  const thin = (level: Parameters<PacketFanout["setThinning"]>[2]) => fanout.setThinning(id, "video", level)
  const stats = () => fanout.stats(id, "video")
  /** The viewer's number and the lane's timestamp of what was sent. */
  const brief = (packets: Received[]) => packets.map(({ sequenceNumber, timestamp }) => [sequenceNumber, timestamp])

  test("disposable pictures, with numbers that run on and timestamps as they are", async () => {
    thin("disposable")
    send(picture("P", 0), picture("D", 2), picture("P", 4), picture("D", 6, 3), picture("K", 9))
    thin("none")
    send(picture("D", 11))
    expect(brief(await viewer.packets(8))).toEqual([
      [1000, 0],
      [1001, 0],
      [1002, 400],
      [1003, 400],
      [1004, 900],
      [1005, 900],
      [1006, 1100],
      [1007, 1100],
    ])
    expect(stats()).toMatchObject({ leftOutCount: 2, packetCount: 8, nextSequenceNumber: 1008, latestTimestamp: 1100 })
  })

  test("nothing of a picture that has begun, and all of one whose first packet was left out", async () => {
    const [first, last] = apart(picture("D", 0)) as [RtpBatch, RtpBatch]
    send(first)
    thin("disposable")
    send(last)
    const [head, tail] = apart(picture("D", 2)) as [RtpBatch, RtpBatch]
    send(head)
    thin("none")
    send(tail, picture("P", 4, 1))
    expect(brief(await viewer.packets(3))).toEqual([
      [1000, 0],
      [1001, 0],
      [1002, 400],
    ])
  })

  test("all up to the next keyframe, of which it sends every packet", async () => {
    send(picture("P", 0))
    thin("untilKeyframe")
    expect(stats()?.isWaitingForKeyframe).toBe(true)
    send(picture("P", 2), picture("D", 4), ...apart(picture("K", 6, 3)))
    expect(stats()?.isWaitingForKeyframe).toBe(false)
    send(picture("D", 9))
    const sent = await viewer.packets(7)
    expect(sent.map(({ timestamp }) => timestamp)).toEqual([0, 0, 600, 600, 600, 900, 900])
    expect(sent.map(({ sequenceNumber }) => sequenceNumber - 1000)).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  test("all but keyframes, and comes back with a keyframe, whatever it is told", async () => {
    thin("keyframes")
    send(picture("K", 0), picture("P", 2), picture("P", 4), picture("K", 6))
    thin("none")
    send(picture("P", 8))
    thin("keyframes")
    send(picture("P", 10))
    thin("none")
    send(picture("P", 12), picture("D", 14), picture("K", 16), picture("D", 18))
    expect((await viewer.packets(10)).map(({ timestamp }) => timestamp / 100)).toEqual([
      0, 0, 6, 6, 8, 8, 16, 16, 18, 18,
    ])
    expect(stats()).toMatchObject({ leftOutCount: 5, isWaitingForKeyframe: false })
  })

  test("what it goes on with from the cache or another source, once only", async () => {
    thin("untilKeyframe")
    fanout.leaveTrack(id, "video")
    expect(stats()?.isWaitingForKeyframe).toBe(false)
    fanout.sendTo(id, "video", picture("P", 0), { sequenceOffset: 1000 })
    fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 1000 })
    thin("disposable")
    send(picture("D", 2), picture("P", 4))
    fanout.joinTrack(id, "video", { sourceId: "other" })
    fanout.send("other", picture("P", 500))
    fanout.send("other", picture("D", 502))
    fanout.send("other", picture("P", 504))
    expect(brief(await viewer.packets(8)).map(([number]) => number)).toEqual([
      1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007,
    ])
  })

  test("no number for packets that come late, which are sent where they were missing", async () => {
    thin("disposable")
    const [d2, d3, d4] = apart(picture("D", 2, 3)) as [RtpBatch, RtpBatch, RtpBatch]
    const [p5, p6, p7] = apart(picture("P", 5, 3)) as [RtpBatch, RtpBatch, RtpBatch]
    send(picture("P", 0), d2, d4, p5, p7, picture("D", 8), d3, p6, picture("P", 10))
    expect(brief(await viewer.packets(7))).toEqual([
      [1000, 0],
      [1001, 0],
      [1002, 500],
      [1004, 500],
      [1003, 500],
      [1005, 1000],
      [1006, 1000],
    ])
  })

  test("nothing that a viewer asks for again, by the numbers that it knows, also across wraps", async () => {
    fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 0 })
    thin("disposable")
    const expected: string[] = []
    for (let i = 0; i < 100; i++) {
      const kind = i % 3 === 1 ? "D" : "P"
      const one = picture(kind, 65_400 + 2 * i)
      send({
        ...one,
        packets: one.packets.map((packet, j) => ({ ...packet, sequenceNumber: (65_400 + 2 * i + j) & 0xffff })),
      })
    }
    const count = 2 * 67
    const sent = await viewer.packets(count)
    expect(sent.map(({ sequenceNumber }) => sequenceNumber)).toEqual(
      Array.from({ length: count }, (_, i) => (65_400 + i) & 0xffff),
    )
    const numbers = sent.map(({ sequenceNumber }) => sequenceNumber)
    expect(fanout.resend(id, "video", [...numbers, 65_399, (65_400 + count) & 0xffff])).toBe(count)
    for (const { sequenceNumber, payload } of sent) {
      expected.push(sequenceNumber.toString(16).padStart(4, "0") + payload)
    }
    expect((await viewer.packets(count)).map(({ payload }) => payload)).toEqual(expected)
  })

  test("what is asked for from before 128 gaps, rather than send another packet in its place", async () => {
    thin("disposable")
    for (let i = 0; i < 200; i++) send(picture("P", 2 * i, 1), picture("D", 2 * i + 1, 1))
    const sent = await viewer.packets(200)
    const again = fanout.resend(
      id,
      "video",
      sent.map(({ sequenceNumber }) => sequenceNumber),
    )
    expect(again).toBeGreaterThan(100)
    const resent = (await viewer.packets(again)).map(({ payload }) => payload)
    expect(resent).toEqual(
      sent.slice(-again).map(({ sequenceNumber, payload }) => sequenceNumber.toString(16).padStart(4, "0") + payload),
    )
  })

  test("nothing of an unknown viewer or track", () => {
    expect(() => {
      fanout.setThinning(id, "sound", "keyframes")
      fanout.setThinning(id + 1, "video", "keyframes")
    }).not.toThrow()
  })
})
