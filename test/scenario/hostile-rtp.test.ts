import { expect, test } from "vitest"
import { GatewayError } from "../../src/errors.ts"
import { type RtpPacketFields, serializeRtpPacket } from "../../src/rtp/packet.ts"
import { seededRandom } from "../rtp/h264-stream.ts"
import { toHex } from "../support/bytes.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { picture } from "./support-pictures.ts"
import { RtmpSink } from "./support-rtmp.ts"
import { TestViewer, WhipSource } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40
const VIDEO_SSRC = 0x100

/** Packets of a publisher that has the keys and lies. */
function createLiar(seed: number) {
  const random = seededRandom(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const noise = (length: number) => Uint8Array.from({ length }, () => below(256))
  let sequenceNumber = below(65_536)
  const packet = (fields: Partial<RtpPacketFields> = {}) => {
    sequenceNumber = (sequenceNumber + 1) & 0xffff
    const payload = noise(1 + below(60))
    const header = { payloadType: 96, marker: random() < 0.3, sequenceNumber, timestamp: 90 * sequenceNumber, payload }
    return serializeRtpPacket({ ssrc: VIDEO_SSRC, ...header, ...fields })
  }
  /** Sets one byte of a packet. */
  const forged = (bytes: Uint8Array, at: number, value: number) => {
    bytes[at % bytes.length] = value
    return bytes
  }
  const extension = { id: 1 + below(14), data: noise(1 + below(16)) }
  const kinds: readonly (() => Uint8Array)[] = [
    () => packet(),
    () => packet({ payload: new Uint8Array(0) }),
    () => packet({ payload: noise(1_801 + below(6_000)) }),
    () => packet({ extensions: [extension] }),
    // The extension's length, an element's length, its profile.
    () => forged(packet({ extensions: [extension] }), 14, below(256)),
    () => forged(packet({ extensions: [extension] }), 16, 0xff),
    () => forged(packet({ extensions: [extension] }), 12, 0x10),
    () => packet({ extensions: [{ id: 200, data: noise(255) }] }),
    // More padding than there is, padding alone, none where some is announced.
    () => forged(packet({ paddingBytes: 4 }), packet({ paddingBytes: 4 }).length - 1, 200),
    () => packet({ payload: new Uint8Array(0), paddingBytes: 200 }),
    () => forged(packet({ payload: new Uint8Array(3) }), 0, 0xa0),
    () => forged(packet(), 0, 0x8f),
    () => packet({ ssrc: below(2 ** 32) }),
    () => packet({ ssrc: VIDEO_SSRC + below(40) }),
    () => packet({ payloadType: below(128) }),
    () => packet({ payloadType: 97, payload: noise(below(3)) }),
    () => packet({ payloadType: 97, payload: noise(40) }),
    () => packet({ payloadType: 111, payload: noise(below(40)) }),
    () => packet({ sequenceNumber: below(65_536) }),
    () => packet({ sequenceNumber: (sequenceNumber + 200) & 0xffff }),
    () => packet({ timestamp: below(2 ** 32) }),
    // Fragments without end, parameter sets without sense, aggregates that lie.
    () => packet({ payload: Uint8Array.of(0x7c, 0x85, ...noise(900)), marker: false, timestamp: 1 }),
    () => packet({ payload: Uint8Array.of(0x67, ...noise(below(60))) }),
    () => packet({ payload: Uint8Array.of(0x78, 0xff, 0xff, ...noise(20)) }),
    () => noise(below(40)),
  ]
  return { nextRtp: () => (kinds[below(kinds.length)] as () => Uint8Array)(), noise, below }
}

test.each([1, 2, 3])(
  "packets that lie are dropped and counted, and cost neither memory nor a flood (seed %i)",
  (seed) => {
    const gateway = new TestGateway({ cacheMaxBytes: 200_000 })
    const source = new WhipSource(gateway)
    const liar = createLiar(seed)
    const viewer = new TestViewer(gateway)
    const sink = new RtmpSink(gateway)
    let refused = 0
    const dare = (attack: () => void) => {
      try {
        attack()
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error
        refused++
      }
    }
    const { publisher } = source
    const packets = 6_000
    for (let i = 0; i < packets; i++) {
      dare(() => publisher.onRtp(liar.nextRtp()))
      if (i % 10 === 0) dare(() => publisher.onRtcp(Uint8Array.of(0x81, 200 + liar.below(8), 0, 6, ...liar.noise(24))))
      if (i % 3 === 0) advance(1)
    }
    expect(gateway.bugs).toEqual([])
    expect(refused).toBeGreaterThan(packets / 50)
    expect(publisher.describe(gateway.nowMs()).droppedPackets).toBeGreaterThan(packets / 20)
    const { videoPackets } = gateway.stream.lanes
    const cachedBytes = videoPackets.cached.reduce(
      (sum, batch) => sum + batch.packets.reduce((bytes, { payload }) => bytes + payload.length, 0),
      0,
    )
    expect(cachedBytes).toBeLessThanOrEqual(200_000)
    const asked = source.feedback.filter(({ type }) => type === "pli" || type === "nack")
    expect(asked.length).toBeLessThan(packets / 10)

    // An encoder that restarts says something sensible under another SSRC, and all is well at once.
    advance(3_000)
    const honest = new WhipSource(gateway, { ssrc: 0x900 })
    const made = Array.from({ length: 30 }, (_, id) => picture(id, { isKeyframe: id === 0 }))
    for (const [id, { payloads }] of made.entries()) {
      honest.send(...honest.packets("video", id * FRAME_MS * 90, payloads))
      advance(FRAME_MS)
    }
    const seen = sink.pictures.map(({ units }) => units.map(toHex).join(" "))
    const sent = made.map(({ units }) => units.map(toHex).join(" "))
    expect(seen.slice(-20)).toEqual(sent.slice(-20))
    expect(viewer.frames.length).toBeGreaterThanOrEqual(20)
    expect(viewer.reusedNumbers).toEqual([])
    expect(gateway.bugs).toEqual([])
  },
)
