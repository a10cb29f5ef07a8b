import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"
import type { AmfValue } from "./amf-value.ts"
import { parseAmf0, serializeAmf0 } from "./amf0.ts"
import { parseAmf3 } from "./amf3-decoder.ts"

/** One RTMP message, whatever the chunks it came in. */
export interface RtmpMessage {
  /** Message type id, one of `MESSAGE_TYPE` or unknown. */
  readonly typeId: number
  /** Absolute timestamp, unsigned 32 bits, milliseconds. */
  readonly timestampMs: number
  readonly streamId: number
  readonly payload: Uint8Array
}

/** A remote procedure call or its answer, RTMP 1.0 section 7.2. */
export interface RtmpCommand {
  readonly name: string
  readonly transactionId: number
  /** What follows the transaction id: the command object first, then the arguments. */
  readonly args: readonly AmfValue[]
}

/** A user control event, RTMP 1.0 section 7.1.7. */
export interface RtmpUserControl {
  /** One of `USER_CONTROL` or unknown. */
  readonly eventType: number
  /** A message stream id, or the time of a ping; 0 where an unknown event has no value. */
  readonly value: number
  /** Milliseconds that a player wants to buffer; 0 in all events but `setBufferLength`. */
  readonly bufferLengthMs: number
}

/** How Set Peer Bandwidth limits what its receiver sends: exactly, at most, or as hard after hard and not at all otherwise. */
export type PeerBandwidthLimit = "hard" | "soft" | "dynamic"

/** Message type ids, RTMP 1.0 sections 5.4, 6.2 and 7.1. */
export const MESSAGE_TYPE = {
  setChunkSize: 1,
  abort: 2,
  acknowledgement: 3,
  userControl: 4,
  windowAckSize: 5,
  setPeerBandwidth: 6,
  audio: 8,
  video: 9,
  dataAmf3: 15,
  sharedObjectAmf3: 16,
  commandAmf3: 17,
  dataAmf0: 18,
  sharedObjectAmf0: 19,
  commandAmf0: 20,
  aggregate: 22,
} as const

/** User control event types, RTMP 1.0 section 7.1.7; those from 26 on are not in it and come from Flash Media Server. */
export const USER_CONTROL = {
  streamBegin: 0,
  streamEof: 1,
  streamDry: 2,
  setBufferLength: 3,
  streamIsRecorded: 4,
  pingRequest: 6,
  pingResponse: 7,
  swfVerificationRequest: 26,
  swfVerificationResponse: 27,
  bufferEmpty: 31,
  bufferReady: 32,
} as const

/** Chunk stream ids that this server sends on; media has its own so that headers never depend on each other. */
export const CHUNK_STREAM = { control: 2, command: 3, audio: 4, data: 5, video: 6 } as const

/** Makes a control message that is one 32-bit number: chunk size, chunk stream to abort, acknowledgement or window size. */
export function controlMessage(typeId: number, value: number): RtmpMessage {
  return { typeId, timestampMs: 0, streamId: 0, payload: new ByteWriter(4).u32(value).finish() }
}

/** Reads the value of a control message; throws `bytes.truncated` where it is too short. */
export function parseControlValue(payload: Uint8Array): number {
  return new ByteReader(payload).u32()
}

/** Makes Set Peer Bandwidth, RTMP 1.0 section 5.4.5. */
export function setPeerBandwidth(windowBytes: number, limit: PeerBandwidthLimit = "dynamic"): RtmpMessage {
  const payload = new ByteWriter(5).u32(windowBytes).u8(BANDWIDTH_LIMITS.indexOf(limit)).finish()
  return { typeId: MESSAGE_TYPE.setPeerBandwidth, timestampMs: 0, streamId: 0, payload }
}

/** Reads Set Peer Bandwidth; unknown limit types count as dynamic. Throws `bytes.truncated` where it is too short. */
export function parsePeerBandwidth(payload: Uint8Array): {
  readonly windowBytes: number
  readonly limit: PeerBandwidthLimit
} {
  const reader = new ByteReader(payload)
  return { windowBytes: reader.u32(), limit: BANDWIDTH_LIMITS[reader.u8()] ?? "dynamic" }
}

/** Makes a user control message with a 32-bit value: a message stream id, or the time of a ping. */
export function userControl(eventType: number, value: number): RtmpMessage {
  return userControlMessage(new ByteWriter(6).u16(eventType).u32(value))
}

