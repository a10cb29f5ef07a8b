import type { GatewayError } from "../errors.ts"
import type { AmfValue } from "./amf-value.ts"
import type { PeerCapabilities } from "./peer-capabilities.ts"
import type { RtmpStreamAddress } from "./stream-address.ts"

/** What an `RtmpServerSession` wants done (`send`, `close`) or has noticed (all others). */
export type RtmpServerEvent =
  | { readonly type: "send"; readonly bytes: Uint8Array }
  | RtmpPublishRequested
  | RtmpPlayRequested
  | RtmpMetadata
  | RtmpUserData
  | RtmpMedia
  | { readonly type: "publishEnded"; readonly streamId: number }
  | { readonly type: "playEnded"; readonly streamId: number }
  | RtmpReceiveChanged
  | RtmpClose

/** The peer wants to publish; answer with `acceptPublish` or `rejectPublish`. */
export interface RtmpPublishRequested extends RtmpStreamAddress {
  readonly type: "publishRequested"
  readonly streamId: number
  /** What the peer wants to become of it; all of them are live, a recording is up to the caller. */
  readonly publishType: RtmpPublishType
}

/** The types of RTMP 1.0 section 7.2.2.6: live only, live and recorded anew, live and added to the recording. */
export type RtmpPublishType = "live" | "record" | "append"

/** The peer wants to play; answer with `acceptPlay` or `rejectPlay`. */
export interface RtmpPlayRequested extends RtmpStreamAddress {
  readonly type: "playRequested"
  readonly streamId: number
  /** What the peer said in `connect` that it can receive. */
  readonly capabilities: PeerCapabilities
}

/** `onMetaData` of a publisher: an object or an ECMA array as a rule. */
export interface RtmpMetadata {
  readonly type: "metadata"
  readonly streamId: number
  readonly values: AmfValue
}

/** A data message of a publisher other than `onMetaData`: `onTextData`, `onCuePoint`, `onCaption` and what else there is. */
export interface RtmpUserData {
  readonly type: "userData"
  readonly streamId: number
  /** Unsigned 32 bits, wraps. */
  readonly timestampMs: number
  readonly name: string
  readonly values: readonly AmfValue[]
}

/** An audio or video message of a publisher: an FLV tag body. */
export interface RtmpMedia {
  readonly type: "audio" | "video"
  readonly streamId: number
  /** Unsigned 32 bits, wraps. */
  readonly timestampMs: number
  readonly payload: Uint8Array
}

/** A player turned one kind of media off or on again. */
export interface RtmpReceiveChanged {
  readonly type: "receiveChanged"
  readonly streamId: number
  readonly kind: "audio" | "video"
  readonly enabled: boolean
}

/** The session is over: send what is queued and close the connection. `error` is set where the peer was at fault. */
export interface RtmpClose {
  readonly type: "close"
  readonly reason: string
  readonly error?: GatewayError
}
