import type { GatewayError } from "../errors.ts"
import type { AmfValue } from "./amf0.ts"
import type { RtmpStreamAddress } from "./stream-address.ts"

/** What an `RtmpServerSession` wants done (`send`, `close`) or has noticed (all others). */
export type RtmpServerEvent =
  | { readonly type: "send"; readonly bytes: Uint8Array }
  | RtmpPublishRequested
  | RtmpPlayRequested
  | RtmpMetadata
  | RtmpMedia
  | { readonly type: "publishEnded"; readonly streamId: number }
  | { readonly type: "playEnded"; readonly streamId: number }
  | RtmpReceiveChanged
  | RtmpClose

/** The peer wants to publish; answer with `acceptPublish` or `rejectPublish`. */
export interface RtmpPublishRequested extends RtmpStreamAddress {
  readonly type: "publishRequested"
  readonly streamId: number
}

/** The peer wants to play; answer with `acceptPlay` or `rejectPlay`. */
export interface RtmpPlayRequested extends RtmpStreamAddress {
  readonly type: "playRequested"
  readonly streamId: number
  /** FourCC codes that the peer says it can decode (Enhanced RTMP `fourCcList`); mostly empty. */
  readonly fourCcList: readonly string[]
}

/** `onMetaData` of a publisher: an object or an ECMA array as a rule. */
export interface RtmpMetadata {
  readonly type: "metadata"
  readonly streamId: number
  readonly values: AmfValue
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
