import { performance } from "node:perf_hooks"
import { PASSED_EXTENSIONS } from "../../media/header-extension.ts"
import type { RtpBatch } from "../../media/packet.ts"
import { absSendTime } from "../../rtp/header-extension.ts"
import { type NativeAddon, type NativeFanoutHandle, type NativeFrame, nativeThreadCount } from "../native/addon.ts"
import {
  type JoinOptions,
  MAX_PAYLOAD_BYTES,
  type PacketFanout,
  type SendToOptions,
  type SourceId,
  type Thinning,
  type TrackId,
  type ViewerId,
  type ViewerTrack,
  type ViewerTrackStats,
  type ViewerTransport,
} from "./fanout.ts"
import { checkExtensionIds, sentExtensions } from "./fanout-extensions.ts"
import type { SendDatagram } from "./fanout-viewer.ts"
import type { RemoteAddress } from "./remote-address.ts"
import { deriveSrtpKeys } from "./srtp/keys.ts"

/** How the native fan-out is set up. */
export interface NativeFanoutOptions {
  /** Sockets to send from; without one for a family its viewers get nothing. */
  readonly sockets: { readonly ipv4?: number | undefined; readonly ipv6?: number | undefined }
  /** Sends to viewers on TCP. */
  readonly send: SendDatagram
  /** The clock of `absSendTime`; only differences of it matter. */
  readonly nowUs?: () => number
  /** 0 for none: all is done within the calls, and tests get the same each time. */
  readonly threads?: number
}

/**
 * The fan-out in C++ (`src/io/native`): numbers are given out here and now by the same rules as those of `TypeScriptFanout`, and threads encrypt
 * and send. Viewers on TCP get their datagrams by way of `send`.
 */
export class NativeFanout implements PacketFanout {
  readonly #addon: NativeAddon
  readonly #handle: NativeFanoutHandle
  readonly #send: SendDatagram
  readonly #nowUs: () => number
  readonly #remotes = new Map<ViewerId, RemoteAddress>()
  /** Cached batches go to one viewer after the other and are copied only once. */
  readonly #frames = new WeakMap<RtpBatch, NativeFrame>()
  readonly #stats = new Float64Array(STATS_FIELDS)

  constructor(addon: NativeAddon, options: NativeFanoutOptions) {
    const { sockets, send, nowUs = () => performance.now() * 1000, threads = nativeThreadCount() } = options
    this.#addon = addon
    this.#send = send
    this.#nowUs = nowUs
    this.#handle = new addon.Fanout(sockets.ipv4 ?? -1, sockets.ipv6 ?? -1, threads, () => this.#forward())
  }

  /** Datagrams that the system did not take, or that waited too long for their thread. */
  get sendErrors(): number {
    return this.#handle.errorCount()
  }

  addViewer({ remote, keys, tracks }: ViewerTransport): ViewerId {
    for (const { extensions } of tracks) checkExtensionIds(extensions)
    const { profile, cipherKey, salt, authKey } = deriveSrtpKeys(keys.local)
    const viewerId = this.#handle.addViewer(profile === "AEAD_AES_128_GCM" ? 1 : 0, cipherKey, salt, authKey)
    for (const track of tracks) this.#addTrack(viewerId, track)
    const follow = () => {
      const { transport, family, address, port } = remote
      this.#handle.setAddress(viewerId, transport === "udp" && port !== 0 ? family : 0, address, port)
    }
    follow()
    remote.onMove = follow
    this.#remotes.set(viewerId, remote)
    return viewerId
  }

  joinTrack(viewerId: ViewerId, trackId: TrackId, options: JoinOptions): void {
    const { sourceId, sequenceOffset, timestampShift = 0 } = options
    const offset = sequenceOffset === undefined ? -1 : sequenceOffset & 0xffff
    this.#handle.joinTrack(viewerId, trackId, sourceId, offset, timestampShift >>> 0)
  }

  leaveTrack(viewerId: ViewerId, trackId: TrackId): void {
    this.#handle.leaveTrack(viewerId, trackId)
  }

  send(sourceId: SourceId, batch: RtpBatch): void {
    this.#handle.send(sourceId, this.#frameOf(batch), absSendTime(this.#nowUs()))
  }

  sendTo(viewerId: ViewerId, trackId: TrackId, batch: RtpBatch, options: SendToOptions): number {
    const { sequenceOffset, timestamp = batch.timestamp } = options
    const frame = this.#frameOf(batch)
    const offset = sequenceOffset & 0xffff
    return this.#handle.sendTo(viewerId, trackId, frame, offset, timestamp >>> 0, absSendTime(this.#nowUs()))
  }

