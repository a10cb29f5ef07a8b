import { GatewayError } from "../errors.ts"
import { ByteReader, ByteWriter } from "../media/bytes.ts"
import { AmfMeter } from "./amf-meter.ts"
import type { AmfValue } from "./amf-value.ts"
import { Amf0Decoder, serializeAmf0 } from "./amf0.ts"
import { Amf3Decoder } from "./amf3-decoder.ts"
import { serializeAmf3 } from "./amf3-encoder.ts"
import { MESSAGE_TYPE, type RtmpMessage } from "./message.ts"

/** What a shared object message holds, RTMP 1.0 section 7.1.3. */
export interface SharedObjectMessage {
  readonly name: string
  readonly version: number
  readonly isPersistent: boolean
  /** What its values are written in; AMF0 in message type 16 may contain AMF3 values. */
  readonly encoding: SharedObjectEncoding
  readonly events: readonly SharedObjectEvent[]
}

/** Message type 19, message type 16 with AMF0 in it (format byte 0), message type 16 with AMF3 in it (format byte 3). */
export type SharedObjectEncoding = "amf0" | "amf0InAmf3" | "amf3"

/** One event of a shared object; the client's are use, release, requestChange, sendMessage and requestRemove. */
export type SharedObjectEvent =
  /** Wants the object; the answer is useSuccess. */
  | { readonly type: "use" }
  | { readonly type: "release" }
  | { readonly type: "useSuccess" }
  | { readonly type: "clear" }
  | { readonly type: "requestChange"; readonly key: string; readonly value: AmfValue }
  /** Tells the other clients of new values. */
  | { readonly type: "change"; readonly values: ReadonlyMap<string, AmfValue> }
  /** Tells the client that its change was done. */
  | { readonly type: "success"; readonly key: string }
  | { readonly type: "requestRemove"; readonly key: string }
  | { readonly type: "remove"; readonly key: string }
  /** A call to all clients: the name of the handler and its arguments. */
  | { readonly type: "sendMessage"; readonly values: readonly AmfValue[] }
  /** An error, `SharedObject.BadPersistence` for example. */
  | { readonly type: "status"; readonly code: string; readonly level: string }
  | { readonly type: "unknown"; readonly eventType: number; readonly data: Uint8Array }

/** Reads a message of type 19 or 16; throws `rtmp.amf` or `bytes.truncated`. Data of unknown events is borrowed. */
export function parseSharedObject({ typeId, payload }: RtmpMessage): SharedObjectMessage {
  const reader = new ByteReader(payload)
  const encoding = typeId === MESSAGE_TYPE.sharedObjectAmf0 ? "amf0" : readFormat(reader)
  const name = readText(reader)
  const version = reader.u32()
  const isPersistent = reader.u32() === PERSISTENT
  reader.skip(4) // reserved
  const events: SharedObjectEvent[] = []
  const meter = new AmfMeter()
  while (reader.remaining > 0) {
    const eventType = reader.u8()
    const data = reader.take(reader.u32())
    events.push(parseEvent(eventType, new EventReader(data, encoding, meter)))
  }
  return { name, version, isPersistent, encoding, events }
}

/** Makes the message of type 19 or 16, as its encoding says. Throws `rtmp.amf` for a name that is too long. */
export function sharedObjectMessage(content: SharedObjectMessage): RtmpMessage {
  const { name, version, isPersistent, encoding, events } = content
  const writer = new ByteWriter()
  if (encoding !== "amf0") writer.u8(encoding === "amf3" ? FORMAT_AMF3 : FORMAT_AMF0)
  writeText(writer, name)
  writer
    .u32(version)
    .u32(isPersistent ? PERSISTENT : 0)
    .u32(0)
  for (const event of events) {
    const data = serializeEvent(event, encoding)
    const eventType = event.type === "unknown" ? event.eventType : EVENT_TYPE[event.type]
    writer.u8(eventType).u32(data.length).bytes(data)
  }
  const typeId = encoding === "amf0" ? MESSAGE_TYPE.sharedObjectAmf0 : MESSAGE_TYPE.sharedObjectAmf3
  return { typeId, timestampMs: 0, streamId: 0, payload: writer.finish() }
}

