import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"
import { type AmfValue, parseAmf0, serializeAmf0 } from "./amf0.ts"

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
  commandAmf3: 17,
  dataAmf0: 18,
  commandAmf0: 20,
  aggregate: 22,
} as const

/** User control event types, RTMP 1.0 section 7.1.7. */
export const USER_CONTROL = {
  streamBegin: 0,
  streamEof: 1,
  streamDry: 2,
  setBufferLength: 3,
  pingRequest: 6,
  pingResponse: 7,
} as const

/** Chunk stream ids that this server sends on; media has its own so that headers never depend on each other. */
export const CHUNK_STREAM = { control: 2, command: 3, audio: 4, data: 5, video: 6 } as const

/** Makes a control message that is one 32-bit number: chunk size, acknowledgement or window size. */
export function controlMessage(typeId: number, value: number): RtmpMessage {
  return { typeId, timestampMs: 0, streamId: 0, payload: new ByteWriter(4).u32(value).finish() }
}

/** Makes Set Peer Bandwidth with limit type 2 (dynamic), RTMP 1.0 section 5.4.5. */
export function setPeerBandwidth(windowBytes: number): RtmpMessage {
  const payload = new ByteWriter(5).u32(windowBytes).u8(2).finish()
  return { typeId: MESSAGE_TYPE.setPeerBandwidth, timestampMs: 0, streamId: 0, payload }
}

/** Makes a user control message with a 32-bit value: a message stream id, or the time of a ping. */
export function userControl(eventType: number, value: number): RtmpMessage {
  const payload = new ByteWriter(6).u16(eventType).u32(value).finish()
  return { typeId: MESSAGE_TYPE.userControl, timestampMs: 0, streamId: 0, payload }
}

/** Reads the value of a control message; throws `bytes.truncated` where it is too short. */
export function parseControlValue(payload: Uint8Array): number {
  return new ByteReader(payload).u32()
}

/** Reads event type and first value of a user control message; throws `bytes.truncated` where it is too short. */
export function parseUserControl(payload: Uint8Array): { readonly eventType: number; readonly value: number } {
  const reader = new ByteReader(payload)
  return { eventType: reader.u16(), value: reader.u32() }
}

/** Makes an AMF0 command message. */
export function commandMessage(streamId: number, name: string, transactionId: number, args: AmfValue[]): RtmpMessage {
  const payload = serializeAmf0([name, transactionId, ...args])
  return { typeId: MESSAGE_TYPE.commandAmf0, timestampMs: 0, streamId, payload }
}

/** Reads a command message, AMF0 or the AMF0 within an AMF3 one; throws `rtmp.amf` or `bytes.truncated`. */
export function parseCommand(message: RtmpMessage): RtmpCommand {
  const [name, transactionId = 0, ...args] = parseAmf0(amf0Body(message))
  if (typeof name !== "string" || typeof transactionId !== "number") {
    throw new GatewayError("rtmp.amf", "a command needs a name and a transaction id")
  }
  return { name, transactionId, args }
}

/** Reads the values of a data message (`onMetaData` and the like); throws `rtmp.amf` or `bytes.truncated`. */
export function parseData(message: RtmpMessage): AmfValue[] {
  return parseAmf0(amf0Body(message))
}

/** An AMF3 message starts with a format byte; with 0, which everybody sends, AMF0 follows. */
function amf0Body(message: RtmpMessage): Uint8Array {
  const isAmf3 = message.typeId === MESSAGE_TYPE.commandAmf3 || message.typeId === MESSAGE_TYPE.dataAmf3
  return isAmf3 && message.payload[0] === 0 ? message.payload.subarray(1) : message.payload
}
