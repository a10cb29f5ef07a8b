import { RtpPassthrough } from "../../src/bridge/rtp-passthrough.ts"
import type { LiveStream } from "../../src/hub/live-stream.ts"
import type { PublisherSession, SessionFacts } from "../../src/hub/session.ts"
import { SPS_320, SPS_640 } from "../rtp/h264-stream.ts"
import { toHex } from "../support/bytes.ts"
import { advance, NAME, type TestGateway } from "./support-gateway.ts"
import { type PictureOptions, picture } from "./support-pictures.ts"

const FRAME_MS = 40
const LAYERS = {
  q: { sps: SPS_320, ssrc: 0x300, number: 65_520, ticks: 0xffff_f000, mark: 0 },
  f: { sps: SPS_640, ssrc: 0x400, number: 7, ticks: 123, mark: 0x1000 },
}
/** A layer of `SimulcastSource`: a quarter of the size, or the full one. */
export type Rid = keyof typeof LAYERS

/** A simulcast publisher behind the transport; it begins with keyframes and sends one where it was asked to. */
export class SimulcastSource implements PublisherSession {
  readonly id = "simulcast"
  readonly protocol = "whip"
  readonly identity = undefined
  lastMediaMs = 0
  readonly requested = new Set<string | undefined>(["q", "f"])
  readonly #gateway: TestGateway
  readonly #stream: LiveStream
  readonly #layers
  readonly #options: Readonly<Record<Rid, PictureOptions>>
  #pictures = 0

  /** `options` says how large the pictures of each layer are. */
  constructor(gateway: TestGateway, options: Readonly<Record<Rid, PictureOptions>> = { q: {}, f: {} }) {
    this.#gateway = gateway
    this.#options = options
    this.#stream = gateway.registry.publish(NAME, this, gateway.nowMs())
    this.#stream.useVideo("packets", "h264")
    const layer = (rid: Rid) => {
      const { last: previous } = this.#stream.videoPacketLane(rid)
      return { ...LAYERS[rid], passthrough: new RtpPassthrough({ codec: "h264", previous }) }
    }
    this.#layers = { q: layer("q"), f: layer("f") }
  }

  requestKeyframe(rid?: string): void {
    this.requested.add(rid)
  }

  end(): void {}

  describe(): SessionFacts {
    return {} as SessionFacts
  }

  /** Sends some pictures of the layers in real time, and returns by layer what they are. */
  play(rids: readonly Rid[], count: number, { swap = false } = {}): Record<Rid, string[]> {
    const sent: Record<Rid, string[]> = { q: [], f: [] }
    for (let i = 0; i < count; i++) {
      const id = this.#pictures++
      for (const rid of rids) sent[rid].push(this.#send(rid, id, this.requested.delete(rid), swap))
      advance(FRAME_MS)
    }
    return sent
  }

  #send(rid: Rid, id: number, isKeyframe: boolean, swap: boolean): string {
    const layer = this.#layers[rid]
    const { units, payloads } = picture(id + layer.mark, { ...this.#options[rid], isKeyframe, sps: layer.sps })
    const timestamp = (layer.ticks + id * FRAME_MS * 90) >>> 0
    const packets = payloads.map((payload, i) => {
      const sequenceNumber = layer.number++ & 0xffff
      return { ssrc: layer.ssrc, sequenceNumber, timestamp, marker: i === payloads.length - 1, payload }
    })
    if (swap) packets.unshift(...packets.splice(1, 1))
    this.lastMediaMs = this.#gateway.nowMs()
    for (const packet of packets) {
      const batch = layer.passthrough.push(packet, this.#stream.timelineUs(this.lastMediaMs))
      if (batch !== undefined) this.#stream.pushPackets(batch, rid)
    }
    return units.map(toHex).join(" ")
  }
}