function parseEvent(eventType: number, reader: EventReader): SharedObjectEvent {
  switch (eventType) {
    case EVENT_TYPE.use:
      return { type: "use" }
    case EVENT_TYPE.release:
      return { type: "release" }
    case EVENT_TYPE.useSuccess:
      return { type: "useSuccess" }
    case EVENT_TYPE.clear:
      return { type: "clear" }
    case EVENT_TYPE.requestChange:
      return { type: "requestChange", key: reader.text(), value: reader.value() }
    case EVENT_TYPE.change: {
      const values = new Map<string, AmfValue>()
      while (!reader.atEnd) values.set(reader.text(), reader.value())
      return { type: "change", values }
    }
    case EVENT_TYPE.success:
      return { type: "success", key: reader.text() }
    case EVENT_TYPE.requestRemove:
      return { type: "requestRemove", key: reader.text() }
    case EVENT_TYPE.remove:
      return { type: "remove", key: reader.text() }
    case EVENT_TYPE.sendMessage: {
      const values: AmfValue[] = []
      while (!reader.atEnd) values.push(reader.value())
      return { type: "sendMessage", values }
    }
    case EVENT_TYPE.status:
      return { type: "status", code: reader.text(), level: reader.text() }
    default:
      return { type: "unknown", eventType, data: reader.rest() }
  }
}

/** Reads the data of one event; each value has tables of references of its own, and all values of a message have one meter. */
class EventReader {
  readonly #reader: ByteReader
  readonly #encoding: SharedObjectEncoding
  readonly #meter: AmfMeter

  constructor(data: Uint8Array, encoding: SharedObjectEncoding, meter: AmfMeter) {
    this.#reader = new ByteReader(data)
    this.#encoding = encoding
    this.#meter = meter
  }

  get atEnd(): boolean {
    return this.#reader.remaining === 0
  }

  text(): string {
    return readText(this.#reader)
  }

  value(): AmfValue {
    const decoder =
      this.#encoding === "amf3"
        ? new Amf3Decoder(this.#reader, this.#meter)
        : new Amf0Decoder(this.#reader, this.#meter)
    return decoder.value()
  }

  rest(): Uint8Array {
    return this.#reader.rest()
  }
}

function serializeEvent(event: SharedObjectEvent, encoding: SharedObjectEncoding): Uint8Array {
  const serialize = encoding === "amf3" ? serializeAmf3 : serializeAmf0
  const writer = new ByteWriter(32)
  switch (event.type) {
    case "requestChange":
      writeText(writer, event.key)
      writer.bytes(serialize([event.value]))
      break
    case "change":
      for (const [key, value] of event.values) {
        writeText(writer, key)
        writer.bytes(serialize([value]))
      }
      break
    case "success":
    case "requestRemove":
    case "remove":
      writeText(writer, event.key)
      break
    case "sendMessage":
      for (const value of event.values) writer.bytes(serialize([value]))
      break
    case "status":
      writeText(writer, event.code)
      writeText(writer, event.level)
      break
    case "unknown":
      return event.data
  }
  return writer.finish()
}

function readFormat(reader: ByteReader): SharedObjectEncoding {
  const format = reader.u8()
  if (format === FORMAT_AMF0) return "amf0InAmf3"
  if (format === FORMAT_AMF3) return "amf3"
  throw new GatewayError("rtmp.amf", `a shared object in format ${format}: send it in AMF0 or AMF3`)
}

function readText(reader: ByteReader): string {
  return DECODER.decode(reader.take(reader.u16()))
}

function writeText(writer: ByteWriter, text: string): void {
  const bytes = ENCODER.encode(text)
  if (bytes.length > 0xffff) throw new GatewayError("rtmp.amf", `a name of ${bytes.length} bytes is too long`)
  writer.u16(bytes.length).bytes(bytes)
}

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true })
const ENCODER = new TextEncoder()

const PERSISTENT = 2
const FORMAT_AMF0 = 0
const FORMAT_AMF3 = 3
const EVENT_TYPE = {
  use: 1,
  release: 2,
  requestChange: 3,
  change: 4,
  success: 5,
  sendMessage: 6,
  status: 7,
  clear: 8,
  remove: 9,
  requestRemove: 10,
  useSuccess: 11,
} as const
