import type { PassedExtensionName } from "../../media/header-extension.ts"
import type { RtpBatch } from "../../media/packet.ts"
import type { RemoteAddress } from "./remote-address.ts"
import type { SrtpKeys } from "./srtp/keys.ts"

/** Names one lane of one stream, for example `live/cam1 video`; whoever calls `send` chooses it. */
export type SourceId = string

/** The viewer's own name for one of its tracks, for example `video`. Its packets come from one source after the other. */
export type TrackId = string

/** Given out by `addViewer`; never used again for another viewer. */
export type ViewerId = number

/** Header extensions that are agreed on with one viewer for one track, ids from 1 to 14 (the one-byte form of RFC 8285 section 4.2). */
export interface TrackExtensions {
  /** RFC 8843, in the first 100 packets, so that a browser knows which m-line they are of; left out where it has more than 16 bytes. */
  readonly mid?: { readonly id: number; readonly value: string }
  /** When the packet was sent, in every packet. Only with RTX, see `ViewerTrack.rtx`. */
  readonly absSendTime?: number
  /** A number in every packet, counted over all tracks of the viewer. Only with RTX, see `ViewerTrack.rtx`. */
  readonly transportCc?: number
  /** True where `transportCc` is only in what `sendTo` brings, so that the packets of a live stream do not cost it, nor the feedback on them. */
  readonly isTransportCcForSendTo?: boolean
  /** What came with the packet and is passed on, under the viewer's ids. */
  readonly passed?: Readonly<Partial<Record<PassedExtensionName, number>>>
}

/** What is negotiated with one viewer for one track. */
export interface ViewerTrack {
  readonly trackId: TrackId
  readonly ssrc: number
  readonly payloadType: number
  /** The number of its first packet, where `joinTrack` chooses it; best at random below 32768, see there. 0 if left out. */
  readonly firstSequenceNumber?: number
  /** Added to all timestamps of the track, 32 bits; 0 if left out. */
  readonly timestampOffset?: number
  readonly extensions?: TrackExtensions
  /**
   * RFC 4588, where the viewer accepts it; else lost packets are sent again as they were, the same to the bit. GCM gives its
   * authentication key away when it seals two different packets under one number (RFC 7714 section 8.4), even if only
   * the header differs: so `absSendTime` and `transportCc`, which tell of the sending, are left out of a track without RTX.
   */
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
  /** In place of the batch's own, 32 bits, before the track's `timestampOffset` is added. */
  readonly timestamp?: number
}

/**
 * Which pictures of its source a track leaves out: none, those to which no other one refers (`RtpBatch.isDisposable`), all up to the next keyframe,
 * or all but keyframes.
 */
export type Thinning = "none" | "disposable" | "untilKeyframe" | "keyframes"

/** How a viewer's track follows a source. */
export interface JoinOptions {
  readonly sourceId: SourceId
  /** Added to the lane's sequence numbers, 16 bits; left out, the numbers run on from what the viewer got last. */
  readonly sequenceOffset?: number
  /** Added to the lane's timestamps, 32 bits, so that they run on when the source changes; 0 if left out. */
  readonly timestampShift?: number
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
  /** One more than the highest number in use, 16 bits: what the packets of another source may begin with. */
  readonly nextSequenceNumber: number
  /** The latest timestamp so far, 32 bits, without the track's `timestampOffset`; undefined until a packet was sent. */
  readonly latestTimestamp: number | undefined
  /** Pictures that thinning left out. */
  readonly leftOutCount: number
  /** True while pictures are left out until a keyframe comes, see `setThinning`. */
  readonly isWaitingForKeyframe: boolean
}

/**
 * Sends each packet of a source to all viewers' tracks that have joined it, encrypted for each of them. The hot path of the gateway, so one call
 * takes a whole batch and the set of viewers stays inside. Two implementations pass one suite; this one seam is all that a native one replaces.
 * RTCP is not its business: a session encrypts that itself, as only one may count the index.
 *
 * A sequence number of an SSRC is never used for two contents, as that would give the keystream away, whatever the callers do: a packet whose
 * number was used already, or is not later than all that were sent before the track's source or offset changed, is left out.
 */
export interface PacketFanout {
  /** Takes a viewer in; it gets nothing before `joinTrack` or `sendTo`. */
  addViewer(viewer: ViewerTransport): ViewerId
  /**
   * From the next batch on the viewer's track has the packets of this source, and no more those of the one before. Numbers given by
   * `sequenceOffset` must run on from what the track got so far, and begin below 32768, or a lost first packet hides a wrap
   * (RFC 3711 section 3.3.1). Of what the track got before, the last 256 packets can be sent again.
   */
  joinTrack(viewerId: ViewerId, trackId: TrackId, options: JoinOptions): void
  /** The viewer's track gets no more batches, until it joins a source again. */
  leaveTrack(viewerId: ViewerId, trackId: TrackId): void
  /**
   * Sends a batch to every viewer that has joined the source. Keeps the packets for a while, for `resend`: nobody may change them. Packets
   * with more than 1800 bytes of payload, which no network takes, are left out, and those whose number the source had a moment ago.
   * An error with one viewer is thrown once the others have the batch.
   */
  send(sourceId: SourceId, batch: RtpBatch): void
  /**
   * Sends a batch to one viewer, whose track then follows no source: cached packets for its first picture. `joinTrack` with the same offset
   * goes on from there, also with packets that come late; `leaveTrack` before the packets of another source. Returns the viewer's next
   * transport-wide number, 16 bits: those of the batch are right before it, where the track has them.
   */
  sendTo(viewerId: ViewerId, trackId: TrackId, batch: RtpBatch, options: SendToOptions): number
  /**
   * From the next picture on, leaves out part of what `send` brings to the viewer's track, which is "none" at first. What `sendTo` brings always goes
   * out.
   *
   * - A picture is all batches of one timestamp in a row, and is sent or left out as a whole: what its first batch says counts. A
   *   batch with `startsKeyframe` is always sent, and so is what follows of its picture.
   * - Once a picture was left out that is not disposable, all others are up to the next keyframe, whatever the level is by then. "untilKeyframe" begins
   *   that at once, and is "none" for the rest. Joining or leaving a source and `sendTo` end this waiting; the level stays.
   * - The viewer's sequence numbers run on without a gap for what was left out, and timestamps stay what they are. `resend` knows packets by the
   *   numbers that they were sent with, as long as no more than 128 gaps have been closed after them.
   * - What the lane lacks keeps its place in the viewer's numbers, and is sent when it comes late; unless it belongs between two packets that were left
   *   out, of one picture or while waiting for a keyframe.
   */
  setThinning(viewerId: ViewerId, trackId: TrackId, level: Thinning): void
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

/** Packets at the start of an SSRC that carry the mid. */
export const PACKETS_WITH_MID = 100

/** Packets of a source that can be sent again. */
export const RESENDABLE_PACKETS = 2048
