import { performance } from "node:perf_hooks"
import type { LanePacket, RtpBatch } from "../../media/packet.ts"
import {
  type JoinOptions,
  MAX_PAYLOAD_BYTES,
  type PacketFanout,
  type SendToOptions,
  type SourceId,
  type Thinning,
  type TrackId,
  type ViewerId,
  type ViewerTrackStats,
  type ViewerTransport,
} from "./fanout.ts"
import { type LiveSource, SentHistory } from "./fanout-history.ts"
import { type FanoutOutput, type SendDatagram, ViewerStream } from "./fanout-viewer.ts"
import { PacketRing } from "./srtp/packet-ring.ts"
import { type AlignedPayload, alignPayload, createProtector } from "./srtp/protect.ts"

interface FollowedSource extends LiveSource {
  readonly viewers: Set<ViewerStream>
}

/** The reference implementation: runs wherever the gateway does. */
export class TypeScriptFanout implements PacketFanout {
  readonly #output: FanoutOutput
  readonly #viewers = new Map<ViewerId, ReadonlyMap<TrackId, ViewerStream>>()
  /** Those with viewers. */
  readonly #sources = new Map<SourceId, FollowedSource>()
  #nextViewerId: ViewerId = 1

  /** `nowUs` is the clock of `absSendTime`; only differences of it matter. */
  constructor(send: SendDatagram, nowUs: () => number = () => performance.now() * 1000) {
    this.#output = { ring: new PacketRing(), send, nowUs }
  }

  addViewer({ remote, keys, tracks }: ViewerTransport): ViewerId {
    const viewer = { remote, protector: createProtector(keys.local), transportCounter: { next: 0 } }
    const streams = tracks.map((track) => [track.trackId, new ViewerStream(track, viewer, this.#output)] as const)
    const viewerId = this.#nextViewerId++
    this.#viewers.set(viewerId, new Map(streams))
    return viewerId
  }

  joinTrack(viewerId: ViewerId, trackId: TrackId, options: JoinOptions): void {
    const stream = this.#find(viewerId, trackId)
    if (!stream) return
    if (stream.source !== undefined) this.#leave(stream)
    const { sourceId, sequenceOffset, timestampShift = 0 } = options
    let source = this.#sources.get(sourceId)
    if (!source) {
      source = { id: sourceId, viewers: new Set(), history: new SentHistory() }
      this.#sources.set(sourceId, source)
    }
    source.viewers.add(stream)
    stream.join(source, sequenceOffset, timestampShift)
  }

  leaveTrack(viewerId: ViewerId, trackId: TrackId): void {
    const stream = this.#find(viewerId, trackId)
    if (stream) this.#leave(stream)
  }

  send(sourceId: SourceId, batch: RtpBatch): void {
    const source = this.#sources.get(sourceId)
    if (!source) return
    const { timestamp, ptsUs, startsKeyframe, isDisposable } = batch
    const packets: LanePacket[] = []
    const payloads: AlignedPayload[] = [] // once for all viewers
    for (const packet of batch.packets) {
      if (packet.payload.length > MAX_PAYLOAD_BYTES) continue
      if (!source.history.add(packet.sequenceNumber, timestamp, packet)) continue
      packets.push(packet)
      payloads.push(alignPayload(packet.payload))
    }
    const live = { timestamp, ptsUs, startsKeyframe, isDisposable, packets, payloads }
    let failure: { readonly error: unknown } | undefined
    for (const stream of source.viewers) {
      try {
        stream.sendLive(live)
      } catch (error) {
        failure ??= { error }
      }
    }
    if (failure !== undefined) throw failure.error
  }

  sendTo(viewerId: ViewerId, trackId: TrackId, batch: RtpBatch, options: SendToOptions): void {
    const stream = this.#find(viewerId, trackId)
    if (stream?.source !== undefined) this.#leave(stream)
    stream?.replay(batch, options.sequenceOffset, options.timestamp ?? batch.timestamp)
  }

  setThinning(viewerId: ViewerId, trackId: TrackId, level: Thinning): void {
    this.#find(viewerId, trackId)?.setThinning(level)
  }

  resend(viewerId: ViewerId, trackId: TrackId, sequenceNumbers: Iterable<number>): number {
    const stream = this.#find(viewerId, trackId)
    if (!stream) return 0
    let count = 0
    for (const sequenceNumber of sequenceNumbers) if (stream.resend(sequenceNumber)) count++
    return count
  }

  stats(viewerId: ViewerId, trackId: TrackId): ViewerTrackStats | undefined {
    return this.#find(viewerId, trackId)?.stats
  }

  removeViewer(viewerId: ViewerId): void {
    for (const stream of this.#viewers.get(viewerId)?.values() ?? []) this.#leave(stream)
    this.#viewers.delete(viewerId)
  }

  close(): void {
    this.#viewers.clear()
    this.#sources.clear()
  }

  #find(viewerId: ViewerId, trackId: TrackId): ViewerStream | undefined {
    return this.#viewers.get(viewerId)?.get(trackId)
  }

  #leave(stream: ViewerStream): void {
    const source = stream.source && this.#sources.get(stream.source.id)
    if (source?.viewers.delete(stream) && source.viewers.size === 0) this.#sources.delete(source.id)
    stream.leave()
  }
}
