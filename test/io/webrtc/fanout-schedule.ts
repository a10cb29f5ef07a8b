import fc from "fast-check"
import type { PacketFanout, ViewerId, ViewerTrack } from "../../../src/io/webrtc/fanout.ts"
import type { PassedExtension } from "../../../src/media/header-extension.ts"
import type { LanePacket, RtpBatch } from "../../../src/media/packet.ts"

/** Every payload is this and then its own number. */
export const MAGIC = Buffer.from("whipstitch")
export const SSRC = 7
export const RTX_SSRC = 8
const SOURCES = ["high", "low"] as const
const LEVELS = ["none", "disposable", "untilKeyframe", "keyframes"] as const
const DISPOSABLE = { isDisposable: true } as const

const source = fc.constantFrom(...SOURCES)
const number = fc.integer({ min: 0, max: 0xffff })
/** The right one mostly, as only then packets are sent at all. */
const offset = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: number })
/** Any of them. */
export const action = fc.oneof(
  fc.record({
    type: fc.constant("send" as const),
    source,
    count: fc.integer({ min: 1, max: 6 }),
    skip: fc.nat(3),
    kind: fc.constantFrom("keyframe" as const, "disposable" as const, "picture" as const),
  }),
  fc.record({ type: fc.constant("sendOld" as const), source, behind: fc.nat(12), isOther: fc.boolean() }),
  fc.record({ type: fc.constant("join" as const), source, offset, shift: fc.nat(10_000) }),
  fc.record({ type: fc.constant("leave" as const) }),
  fc.record({ type: fc.constant("replay" as const), source, behind: fc.nat(8), offset, timestamp: fc.nat(90_000) }),
  fc.record({ type: fc.constant("joinReplayed" as const), source }),
  fc.record({ type: fc.constant("thin" as const), level: fc.constantFrom(...LEVELS) }),
  fc.record({ type: fc.constant("resend" as const), behind: fc.array(fc.integer({ min: -3, max: 30 })) }),
)

/** One thing that a publisher, a viewer or the gateway does. */
export type Action = typeof action extends fc.Arbitrary<infer One> ? One : never

/** A lane whose packets can be had late, twice and with another content. */
class TestLane {
  #next: number
  #made: number
  readonly batches: RtpBatch[] = []

  constructor(firstSequenceNumber: number, firstPayload: number) {
    this.#next = firstSequenceNumber
    this.#made = firstPayload
  }

  make(count: number, skip: number, kind: "keyframe" | "disposable" | "picture"): RtpBatch {
    this.#next += skip
    const packets = Array.from({ length: count }, () => this.#packet(this.#next++ & 0xffff))
    return this.#batch(packets, 1000 + this.#next, kind)
  }

  /** A packet that was given out already or left out, or another one under its number. */
  old(behind: number, isOther: boolean): RtpBatch {
    const sequenceNumber = (this.#next - 1 - behind) & 0xffff
    const known = this.batches.find(({ packets }) => packets.some((one) => one.sequenceNumber === sequenceNumber))
    const before = known?.packets.find((one) => one.sequenceNumber === sequenceNumber)
    if (isOther || known === undefined || before === undefined) {
      return this.#batch([this.#packet(sequenceNumber)], known?.timestamp ?? 900 + this.#next)
    }
    return this.#batch([before], known.timestamp)
  }

  #batch(packets: LanePacket[], timestamp: number, kind?: "keyframe" | "disposable" | "picture"): RtpBatch {
    const facts = { timestamp, ptsUs: timestamp, startsKeyframe: kind === "keyframe" }
    const batch = { kind: "video", ...facts, packets, ...(kind === "disposable" && DISPOSABLE) } as const
    this.batches.push(batch)
    return batch
  }

  #packet(sequenceNumber: number): LanePacket {
    const payload = Buffer.concat([MAGIC, Buffer.of(0, 0, 0, 0)])
    payload.writeUInt32BE(++this.#made, MAGIC.length)
    const extensions: PassedExtension[] = [{ name: "playoutDelay", value: payload.subarray(-3) }]
    return { sequenceNumber, marker: this.#made % 3 === 0, payload, ...(this.#made % 2 === 0 && { extensions }) }
  }
}

/** The track that `play` needs its viewers to have. */
export function scheduledTrack(
  firstSequenceNumber: number,
  hasRtx: boolean,
  isTransportCcForSendTo = false,
): ViewerTrack {
  const ids = { mid: { id: 1, value: "v" }, absSendTime: 2, transportCc: 3, passed: { playoutDelay: 4 } }
  const extensions = { ...ids, isTransportCcForSendTo }
  const track = { trackId: "video", ssrc: SSRC, payloadType: 96, firstSequenceNumber, extensions }
  return { ...track, ...(hasRtx && { rtx: { ssrc: RTX_SSRC, payloadType: 97 } }) }
}

/** Does one thing after the other, with the viewers in turn; the same each time. */
export function play(fanout: PacketFanout, ids: readonly ViewerId[], first: number, actions: readonly Action[]): void {
  const lanes = { high: new TestLane(65_530, 0), low: new TestLane(first, 1_000_000) }
  const replayedOffsets = new Map<ViewerId, number>()
  for (const [turn, one] of actions.entries()) {
    const id = ids[turn % ids.length] as ViewerId
    const next = () => fanout.stats(id, "video")?.nextSequenceNumber ?? 0
    if (one.type === "send") fanout.send(one.source, lanes[one.source].make(one.count, one.skip, one.kind))
    else if (one.type === "thin") fanout.setThinning(id, "video", one.level)
    else if (one.type === "sendOld") fanout.send(one.source, lanes[one.source].old(one.behind, one.isOther))
    else if (one.type === "leave") fanout.leaveTrack(id, "video")
    else if (one.type === "join") {
      const sequenceOffset = one.offset === undefined ? {} : { sequenceOffset: one.offset }
      fanout.joinTrack(id, "video", { sourceId: one.source, timestampShift: one.shift, ...sequenceOffset })
    } else if (one.type === "joinReplayed") {
      fanout.joinTrack(id, "video", { sourceId: one.source, sequenceOffset: replayedOffsets.get(id) ?? 0 })
    } else if (one.type === "replay") {
      const batch = lanes[one.source].batches.at(-1 - one.behind)
      if (batch === undefined) continue
      const sequenceOffset = one.offset ?? (next() - (batch.packets[0]?.sequenceNumber ?? 0)) & 0xffff
      replayedOffsets.set(id, sequenceOffset)
      fanout.sendTo(id, "video", batch, { sequenceOffset, timestamp: one.timestamp })
    } else {
      const numbers = one.behind.map((behind) => (next() - 1 - behind) & 0xffff)
      fanout.resend(id, "video", numbers)
    }
  }
}