/** Makes the user control event with which a player says how much it buffers. */
export function setBufferLength(streamId: number, bufferLengthMs: number): RtmpMessage {
  return userControlMessage(new ByteWriter(10).u16(USER_CONTROL.setBufferLength).u32(streamId).u32(bufferLengthMs))
}

/** Reads a user control message; throws `bytes.truncated` where a known event is too short. */
export function parseUserControl(payload: Uint8Array): RtmpUserControl {
  const reader = new ByteReader(payload)
  const eventType = reader.u16()
  const value = VALUE_EVENTS.has(eventType) || reader.remaining >= 4 ? reader.u32() : 0
  const bufferLengthMs = eventType === USER_CONTROL.setBufferLength ? reader.u32() : 0
  return { eventType, value, bufferLengthMs }
}

/** Makes an AMF0 command message. */
export function commandMessage(streamId: number, name: string, transactionId: number, args: AmfValue[]): RtmpMessage {
  const payload = serializeAmf0([name, transactionId, ...args])
  return { typeId: MESSAGE_TYPE.commandAmf0, timestampMs: 0, streamId, payload }
}

/** Makes an AMF0 data message, `onMetaData` for example. */
export function dataMessage(streamId: number, timestampMs: number, values: readonly AmfValue[]): RtmpMessage {
  return { typeId: MESSAGE_TYPE.dataAmf0, timestampMs, streamId, payload: serializeAmf0(values) }
}

/** Turns an AMF0 command or data message into the AMF3 one for a peer that wants those: a format byte, then the same AMF0. */
export function asAmf3Message(message: RtmpMessage): RtmpMessage {
  const typeId = message.typeId === MESSAGE_TYPE.commandAmf0 ? MESSAGE_TYPE.commandAmf3 : MESSAGE_TYPE.dataAmf3
  const payload = new ByteWriter(1 + message.payload.length).u8(FORMAT_AMF0).bytes(message.payload).finish()
  return { ...message, typeId, payload }
}

/** Reads a command message of either type; throws `rtmp.amf` or `bytes.truncated`. */
export function parseCommand(message: RtmpMessage): RtmpCommand {
  const [name, transactionId = 0, ...args] = parseData(message)
  if (typeof name !== "string" || typeof transactionId !== "number") {
    throw new GatewayError("rtmp.amf", "a command needs a name and a transaction id")
  }
  return { name, transactionId, args }
}

/**
 * Reads the values of a data message of either type (`onMetaData` and the like); throws `rtmp.amf` or `bytes.truncated`.
 *
 * An AMF3 message begins with a format byte of 0 and is AMF0 then, in which values may change to AMF3. Some peers leave the byte out, and
 * some send AMF3 from the beginning: then the first value, a name, shows it.
 */
export function parseData({ typeId, payload }: RtmpMessage): AmfValue[] {
  const isAmf3 = typeId === MESSAGE_TYPE.commandAmf3 || typeId === MESSAGE_TYPE.dataAmf3
  if (!isAmf3) return parseAmf0(payload)
  const body = payload[0] === FORMAT_AMF0 || payload[0] === FORMAT_AMF3 ? payload.subarray(1) : payload
  return body[0] === AMF3_STRING ? parseAmf3(body) : parseAmf0(body)
}

function userControlMessage(writer: ByteWriter): RtmpMessage {
  return { typeId: MESSAGE_TYPE.userControl, timestampMs: 0, streamId: 0, payload: writer.finish() }
}

const BANDWIDTH_LIMITS: readonly PeerBandwidthLimit[] = ["hard", "soft", "dynamic"]
const FORMAT_AMF0 = 0
const FORMAT_AMF3 = 3
/** In AMF0 this marker is that of undefined, with which no message begins. */
const AMF3_STRING = 6
/** Events that are nothing without their value. */
const VALUE_EVENTS: ReadonlySet<number> = new Set([
  USER_CONTROL.streamBegin,
  USER_CONTROL.streamEof,
  USER_CONTROL.streamDry,
  USER_CONTROL.setBufferLength,
  USER_CONTROL.streamIsRecorded,
  USER_CONTROL.pingRequest,
  USER_CONTROL.pingResponse,
])

/** Throws `rtmp.amf` for a command or data message that is longer than anybody needs, before it is taken apart. */
export function checkAmfLength({ payload }: RtmpMessage): void {
  if (payload.length > MAX_AMF_BYTES) {
    throw new GatewayError("rtmp.amf", `command or data message of ${payload.length} bytes`)
  }
}

const MAX_AMF_BYTES = 256 * 1024
