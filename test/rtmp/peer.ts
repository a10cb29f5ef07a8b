import { concat } from "../../src/media/bytes.ts"
import type { AmfValue } from "../../src/rtmp/amf-value.ts"
import { parseAmf0, serializeAmf0 } from "../../src/rtmp/amf0.ts"
import { ChunkReader } from "../../src/rtmp/chunk-reader.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import { commandMessage, MESSAGE_TYPE, type RtmpMessage } from "../../src/rtmp/message.ts"
import type { RtmpServerEvent } from "../../src/rtmp/server-events.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { RtmpServerSession } from "../../src/rtmp/server-session.ts"
import { toHex } from "../support/bytes.ts"

export const HANDSHAKE = concat([Uint8Array.of(3), new Uint8Array(2 * 1_536)])
export const CONNECT = connect()
export const CREATE_STREAM = command(0, "createStream", 2, null)
export const PUBLISH = command(1, "publish", 3, null, "cam1?token=t", "live")
export const PLAY = command(1, "play", 3, null, "cam1")
export const VIDEO = serializeMessage({ typeId: 9, timestampMs: 40, streamId: 1, payload: Uint8Array.of(0x17, 1) }, 128)

/** `connect` with more properties than those that everybody sends. */
export function connect(properties: Record<string, AmfValue> = {}): Uint8Array {
  return command(0, "connect", 1, { app: "live", tcUrl: "rtmp://h/live", ...properties })
}

export function command(streamId: number, name: string, transactionId: number, ...args: AmfValue[]): Uint8Array {
  return serializeMessage(commandMessage(streamId, name, transactionId, args), 128)
}

export function data(...values: AmfValue[]): Uint8Array {
  const payload = serializeAmf0(values)
  return serializeMessage({ typeId: MESSAGE_TYPE.dataAmf0, timestampMs: 0, streamId: 1, payload }, 128)
}

/** A session, and a client's view of it: what was sent is shown as text, one line for each message. */
export class Peer {
  readonly session: RtmpServerSession
  readonly #reader = new ChunkReader(RTMP_SERVER_DEFAULTS)
  #handshakeBytesLeft = 1 + 2 * 1_536

  constructor(options = RTMP_SERVER_DEFAULTS) {
    this.session = new RtmpServerSession(options, new Uint8Array(8), 0)
  }

  push(...input: Uint8Array[]): unknown[] {
    return this.see(this.session.push(concat(input), 1_000))
  }

  see(events: RtmpServerEvent[]): unknown[] {
    return events.flatMap((event): unknown[] => (event.type === "send" ? this.#read(event.bytes) : [event]))
  }

  #read(bytes: Uint8Array): string[] {
    const skipped = Math.min(this.#handshakeBytesLeft, bytes.length)
    this.#handshakeBytesLeft -= skipped
    const lines: string[] = []
    this.#reader.push(bytes.subarray(skipped), (message) => lines.push(show(message)))
    return lines
  }
}

/** Commands and data as text, in AMF3 messages with a mark; everything else in hexadecimal digits. */
function show({ typeId, streamId, payload }: RtmpMessage): string {
  const isAmf3 = typeId === MESSAGE_TYPE.commandAmf3
  if (!isAmf3 && typeId !== MESSAGE_TYPE.commandAmf0 && typeId !== MESSAGE_TYPE.dataAmf0) {
    return `control ${typeId} ${toHex(payload)}`
  }
  const [name, ...values] = parseAmf0(isAmf3 ? payload.subarray(1) : payload)
  const texts = values.map((value) => (value === undefined ? "undefined" : JSON.stringify(value)))
  return `${isAmf3 ? "amf3 " : ""}${streamId} ${name} ${texts.join(" ")}`
}

/** The codes of the statuses among what `Peer` showed. */
export function statusCodes(shown: readonly unknown[]): string[] {
  return shown.flatMap((line) => (typeof line === "string" ? (/"code":"([\w.]+)"/.exec(line)?.[1] ?? []) : []))
}

export function publishing(options = RTMP_SERVER_DEFAULTS): Peer {
  const peer = new Peer(options)
  peer.push(HANDSHAKE, CONNECT, CREATE_STREAM, PUBLISH)
  peer.see(peer.session.acceptPublish(1))
  return peer
}

export function playing(connectCommand = CONNECT, play = PLAY): Peer {
  const peer = new Peer()
  peer.push(HANDSHAKE, connectCommand, CREATE_STREAM, play)
  peer.see(peer.session.acceptPlay(1))
  return peer
}