  setThinning(viewerId: ViewerId, trackId: TrackId, level: Thinning): void {
    this.#handle.setThinning(viewerId, trackId, THINNING_LEVELS.indexOf(level))
  }

  resend(viewerId: ViewerId, trackId: TrackId, sequenceNumbers: Iterable<number>): number {
    return this.#handle.resend(viewerId, trackId, Uint16Array.from(sequenceNumbers), absSendTime(this.#nowUs()))
  }

  stats(viewerId: ViewerId, trackId: TrackId): ViewerTrackStats | undefined {
    if (!this.#handle.stats(viewerId, trackId, this.#stats)) return undefined
    const [packets = 0, octets = 0, resent = 0, rtpTimestamp = 0, ptsUs = 0, next = 0, latest = 0, leftOut = 0, waits] =
      this.#stats
    const isSent = latest >= 0
    return {
      packetCount: packets,
      octetCount: octets,
      resentCount: resent,
      rtpTimestamp,
      ptsUs: isSent ? ptsUs : undefined,
      nextSequenceNumber: next,
      latestTimestamp: isSent ? latest : undefined,
      leftOutCount: leftOut,
      isWaitingForKeyframe: waits === 1,
    }
  }

  removeViewer(viewerId: ViewerId): void {
    const remote = this.#remotes.get(viewerId)
    if (remote) remote.onMove = undefined
    this.#remotes.delete(viewerId)
    this.#handle.removeViewer(viewerId)
  }

  /** Waits until everything is sent; for tests. */
  drain(): void {
    this.#handle.drain()
    this.#forward()
  }

  close(): void {
    for (const viewerId of [...this.#remotes.keys()]) this.removeViewer(viewerId)
    this.#handle.close()
  }

  #addTrack(viewerId: ViewerId, track: ViewerTrack): void {
    const { trackId, ssrc, payloadType, firstSequenceNumber = 0, timestampOffset = 0, rtx } = track
    const { mid, absSendTime = 0, transportCc = 0, isTransportCcForSendTo, passed = {} } = sentExtensions(track)
    const midBytes = new TextEncoder().encode(mid?.value ?? "")
    const rtxFields = rtx === undefined ? [0, 0, 0] : [1, rtx.ssrc, rtx.payloadType]
    const ids = [absSendTime, transportCc, mid?.id ?? 0, ...PASSED_EXTENSIONS.map((name) => passed[name] ?? 0)]
    const numbered = isTransportCcForSendTo === true ? 1 : 0
    const fields = [ssrc, payloadType, firstSequenceNumber, timestampOffset, ...rtxFields, ...ids, numbered]
    const fittingMid = midBytes.length <= 16 ? midBytes : new Uint8Array(0)
    this.#handle.addTrack(viewerId, trackId, Uint32Array.from(fields), fittingMid)
  }

  #frameOf(batch: RtpBatch): NativeFrame {
    const known = this.#frames.get(batch)
    if (known) return known
    const packets = batch.packets.filter(({ payload }) => payload.length <= MAX_PAYLOAD_BYTES)
    const headers = Uint32Array.from(packets, ({ sequenceNumber, marker }) => sequenceNumber | (marker ? 0x10000 : 0))
    const payloads = packets.map(({ payload }) => payload)
    const flags = (batch.startsKeyframe ? 1 : 0) | (batch.isDisposable === true ? 2 : 0)
    const frame = this.#addon.createFrame(
      batch.timestamp,
      batch.ptsUs,
      flags,
      headers,
      payloads,
      serializeExtensions(packets),
    )
    this.#frames.set(batch, frame)
    return frame
  }

  #forward(): void {
    const forwarded = this.#handle.takeForwarded()
    for (let i = 0; i < forwarded.length; i += 2) {
      const remote = this.#remotes.get(forwarded[i] as number)
      if (remote) this.#send(forwarded[i + 1] as Uint8Array, remote)
    }
  }
}

/** For each extension: place of its packet (16 bits, little-endian), place in `PASSED_EXTENSIONS`, length, value. */
function serializeExtensions(packets: RtpBatch["packets"]): Uint8Array {
  if (packets.every(({ extensions }) => extensions === undefined)) return NO_BYTES
  const bytes = packets.flatMap(({ extensions = [] }, index) =>
    extensions
      .filter(({ value }) => value.length >= 1 && value.length <= 16)
      .flatMap(({ name, value }) => [
        index & 0xff,
        index >> 8,
        PASSED_EXTENSIONS.indexOf(name),
        value.length,
        ...value,
      ]),
  )
  return Uint8Array.from(bytes)
}

const NO_BYTES = new Uint8Array(0)
const STATS_FIELDS = 9
const THINNING_LEVELS: readonly Thinning[] = ["none", "disposable", "untilKeyframe", "keyframes"]
