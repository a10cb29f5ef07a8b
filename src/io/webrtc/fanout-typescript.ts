import type { LanePacket, RtpBatch } from "../../media/packet.ts"
import {
  MAX_PAYLOAD_BYTES,
  type PacketFanout,
  type SendToOptions,
  type TrackId,
  type ViewerId,
  type ViewerTrackStats,
  type ViewerTransport,
} from "./fanout.ts"
import { SentHistory } from "./fanout-history.ts"
import { type SendDatagram, ViewerStream } from "./fanout-viewer.ts"
import { PacketRing } from "./srtp/packet-ring.ts"
import { type AlignedPayload, alignPayload, createProtector } from "./srtp/protect.ts"

interface TrackGroup {
  readonly viewers: Set<ViewerStream>
  /** What was sent to all, by the lane's sequence numbers. */
  readonly history: SentHistory
}

/** The reference implementation: runs wherever the gateway does. */
export class TypeScriptFanout implements PacketFanout {
  readonly #ring = new PacketRing()
  readonly #send: SendDatagram
  readonly #viewers = new Map<ViewerId, ReadonlyMap<TrackId, ViewerStream>>()
  readonly #groups = new Map<TrackId, TrackGroup>()
  #nextViewerId: ViewerId = 1

  constructor(send: SendDatagram) {
    this.#send = send
  }

  addViewer({ remote, keys, tracks }: ViewerTransport): ViewerId {
    const viewer = { remote, protector: createProtector(keys.local) }
    const output = { ring: this.#ring, send: this.#send }
    const streams = tracks.map((track) => [track.trackId, new ViewerStream(track, viewer, output)] as const)
    const viewerId = this.#nextViewerId++
    this.#viewers.set(viewerId, new Map(streams))
    return viewerId
  }

  joinTrack(viewerId: ViewerId, trackId: TrackId, sequenceOffset: number): void {
    const stream = this.#viewers.get(viewerId)?.get(trackId)
    if (!stream) return
    stream.join(sequenceOffset)
    let group = this.#groups.get(trackId)
    if (!group) {
      group = { viewers: new Set(), history: new SentHistory() }
      this.#groups.set(trackId, group)
    }
    group.viewers.add(stream)
  }

  leaveTrack(viewerId: ViewerId, trackId: TrackId): void {
    const stream = this.#viewers.get(viewerId)?.get(trackId)
    if (stream) this.#leave(stream)
  }

  send(trackId: TrackId, batch: RtpBatch): void {
    const group = this.#groups.get(trackId)
    if (!group) return
    const { timestamp } = batch
    const isTooLong = batch.packets.some(({ payload }) => payload.length > MAX_PAYLOAD_BYTES)
    const packets = isTooLong
      ? batch.packets.filter(({ payload }) => payload.length <= MAX_PAYLOAD_BYTES)
      : batch.packets
    const payloads = packets.map(({ payload }) => alignPayload(payload)) // once for all viewers
    for (const packet of packets) group.history.add(packet.sequenceNumber, timestamp, packet)
    let failure: { readonly error: unknown } | undefined
    for (const stream of group.viewers) {
      try {
        for (let i = 0; i < packets.length; i++) {
          stream.sendLive(packets[i] as LanePacket, timestamp, payloads[i] as AlignedPayload)
        }
        stream.markLive(timestamp, batch.ptsUs)
      } catch (error) {
        failure ??= { error }
      }
    }
    if (failure !== undefined) throw failure.error
  }

  sendTo(viewerId: ViewerId, trackId: TrackId, batch: RtpBatch, options: SendToOptions): void {
    const stream = this.#viewers.get(viewerId)?.get(trackId)
    if (!stream) return
    stream.replay(batch, options.sequenceOffset, options.timestamp ?? batch.timestamp)
  }

  resend(viewerId: ViewerId, trackId: TrackId, sequenceNumbers: Iterable<number>): number {
    const stream = this.#viewers.get(viewerId)?.get(trackId)
    if (!stream) return 0
    const history = this.#groups.get(trackId)?.history
    let count = 0
    for (const sequenceNumber of sequenceNumbers) if (stream.resend(sequenceNumber, history)) count++
    return count
  }

  stats(viewerId: ViewerId, trackId: TrackId): ViewerTrackStats | undefined {
    return this.#viewers.get(viewerId)?.get(trackId)?.stats
  }

  removeViewer(viewerId: ViewerId): void {
    for (const stream of this.#viewers.get(viewerId)?.values() ?? []) this.#leave(stream)
    this.#viewers.delete(viewerId)
  }

  close(): void {
    this.#viewers.clear()
    this.#groups.clear()
  }

  #leave(stream: ViewerStream): void {
    const { trackId } = stream.track
    const group = this.#groups.get(trackId)
    if (group?.viewers.delete(stream) && group.viewers.size === 0) this.#groups.delete(trackId)
  }
}
