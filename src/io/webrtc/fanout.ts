import type { RtpBatch } from "../../media/packet.ts"
import type { RemoteAddress } from "./remote-address.ts"
import type { SrtpKeys } from "./srtp/keys.ts"

/** Names one lane of one stream, for example `live/cam1 video`; whoever calls `send` chooses it. */
export type TrackId = string

/** Given out by `addViewer`; never used again for another viewer. */
export type ViewerId = number

/** A header extension element that every packet carries at the start, until the viewer has surely seen it. RFC 8285 section 4.2. */
export interface HeaderExtension {
  /** 1 to 14, as negotiated. */
  readonly id: number
  /** 1 to 16 bytes, for example the mid. */
  readonly value: Uint8Array
}

/** What is negotiated with one viewer for one track. */
export interface ViewerTrack {
  readonly trackId: TrackId
  readonly ssrc: number
  readonly payloadType: number
  /** Added to the lane's timestamps, 32 bits; 0 if left out. */
  readonly timestampOffset?: number
  /** Sent with the first 100 packets, so that a browser knows which m-line they are of; 100 bytes in all at most. */
  readonly headerExtensions?: readonly HeaderExtension[]
  /** RFC 4588, where the viewer accepts it; else lost packets are sent again as they were. */
  readonly rtx?: { readonly ssrc: number; readonly payloadType: number }
}

/** What the fan-out needs to know of a viewer. */
export interface ViewerTransport {
  readonly remote: RemoteAddress
  readonly keys: SrtpKeys
  readonly tracks: readonly ViewerTrack[]
}

/** How a batch differs for one viewer. */
export interface SendToOptions {
  /** Added to the lane's sequence numbers, 16 bits. */
  readonly sequenceOffset: number
  /** In place of the batch's own, on the lane's clock. */
  readonly timestamp?: number
}

/** What was sent to one viewer of one track, for its sender reports. Resent packets count too where they go out on the same SSRC. */
export interface ViewerTrackStats {
  readonly packetCount: number
  /** Payload bytes, without headers and padding (RFC 3550 section 6.4.1). */
  readonly octetCount: number
  /** Packets that a NACK asked for and that were sent again. */
  readonly resentCount: number
  /** RTP timestamp of the newest packet as the viewer sees it, 32 bits. */
  readonly rtpTimestamp: number
  /** The time of that packet on the stream's timeline; undefined until one was sent. */
  readonly ptsUs: number | undefined
}

/**
 * Sends each packet of a track to all its viewers, encrypted for each of them. The hot path of the gateway, so one call takes a whole batch
 * and the set of viewers stays inside. Two implementations pass one suite; this one seam is all that a native one replaces.
 * RTCP is not its business: a session encrypts that itself, as only one may count the index.
 */
export interface PacketFanout {
  /** Takes a viewer in; it gets nothing before `joinTrack` or `sendTo`. */
  addViewer(viewer: ViewerTransport): ViewerId
  /**
   * From the next batch on the viewer gets the track. `sequenceOffset` is added to the lane's sequence numbers; together with what
   * `sendTo` sent they must run on, and begin below 32768, or a lost first packet hides a wrap (RFC 3711 section 3.3.1). A number must
   * never be used for two packets, so late ones from before the first packet under this offset are left out. Whoever joins again can have what it got live before no more.
   */
  joinTrack(viewerId: ViewerId, trackId: TrackId, sequenceOffset: number): void
  /** The viewer gets no more batches of the track. */
  leaveTrack(viewerId: ViewerId, trackId: TrackId): void
  /**
   * Sends a batch to every viewer that has joined the track. Keeps the packets for a while, for `resend`: nobody may change them. Packets
   * with more than 1800 bytes of payload, which no network takes, are left out. An error with one viewer is thrown once the others
   * have the batch.
   */
  send(trackId: TrackId, batch: RtpBatch): void
  /** Sends a batch to one viewer that has not joined: cached packets for its first picture. */
  sendTo(viewerId: ViewerId, trackId: TrackId, batch: RtpBatch, options: SendToOptions): void
  /** Answers a NACK: sends packets again, named by the sequence numbers that the viewer knows. Returns how many were still there. */
  resend(viewerId: ViewerId, trackId: TrackId, sequenceNumbers: Iterable<number>): number
  /** Undefined for a viewer or track that is not known. */
  stats(viewerId: ViewerId, trackId: TrackId): ViewerTrackStats | undefined
  /** Forgets a viewer; unknown ones are no error. */
  removeViewer(viewerId: ViewerId): void
  /** Ends everything; later calls do nothing. */
  close(): void
}

/** The longest payload that is sent. */
export const MAX_PAYLOAD_BYTES = 1800

/** Packets that carry the header extensions. */
export const PACKETS_WITH_EXTENSIONS = 100

/** Packets of a track that can be sent again. */
export const RESENDABLE_PACKETS = 2048
