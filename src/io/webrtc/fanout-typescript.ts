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
import { FollowedSource } from "./fanout-source.ts"
import { type FanoutOutput, type SendDatagram, ViewerStream } from "./fanout-viewer.ts"
import { PacketRing } from "./srtp/packet-ring.ts"
import { type AlignedPayload, alignPayload, createProtector } from "./srtp/protect.ts"

/** The reference implementation: runs wherever the gateway does. */
export class TypeScriptFanout implements PacketFanout {
  readonly #output: FanoutOutput
  readonly #viewers = new Map<ViewerId, ReadonlyMap<TrackId, ViewerStream>>()
  /** Those with viewers. */
  readonly #sources = new Map<SourceId, FollowedSource>()
  readonly #sliceMs: number
  /** Sources whose viewers have not got everything, and the turn in which they will get more. */
  readonly #unfinished = new Set<FollowedSource>()
  #nextSlice: NodeJS.Immediate | undefined
  #nextViewerId: ViewerId = 1

  /**
   * `nowUs` is the clock of `absSendTime`; only differences of it matter. `sliceMs` is how long viewers of a batch keep the event loop at a time, before
   * the others get it in the next turn.
   */
  constructor(
    send: SendDatagram,
    nowUs: () => number = () => performance.now() * 1000,
    sliceMs = Number.POSITIVE_INFINITY,
  ) {
    this.#output = { ring: new PacketRing(), send, nowUs }
    this.#sliceMs = sliceMs
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
      source = new FollowedSource(sourceId)
      this.#sources.set(sourceId, source)
    }
    source.add(stream)
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
    source.push({ timestamp, ptsUs, startsKeyframe, isDisposable, packets, payloads })
    if (source.waitingCount > MAX_WAITING_BATCHES) source.deliver(Number.POSITIVE_INFINITY)
    else this.#unfinished.add(source)
    if (this.#nextSlice === undefined) this.#deliverSlice()
    source.throwFailure()
  }

  sendTo(viewerId: ViewerId, trackId: TrackId, batch: RtpBatch, options: SendToOptions): number {
    const stream = this.#find(viewerId, trackId)
    if (stream?.source !== undefined) this.#leave(stream)
    return stream?.replay(batch, options.sequenceOffset, options.timestamp ?? batch.timestamp) ?? 0
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
    for (const trackId of this.#viewers.get(viewerId)?.keys() ?? []) this.leaveTrack(viewerId, trackId)
    this.#viewers.delete(viewerId)
  }

  close(): void {
    clearImmediate(this.#nextSlice)
    this.#unfinished.clear()
    this.#viewers.clear()
    this.#sources.clear()
  }

  /** The source that was cut short is the last one in the next slice. */
  #deliverSlice(): void {
    this.#nextSlice = undefined
    const untilMs = performance.now() + this.#sliceMs
    for (const source of this.#unfinished) {
      this.#unfinished.delete(source)
      if (source.deliver(untilMs)) continue
      this.#unfinished.add(source)
      this.#nextSlice = setImmediate(() => this.#deliverSlice())
      return
    }
  }

  /** With all batches that were sent before, as if it had got them at once. */
  #find(viewerId: ViewerId, trackId: TrackId): ViewerStream | undefined {
    const stream = this.#viewers.get(viewerId)?.get(trackId)
    if (stream?.source !== undefined) this.#sources.get(stream.source.id)?.deliverTo(stream)
    return stream
  }

  #leave(stream: ViewerStream): void {
    const source = stream.source && this.#sources.get(stream.source.id)
    source?.remove(stream)
    if (source?.isUnused) this.#sources.delete(source.id)
    stream.leave()
  }
}

/** More than a second of a stream; what goes beyond is sent at once, as in the end nothing else helps a machine that is too slow. */
const MAX_WAITING_BATCHES = 64
