import { once } from "node:events"
import { connect, type Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import { type AmfObject, type AmfValue, amfField } from "../../../src/rtmp/amf-value.ts"
import { parseAmf0, serializeAmf0 } from "../../../src/rtmp/amf0.ts"
import { ChunkReader } from "../../../src/rtmp/chunk-reader.ts"
import { serializeMessage } from "../../../src/rtmp/chunk-writer.ts"
import { commandMessage, MESSAGE_TYPE, type RtmpMessage } from "../../../src/rtmp/message.ts"
import { RTMP_SERVER_DEFAULTS } from "../../../src/rtmp/server-options.ts"
import type { Scope } from "../../support/scope.ts"
import { until } from "../../support/wait.ts"

/** A small RTMP client that does what a test says and keeps all that it receives. */
export class RtmpClient {
  readonly socket: Socket
  readonly messages: RtmpMessage[] = []
  /** Rejects where nobody listens. */
  readonly connected: Promise<void>
  readonly closed: Promise<void>
  readonly #reader = new ChunkReader(RTMP_SERVER_DEFAULTS)
  #handshakeBytesLeft = HANDSHAKE_BYTES

  /** Connects to a port of the loopback interface, or uses a socket that connects already. */
  constructor(to: number | TLSSocket, scope: Scope) {
    this.socket = typeof to === "number" ? connect(to, "127.0.0.1") : to
    this.socket.setNoDelay(true)
    scope.defer(() => this.socket.destroy())
    this.connected = once(this.socket, typeof to === "number" ? "connect" : "secureConnect").then(() => {})
    this.connected.catch(() => {}) // whoever waits for it gets the error
    this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()))
    this.socket.on("error", () => {}) // a server that hangs up is seen through `closed`
    this.socket.on("data", (bytes) => this.#onData(bytes as Uint8Array))
  }

  /** Connects, and publishes or plays `stream` in the application `live`; `args` follow its name. */
  static async open(
    port: number,
    scope: Scope,
    action: "publish" | "play",
    stream: string,
    ...args: AmfValue[]
  ): Promise<RtmpClient> {
    const client = new RtmpClient(port, scope)
    await client.connect()
    client.begin(action, stream, ...args)
    return client
  }

  /** Handshake and `connect`, without waiting for answers; `properties` are added to those that everybody sends. */
  async connect(properties: AmfObject = {}): Promise<void> {
    await this.connected
    this.socket.write(new Uint8Array(HANDSHAKE_BYTES).fill(3, 0, 1))
    this.command(0, "connect", 1, { app: "live", tcUrl: "rtmp://127.0.0.1/live", ...properties })
  }

  /** Publishes or plays on a message stream of its own, the first one; `args` follow the name. */
  begin(action: "publish" | "play", stream: string, ...args: AmfValue[]): void {
    this.command(0, "createStream", 2, null)
    this.command(1, action, 3, null, stream, ...args)
  }

  command(streamId: number, name: string, transactionId: number, ...args: AmfValue[]): void {
    this.socket.write(serializeMessage(commandMessage(streamId, name, transactionId, args), 128))
  }

  metadata(values: AmfValue): void {
    this.message(MESSAGE_TYPE.dataAmf0, 0, serializeAmf0(["@setDataFrame", "onMetaData", values]))
  }

  message(typeId: number, timestampMs: number, payload: Uint8Array): void {
    this.socket.write(serializeMessage({ typeId, timestampMs, streamId: 1, payload }, 128))
  }

  /** The codes of all `onStatus` so far. */
  statusCodes(): AmfValue[] {
    return this.#commands().flatMap(([name, , , info]) => (name === "onStatus" ? [amfField(info, "code")] : []))
  }

  /** The transactions that were answered with success so far. */
  results(): AmfValue[] {
    return this.#commands().flatMap(([name, transactionId]) => (name === "_result" ? [transactionId] : []))
  }

  /** Waits for a status code. */
  async status(code: string): Promise<this> {
    await until(`${code}, got ${this.statusCodes()}`, () => this.statusCodes().includes(code))
    return this
  }

  /** Audio and video messages so far. */
  media(): RtmpMessage[] {
    return this.messages.filter(({ typeId }) => typeId === MESSAGE_TYPE.audio || typeId === MESSAGE_TYPE.video)
  }

  #commands(): AmfValue[][] {
    const commands = this.messages.filter(({ typeId }) => typeId === MESSAGE_TYPE.commandAmf0)
    return commands.map(({ payload }) => parseAmf0(payload))
  }

  #onData(bytes: Uint8Array): void {
    const skipped = Math.min(this.#handshakeBytesLeft, bytes.length)
    this.#handshakeBytesLeft -= skipped
    this.#reader.push(bytes.subarray(skipped), (message) => this.messages.push(message))
  }
}

const HANDSHAKE_BYTES = 1 + 2 * 1_536
