import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { PacketFanout, ViewerId, ViewerTrack } from "../../../src/io/webrtc/fanout.ts"
import type { UdpPort } from "../../../src/io/webrtc/udp-port.ts"
import type { PassedExtension } from "../../../src/media/header-extension.ts"
import type { RtpBatch } from "../../../src/media/packet.ts"
import { batch, IMPLEMENTATIONS, PROFILES, payloadOf, Viewer } from "./fanout-support.ts"

const RTX = { ssrc: 99, payloadType: 97 }

/** The same batch with header extensions on each packet. */
function withExtensions(source: RtpBatch, ...extensions: PassedExtension[]): RtpBatch {
  return { ...source, packets: source.packets.map((packet) => ({ ...packet, extensions })) }
}

describe.each(IMPLEMENTATIONS.flatMap((one) => PROFILES.map((profile) => ({ ...one, profile }))))(
  "the $name fan-out with $profile",
  ({ openPort, create, profile }) => {
    let port: UdpPort
    let fanout: PacketFanout
    let viewer: Viewer
    let nowUs = 0

    beforeAll(async () => {
      port = await openPort()
    })

    afterAll(() => port.close())

    beforeEach(async () => {
      nowUs = 1_000_000
      fanout = create(port, () => nowUs)
      viewer = await Viewer.open(profile, 1)
    })

    afterEach(() => {
      fanout.close()
      viewer.socket.close()
    })

    function add(track: Partial<ViewerTrack> = {}, ...more: ViewerTrack[]): ViewerId {
      const video = { trackId: "video", ssrc: 0xfedcba98, payloadType: 96, ...track }
      return fanout.addViewer({ remote: viewer.remote, keys: viewer.keys, tracks: [video, ...more] })
    }

    describe("moves a track to another source", () => {
      test("whose packets run on in numbers and timestamps", async () => {
        const id = add({ timestampOffset: 7 })
        fanout.joinTrack(id, "video", { sourceId: "high", sequenceOffset: 10 })
        fanout.send("high", batch(0, 2, 3000))
        fanout.joinTrack(id, "video", { sourceId: "low", sequenceOffset: 12 - 500, timestampShift: 6000 - 90_000 })
        fanout.send("high", batch(2, 2, 6000))
        fanout.send("low", batch(500, 2, 90_000))
        const sent = await viewer.packets(4)
        expect(sent.map(({ sequenceNumber, timestamp }) => [sequenceNumber, timestamp])).toEqual([
          [10, 3007],
          [11, 3007],
          [12, 6007],
          [13, 6007],
        ])
        expect(sent[2]?.payload).toBe(payloadOf(batch(500), 0))
        expect(fanout.stats(id, "video")).toMatchObject({
          packetCount: 4,
          octetCount: 4 * 1200,
          rtpTimestamp: 6007,
          latestTimestamp: 6000,
          nextSequenceNumber: 14,
        })
      })

      test("with numbers that run on by themselves, from the first one on", async () => {
        const id = add({ firstSequenceNumber: 65_535 })
        expect(fanout.stats(id, "video")).toMatchObject({ nextSequenceNumber: 65_535, latestTimestamp: undefined })
        fanout.joinTrack(id, "video", { sourceId: "high" })
        fanout.send("high", batch(20, 2))
        fanout.joinTrack(id, "video", { sourceId: "low" })
        fanout.send("low", batch(7_000, 2))
        const numbers = (await viewer.packets(4)).map(({ sequenceNumber }) => sequenceNumber)
        expect(numbers).toEqual([65_535, 0, 1, 2])
      })

      test("without what came late and would have a number of the former source", async () => {
        const id = add()
        fanout.joinTrack(id, "video", { sourceId: "high", sequenceOffset: 0 })
        for (const number of [100, 102]) fanout.send("high", batch(number))
        fanout.joinTrack(id, "video", { sourceId: "low", sequenceOffset: 0 })
        for (const number of [104, 101, 102, 99, 103]) fanout.send("low", batch(number))
        const sent = await viewer.packets(4)
        expect(sent.map(({ sequenceNumber }) => sequenceNumber)).toEqual([100, 102, 104, 103])
      })

      test("and sends the last packets of both again, each under its own number", async () => {
        const id = add({ rtx: RTX })
        const again = async (...numbers: number[]) => {
          const count = fanout.resend(id, "video", numbers)
          return (await viewer.packets(count)).map(({ payload, timestamp }) => [payload, timestamp])
        }
        fanout.joinTrack(id, "video", { sourceId: "high", sequenceOffset: 0, timestampShift: 5 })
        fanout.send("high", batch(100, 1, 20))
        fanout.leaveTrack(id, "video")
        fanout.sendTo(id, "video", batch(501, 1, 30), { sequenceOffset: -400, timestamp: 40 })
        await viewer.packets(2)
        const [high, replayed] = [
          [`0064${payloadOf(batch(100), 0)}`, 25],
          [`0065${payloadOf(batch(501), 0)}`, 40],
        ]
        expect(await again(99, 100, 101, 102)).toEqual([high, replayed])
        fanout.joinTrack(id, "video", { sourceId: "low", sequenceOffset: -400, timestampShift: 7 })
        fanout.send("low", batch(502, 1, 50))
        await viewer.packets(1)
        expect(await again(100, 101, 102)).toEqual([high, replayed, [`0066${payloadOf(batch(502), 0)}`, 57]])
      })

      test("with cached packets of it first, which end what the track followed", async () => {
        const id = add()
        fanout.joinTrack(id, "video", { sourceId: "high", sequenceOffset: 0 })
        fanout.send("high", batch(100))
        fanout.sendTo(id, "video", batch(301), { sequenceOffset: -200 })
        fanout.send("high", batch(102))
        fanout.joinTrack(id, "video", { sourceId: "low", sequenceOffset: -200 })
        fanout.send("low", batch(302))
        expect((await viewer.packets(3)).map(({ payload }) => payload)).toEqual(
          [100, 301, 302].map((number) => payloadOf(batch(number), 0)),
        )
      })

      test("which other viewers stay with", async () => {
        const others = await Viewer.open(profile, 60)
        const video = { trackId: "v", ssrc: 5, payloadType: 96 }
        const other = fanout.addViewer({ remote: others.remote, keys: others.keys, tracks: [video] })
        const id = add()
        for (const [one, track] of [[id, "video"] as const, [other, "v"] as const]) {
          fanout.joinTrack(one, track, { sourceId: "high" })
        }
        fanout.send("high", batch(1))
        fanout.joinTrack(id, "video", { sourceId: "low" })
        fanout.send("high", batch(2))
        fanout.send("low", batch(300))
        expect((await others.packets(2)).map(({ sequenceNumber }) => sequenceNumber)).toEqual([0, 1])
        expect((await viewer.packets(2)).map(({ payload }) => payload)).toEqual([
          payloadOf(batch(1), 0),
          payloadOf(batch(300), 0),
        ])
        others.socket.close()
      })
    })

    test("sends the first of two packets to which a source gave one number, also when it is asked for again", async () => {
      const id = add({ rtx: RTX })
      fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 0 })
      const false5 = { ...batch(5), packets: batch(6).packets.map((packet) => ({ ...packet, sequenceNumber: 5 })) }
      fanout.send("lane", batch(5))
      fanout.send("lane", false5)
      fanout.resend(id, "video", [5])
      fanout.send("lane", batch(6))
      const sent = await viewer.packets(3)
      expect(sent.map(({ payload }) => payload)).toEqual([
        payloadOf(batch(5), 0),
        `0005${payloadOf(batch(5), 0)}`,
        payloadOf(batch(6), 0),
      ])
    })

    describe("writes header extensions", () => {
      test("with the time of sending and one count over all tracks, also of packets sent again", async () => {
        const extensions = { absSendTime: 2, transportCc: 14 }
        const audio = { trackId: "audio", ssrc: 8, payloadType: 111, rtx: { ssrc: 9, payloadType: 112 }, extensions }
        const id = add({ rtx: RTX, extensions }, audio)
        fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 0 })
        fanout.joinTrack(id, "audio", { sourceId: "sound", sequenceOffset: 0 })
        fanout.send("lane", batch(1, 2))
        nowUs = 64_500_000 // which is half a second, in 24 bits
        fanout.send("sound", batch(1))
        nowUs = 2_000_000
        fanout.resend(id, "video", [1])
        fanout.sendTo(id, "video", batch(3), { sequenceOffset: 0 })
        expect((await viewer.packets(5)).map(({ extension }) => extension)).toEqual([
          "bede000222040000e1000000",
          "bede000222040000e1000100",
          "bede000222020000e1000200",
          "bede000222080000e1000300",
          "bede000222080000e1000400",
        ])
      })

      test("with a count of what came from the cache alone, and tells how far that is", async () => {
        const extensions = { transportCc: 14, isTransportCcForSendTo: true }
        const audio = { trackId: "audio", ssrc: 8, payloadType: 111 }
        const id = add({ rtx: RTX, extensions }, audio)
        expect(fanout.sendTo(id, "video", batch(1, 2), { sequenceOffset: 0 })).toBe(2)
        expect(fanout.sendTo(id, "audio", batch(1), { sequenceOffset: 0 })).toBe(2)
        fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 0 })
        fanout.send("lane", batch(3))
        fanout.resend(id, "video", [1])
        expect(fanout.sendTo(id, "video", batch(4), { sequenceOffset: 0 })).toBe(3)
        expect(fanout.sendTo(id + 1, "video", batch(5), { sequenceOffset: 0 })).toBe(0)
        expect((await viewer.packets(6)).map(({ extension }) => extension)).toEqual([
          "bede0001e1000000",
          "bede0001e1000100",
          "",
          "",
          "",
          "bede0001e1000200",
        ])
      })

      test("that tell of the sending only where packets are not sent again as they were", async () => {
        const passed = { playoutDelay: 6 }
        const id = add({ extensions: { mid: { id: 1, value: "0" }, absSendTime: 2, transportCc: 3, passed } })
        fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 0 })
        fanout.send("lane", withExtensions(batch(1), { name: "playoutDelay", value: Uint8Array.of(1, 2, 3) }))
        nowUs += 1_000_000
        fanout.resend(id, "video", [1])
        const [first, again] = await viewer.received(2)
        expect(again).toEqual(first)
        expect((await viewer.packets(1))[0]?.extension).toBe("bede00021030000062010203")
      })

      test("that came with a packet under the viewer's ids, and again with RTX", async () => {
        const id = add({ rtx: RTX, extensions: { passed: { absCaptureTime: 3, videoOrientation: 9 } } })
        fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 0 })
        const time = { name: "absCaptureTime", value: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) } as const
        const orientation = { name: "videoOrientation", value: Uint8Array.of(0xfe) } as const
        const unwanted = { name: "playoutDelay", value: new Uint8Array(3) } as const
        fanout.send("lane", withExtensions(batch(1), unwanted, time, orientation))
        fanout.send("lane", batch(2))
        fanout.resend(id, "video", [1])
        const written = "bede0004370102030405060708000000".padEnd(32, "0")
        expect((await viewer.packets(3)).map(({ extension }) => extension)).toEqual([
          `${written}90fe0000`,
          "",
          `${written}90fe0000`,
        ])
      })

      test("in a bounded space, whatever a publisher sends", async () => {
        const passed = { absCaptureTime: 3, playoutDelay: 4 }
        const mid = { id: 1, value: "sixteen bytes :-" }
        const id = add({ rtx: RTX, extensions: { mid, absSendTime: 2, transportCc: 3, passed } })
        fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 0 })
        const name = "absCaptureTime" as const
        const many = Array.from({ length: 50 }, () => ({ name, value: new Uint8Array(16).fill(7) }))
        const packet = { sequenceNumber: 1, marker: true, payload: new Uint8Array(1800) }
        fanout.send("lane", withExtensions({ ...batch(1), packets: [packet] }, ...many))
        fanout.resend(id, "video", [1])
        const wrong = [0, 17].map((length) => ({ name, value: new Uint8Array(length) }))
        fanout.send("lane", withExtensions(batch(2), ...wrong))
        const [first, again, last] = await viewer.packets(3)
        expect(first?.extension.length).toBeLessThanOrEqual(200)
        expect(first?.payload).toHaveLength(3600)
        expect(again?.payload).toHaveLength(3604)
        expect(last?.extension).toHaveLength(2 * (4 + 4 + 4 + 20))
      })

      test("without a mid that the one-byte form has no room for", async () => {
        const id = add({ extensions: { mid: { id: 1, value: "longer than 16 bytes" } } })
        fanout.joinTrack(id, "video", { sourceId: "lane", sequenceOffset: 0 })
        fanout.send("lane", batch(1))
        expect((await viewer.packets(1))[0]?.extension).toBe("")
      })
    })
  },
)
