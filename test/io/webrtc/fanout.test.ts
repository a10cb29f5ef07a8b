import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { PacketFanout, ViewerId, ViewerTrack } from "../../../src/io/webrtc/fanout.ts"
import type { UdpPort } from "../../../src/io/webrtc/udp-port.ts"
import { batch, IMPLEMENTATIONS, PROFILES, payloadOf, Viewer } from "./fanout-support.ts"

const MID = { id: 3, value: "v0" }

describe.each(IMPLEMENTATIONS.flatMap((one) => PROFILES.map((profile) => ({ ...one, profile }))))(
  "the $name fan-out with $profile",
  ({ openPort, create, profile }) => {
    let port: UdpPort
    let fanout: PacketFanout
    let viewers: Viewer[] = []

    beforeAll(async () => {
      port = await openPort()
    })

    afterAll(() => port.close())

    beforeEach(async () => {
      fanout = create(port)
      viewers = await Promise.all([Viewer.open(profile, 1), Viewer.open(profile, 50)])
    })

    afterEach(() => {
      fanout.close()
      for (const { socket } of viewers) socket.close()
    })

    function add(viewer: Viewer, track: Partial<ViewerTrack> = {}): ViewerId {
      const video = { trackId: "video", ssrc: 0xfedcba98, payloadType: 96, ...track }
      return fanout.addViewer({ remote: viewer.remote, keys: viewer.keys, tracks: [video] })
    }

    function join(id: ViewerId, sequenceOffset: number, sourceId = "lane"): void {
      fanout.joinTrack(id, "video", { sourceId, sequenceOffset })
    }

    test("sends each viewer the packets under its own numbers and keys", async () => {
      const [first, second] = viewers as [Viewer, Viewer]
      join(add(first), 10)
      join(add(second, { ssrc: 7, payloadType: 127, timestampOffset: 0xfffffff0 }), 0)
      const sent = batch(65_534, 3)
      fanout.send("lane", sent)
      const facts = { ssrc: 0xfedcba98, payloadType: 96, timestamp: 3000, extension: "" }
      expect(await first.packets(3)).toEqual([
        { ...facts, marker: false, sequenceNumber: 8, payload: payloadOf(sent, 0) },
        { ...facts, marker: false, sequenceNumber: 9, payload: payloadOf(sent, 1) },
        { ...facts, marker: true, sequenceNumber: 10, payload: payloadOf(sent, 2) },
      ])
      const others = { ssrc: 7, payloadType: 127, timestamp: 2984 }
      expect(await second.packets(3)).toMatchObject(
        [65_534, 65_535, 0].map((sequenceNumber) => ({ ...others, sequenceNumber })),
      )
    })

    test("sends nothing before the viewer joins, after it leaves, for another track, or once it is removed", async () => {
      const [viewer, witness] = viewers as [Viewer, Viewer]
      const id = add(viewer)
      join(add(witness), 0)
      fanout.send("lane", batch(1))
      join(id, 0)
      fanout.send("audio", batch(2))
      fanout.send("lane", batch(3))
      fanout.leaveTrack(id, "video")
      fanout.send("lane", batch(4))
      join(id, 0)
      fanout.send("lane", batch(5))
      fanout.removeViewer(id)
      fanout.removeViewer(id)
      fanout.send("lane", batch(6))
      await witness.received(5)
      expect((await viewer.packets(2)).map(({ sequenceNumber }) => sequenceNumber)).toEqual([3, 5])
      expect(viewer.raw).toHaveLength(0)
      expect(fanout.stats(id, "video")).toBeUndefined()
    })

    test("puts the mid into the first hundred packets", async () => {
      const [viewer] = viewers as [Viewer]
      join(add(viewer, { extensions: { mid: MID } }), 0)
      fanout.send("lane", batch(20, 102))
      const packets = await viewer.packets(102)
      expect(packets[0]?.extension).toBe("bede000131763000")
      expect(packets.map(({ extension }) => extension !== "").lastIndexOf(true)).toBe(99)
    })

    test("replays cached packets with other times and numbers before the live ones", async () => {
      const [viewer] = viewers as [Viewer]
      const id = add(viewer, { timestampOffset: 5 })
      fanout.sendTo(id, "video", batch(100, 2, 1000), { sequenceOffset: -50, timestamp: 2990 })
      join(id, -50)
      fanout.send("lane", batch(102, 1, 3000))
      const packets = await viewer.packets(3)
      expect(packets.map(({ sequenceNumber, timestamp }) => [sequenceNumber, timestamp])).toEqual([
        [50, 2995],
        [51, 2995],
        [52, 3005],
      ])
    })

    test("resends under the RTX numbers with the original sequence number in front", async () => {
      const [viewer] = viewers as [Viewer]
      const id = add(viewer, { rtx: { ssrc: 99, payloadType: 97 } })
      fanout.sendTo(id, "video", batch(8, 1, 1000), { sequenceOffset: 500, timestamp: 2990 })
      join(id, 500)
      const live = batch(9, 2)
      fanout.send("lane", live)
      await viewer.packets(3)
      expect(fanout.resend(id, "video", [508, 510, 511])).toBe(2)
      const rtx = { ssrc: 99, payloadType: 97 }
      expect(await viewer.packets(2)).toMatchObject([
        { ...rtx, sequenceNumber: 0, timestamp: 2990, payload: `01fc${payloadOf(batch(8), 0)}` },
        { ...rtx, sequenceNumber: 1, timestamp: 3000, marker: true, payload: `01fe${payloadOf(live, 1)}` },
      ])
      expect(fanout.stats(id, "video")).toMatchObject({ packetCount: 3, resentCount: 2 })
    })

    test("resends without RTX what is the same to the bit, across a wrap and after the extensions ended", async () => {
      const [viewer] = viewers as [Viewer]
      const id = add(viewer, { extensions: { mid: MID } })
      join(id, 0)
      fanout.send("lane", batch(65_500, 200))
      const before = [...(await viewer.received(200))]
      expect(fanout.resend(id, "video", [65_510, 65_535, 5, 150])).toBe(4)
      const after = (await viewer.received(204)).slice(200)
      expect(after).toEqual([10, 35, 41, 186].map((index) => before[index]))
    })

    test("never answers for a number with another packet, when a viewer begins again with another offset", async () => {
      const [viewer] = viewers as [Viewer]
      const id = add(viewer, { rtx: { ssrc: 99, payloadType: 97 } })
      join(add(viewers[1] as Viewer), 0)
      join(id, 100)
      fanout.send("lane", batch(0, 10))
      fanout.leaveTrack(id, "video")
      fanout.sendTo(id, "video", batch(5, 5), { sequenceOffset: 105 })
      join(id, 105)
      fanout.send("lane", batch(10))
      await viewer.packets(16)
      expect(fanout.resend(id, "video", [107, 110, 115, 116])).toBe(3)
      expect(await viewer.packets(3)).toMatchObject([
        { payload: `006b${payloadOf(batch(0, 10), 7)}` },
        { payload: `006e${payloadOf(batch(5), 0)}` },
        { payload: `0073${payloadOf(batch(10), 0)}` },
      ])
    })

    test("forgets packets that were sent long ago", async () => {
      const [viewer] = viewers as [Viewer]
      const id = add(viewer)
      fanout.sendTo(id, "video", batch(0, 1), { sequenceOffset: 0 })
      join(id, 0)
      for (let n = 1; n < 2100; n += 100) {
        fanout.send("lane", batch(n, 100))
        await viewer.received(n + 100)
      }
      expect(fanout.resend(id, "video", [0, 1, 52, 2100])).toBe(1)
    })

    test("leaves out a packet that no network takes, and sends the rest", async () => {
      const [viewer] = viewers as [Viewer]
      const id = add(viewer)
      join(id, 0)
      const [packet] = batch(1).packets
      const long = { sequenceNumber: 2, marker: false, payload: new Uint8Array(5000) }
      fanout.send("lane", { ...batch(1), packets: [packet as NonNullable<typeof packet>, long] })
      fanout.send("lane", batch(3))
      expect((await viewer.packets(2)).map(({ sequenceNumber }) => sequenceNumber)).toEqual([1, 3])
    })

    test("counts what a sender report says", async () => {
      const [viewer] = viewers as [Viewer]
      const id = add(viewer, { timestampOffset: 1 })
      expect(fanout.stats(id, "video")).toMatchObject({ packetCount: 0, octetCount: 0, ptsUs: undefined })
      join(id, 0)
      fanout.send("lane", batch(4, 2, 0xffffffff))
      expect(fanout.stats(id, "video")).toEqual({
        leftOutCount: 0,
        isWaitingForKeyframe: false,
        packetCount: 2,
        octetCount: 1200 + 1200,
        resentCount: 0,
        rtpTimestamp: 0,
        ptsUs: 77_000,
        nextSequenceNumber: 6,
        latestTimestamp: 0xffffffff,
      })
    })

    test("follows a viewer that moves", async () => {
      const [viewer, elsewhere] = viewers as [Viewer, Viewer]
      join(add(viewer), 0)
      viewer.remote.moveTo(elsewhere.remote)
      fanout.send("lane", batch(1))
      await elsewhere.received(1)
      expect(viewer.raw).toHaveLength(0)
    })

    test("ignores viewers and tracks that it does not know", () => {
      const id = add(viewers[0] as Viewer)
      fanout.joinTrack(id, "audio", { sourceId: "lane" })
      join(999, 0)
      fanout.sendTo(999, "video", batch(1), { sequenceOffset: 0 })
      expect(fanout.resend(999, "video", [1])).toBe(0)
      expect(fanout.stats(id, "audio")).toBeUndefined()
    })

    test.each([0, 15])("refuses the header extension id %i, which the one-byte form does not have", (id) => {
      expect(() => add(viewers[0] as Viewer, { extensions: { mid: { id, value: "v" } } })).toThrow(RangeError)
    })
  },
)
