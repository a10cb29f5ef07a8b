import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { RemoteAddress } from "../../src/io/webrtc/remote-address.ts"
import { WhipPublisher } from "../../src/io/webrtc/whip-publisher.ts"
import { serializeRtpPacket } from "../../src/rtp/packet.ts"
import { serializeRtcp } from "../../src/rtp/rtcp.ts"
import { answerPublish } from "../../src/sdp/answer.ts"
import { parseOffer } from "../../src/sdp/offer.ts"
import { SPS_320, SPS_640 } from "../rtp/h264-stream.ts"
import { advance, NAME, TestGateway, useFakeClock } from "./support-gateway.ts"
import { picture } from "./support-pictures.ts"
import { RtmpSink } from "./support-rtmp.ts"
import { EVERYBODY, fakePeer, TestViewer } from "./support-webrtc.ts"

useFakeClock()

const OFFER = readFileSync(new URL("../fixtures/sdp/obs-32-simulcast.sdp", import.meta.url), "utf8")
const LOCAL = {
  sessionId: "1",
  ufrag: "ufrag",
  pwd: "a".repeat(24),
  fingerprints: [{ algorithm: "sha-256" as const, value: Array(32).fill("AB").join(":") }],
  candidates: [{ protocol: "udp" as const, address: "192.0.2.1", port: 8000 }] as const,
}
const RID_EXTENSION_ID = 2
const BASE_SSRC = 1_000
const LAYERS = [
  { rid: "0", sps: SPS_640, mark: 0x1000 },
  { rid: "1", sps: SPS_320, mark: 0 },
]

/** OBS 32: SSRCs that its offer does not tell, a rid in every packet, and one reporter for all layers. */
class Obs {
  readonly publisher: WhipPublisher
  readonly #numbers = [60_000, 7]
  #pictures = 0

  constructor(gateway: TestGateway) {
    const { media } = answerPublish(parseOffer(OFFER), LOCAL, { codecs: ["h264"] })
    const peer = fakePeer(
      "obs",
      new RemoteAddress(),
      () => undefined,
      () => undefined,
    )
    const bounds = { maxBitrateBps: 1_000_000, keyframeIntervalMs: 1_000_000 }
    this.publisher = new WhipPublisher({
      ...gateway,
      ...bounds,
      peer,
      media,
      name: NAME,
      grant: EVERYBODY,
      protocol: "whip",
    })
    this.publisher.onConnected()
  }

  play(count: number): void {
    for (let i = 0; i < count; i++) {
      const id = this.#pictures++
      for (const [index, { rid, sps, mark }] of LAYERS.entries()) {
        const { payloads } = picture(id + mark, { isKeyframe: id % 25 === 0, sps })
        payloads.forEach((payload, at) => {
          const sequenceNumber = (this.#numbers[index] as number) & 0xffff
          this.#numbers[index] = sequenceNumber + 1
          const packet = {
            payloadType: 96,
            ssrc: BASE_SSRC + 1 + index,
            sequenceNumber,
            timestamp: id * 3_600,
            payload,
          }
          const extensions = [{ id: RID_EXTENSION_ID, data: new TextEncoder().encode(rid) }]
          this.publisher.onRtp(serializeRtpPacket({ ...packet, marker: at === payloads.length - 1, extensions }))
        })
      }
      if (id % 25 === 24) this.#report(id)
      advance(40)
    }
  }

  /** In the name of the second layer alone. */
  #report(id: number): void {
    const times = { ntpSeconds: 3_900_000_000 + id / 25, ntpFraction: 0, rtpTimestamp: id * 3_600 }
    const counts = { packetCount: 0, octetCount: 0, reports: [] }
    this.publisher.onRtcp(serializeRtcp([{ type: "sender_report", senderSsrc: BASE_SSRC + 2, ...times, ...counts }]))
  }
}

test("OBS 32's simulcast is told apart by rid, its layers in order, and readers and viewers get the best one", () => {
  const gateway = new TestGateway()
  const obs = new Obs(gateway)
  obs.play(5)
  const sink = new RtmpSink(gateway)
  const viewer = new TestViewer(gateway)
  obs.play(100)
  const layers = gateway.stream.layers.map(({ rid, widthPx }) => [rid, widthPx])
  expect(layers).toEqual([
    ["0", 640],
    ["1", 320],
  ])
  const isBest = ({ units }: { readonly units: readonly Uint8Array[] }) => units.every((unit) => unit[2] === 0x10)
  for (const pictures of [sink.pictures, viewer.frames]) {
    expect(pictures.length).toBeGreaterThan(95)
    expect(pictures.every(isBest)).toBe(true)
  }
  expect(obs.publisher.describe(gateway.nowMs()).lostPackets).toBe(0)
  expect(gateway.bugs).toEqual([])
})

test("what has no rid, or one that was not agreed on, belongs to nothing", () => {
  const gateway = new TestGateway()
  const { publisher } = new Obs(gateway)
  for (const data of [undefined, "7", "0\u0000"]) {
    const extensions = data === undefined ? [] : [{ id: RID_EXTENSION_ID, data: new TextEncoder().encode(data) }]
    const header = { payloadType: 96, ssrc: 5, sequenceNumber: 1, timestamp: 0, marker: true, extensions }
    publisher.onRtp(serializeRtpPacket({ ...header, payload: SPS_320 }))
  }
  expect(gateway.stream.layers).toEqual([])
})
