import { opusToRed } from "../../bridge/opus-red.ts"
import { Lane } from "../../hub/lane.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { RtpBatch } from "../../media/packet.ts"
import type { PacketFanout } from "./fanout.ts"
import { StreamPump } from "./stream-pump.ts"

/** All that a stream has for the fan-out, each pump made when somebody wants it. */
export class StreamPumps {
  readonly #stream: LiveStream
  readonly #fanout: PacketFanout
  readonly #prefix: string
  readonly #pumps = new Map<string, StreamPump>()

  /** `prefix` is the stream's part of the fan-out's source ids: no other stream has it, not even a later one of the same name. */
  constructor(stream: LiveStream, prefix: string, fanout: PacketFanout) {
    this.#stream = stream
    this.#prefix = prefix
    this.#fanout = fanout
  }

  /** Opus. */
  get audio(): StreamPump {
    return this.#find("audio", "audio", () => this.#stream.lanes.audioPackets)
  }

  /** The video, of the best layer where there are several. */
  get video(): StreamPump {
    return this.#find("video", "video", () => this.#stream.lanes.videoPackets)
  }

  /** Opus with redundancy (RFC 2198); what it holds inside has the viewer's payload type for Opus. */
  red(opusPayloadType: number): StreamPump {
    return this.#find(`red ${opusPayloadType}`, "audio", () => this.#deriveRed(opusPayloadType))
  }

  /** One simulcast layer. */
  layer(rid: string): StreamPump {
    return this.#find(`layer ${rid}`, "video", () => this.#stream.videoPacketLane(rid))
  }

  #find(name: string, kind: "audio" | "video", lane: () => Lane<RtpBatch>): StreamPump {
    let pump = this.#pumps.get(name)
    if (pump === undefined) {
      pump = new StreamPump(lane(), kind, `${this.#prefix} ${name}`, this.#fanout)
      this.#pumps.set(name, pump)
    }
    return pump
  }

  #deriveRed(opusPayloadType: number): Lane<RtpBatch> {
    const lane = new Lane<RtpBatch>(({ ptsUs }) => ({ startsHere: false, ptsUs, sizeBytes: 0 }), NOTHING_KEPT)
    lane.deriveFrom(this.#stream.lanes.audioPackets, opusToRed(opusPayloadType))
    return lane
  }
}

/** A viewer's sound begins with what comes next. */
const NOTHING_KEPT = { keep: "fromStart", maxBytes: 0, maxDurationUs: 0 } as const
