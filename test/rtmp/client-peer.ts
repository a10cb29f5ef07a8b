import { concat } from "../../src/media/bytes.ts"
import type { AmfValue } from "../../src/rtmp/amf-value.ts"
import { parseAmf0 } from "../../src/rtmp/amf0.ts"
import { ChunkReader } from "../../src/rtmp/chunk-reader.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import type { RtmpClientEvent } from "../../src/rtmp/client-events.ts"
import { RTMP_CLIENT_DEFAULTS, type RtmpClientLimits, type RtmpClientOptions } from "../../src/rtmp/client-options.ts"
import { RtmpClientSession } from "../../src/rtmp/client-session.ts"
import { commandMessage, MESSAGE_TYPE, type RtmpMessage } from "../../src/rtmp/message.ts"
import { parseRtmpUrl } from "../../src/rtmp/rtmp-url.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { toHex } from "../support/bytes.ts"

/** What a server of the simple handshake sends. */
export const SERVER_HANDSHAKE = concat([Uint8Array.of(3), new Uint8Array(2 * 1_536)])

/** A client session, and a server's view of it: what it sends is shown as text, one line for each message. */
export class ClientPeer {
  readonly session: RtmpClientSession
  readonly #reader = new ChunkReader(RTMP_SERVER_DEFAULTS)
  #handshakeBytesLeft = 1 + 2 * 1_536

  constructor(
    action: "publish" | "play",
    url = "rtmp://h/live/cam1?key=secret",
    limits: Partial<RtmpClientLimits> = {},
    more: Partial<RtmpClientOptions> = {},
  ) {
    const options = { action, address: parseRtmpUrl(url), limits: { ...RTMP_CLIENT_DEFAULTS, ...limits }, ...more }
    this.session = new RtmpClientSession(options, new Uint8Array(8), 0)
    this.see(this.session.start(0))
  }

  /** Takes messages of the server. */
  push(...messages: (RtmpMessage | Uint8Array)[]): unknown[] {
    return this.pushAt(1_000, ...messages)
  }

  pushAt(nowMs: number, ...messages: (RtmpMessage | Uint8Array)[]): unknown[] {
    const bytes = messages.map((message) => (message instanceof Uint8Array ? message : serializeMessage(message, 128)))
    return this.see(this.session.push(concat(bytes), nowMs))
  }

  see(events: RtmpClientEvent[]): unknown[] {
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

/** A client whose publication or playback has begun. */
export function established(action: "publish" | "play", limits: Partial<RtmpClientLimits> = {}): ClientPeer {
  const peer = new ClientPeer(action, undefined, limits)
  peer.push(SERVER_HANDSHAKE, CONNECTED, STREAM_CREATED, status(action === "publish" ? "Publish.Start" : "Play.Start"))
  return peer
}

export const CONNECTED = result(1, { fmsVer: "FMS/3" }, { level: "status", code: "NetConnection.Connect.Success" })
export const STREAM_CREATED = result(4, null, 1)

export function result(transactionId: number, ...args: AmfValue[]): RtmpMessage {
  return commandMessage(0, "_result", transactionId, args)
}

export function failure(transactionId: number, info: AmfValue): RtmpMessage {
  return commandMessage(0, "_error", transactionId, [null, info])
}

export function status(code: string, extra: Record<string, AmfValue> = {}, level = "status"): RtmpMessage {
  return commandMessage(1, "onStatus", 0, [null, { level, code: `NetStream.${code}`, ...extra }])
}

function show({ typeId, streamId, payload }: RtmpMessage): string {
  if (typeId !== MESSAGE_TYPE.commandAmf0) return `control ${typeId} ${toHex(payload)}`
  const [name, transactionId, ...args] = parseAmf0(payload)
  return `${streamId} ${name} ${transactionId} ${args.map((arg) => (arg === undefined ? "undefined" : JSON.stringify(arg))).join(" ")}`
}
