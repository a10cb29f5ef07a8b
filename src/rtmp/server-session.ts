import { GatewayError } from "../errors.ts"
import { parseAggregate } from "./aggregate.ts"
import { type AmfValue, amfField } from "./amf0.ts"
import { ChunkReader } from "./chunk-reader.ts"
import { serializeMessage } from "./chunk-writer.ts"
import { ServerHandshake } from "./handshake.ts"
import {
  commandMessage,
  controlMessage,
  MESSAGE_TYPE,
  parseCommand,
  parseControlValue,
  parseData,
  parseUserControl,
  type RtmpCommand,
  type RtmpMessage,
  USER_CONTROL,
  userControl,
} from "./message.ts"
import type { RtmpServerEvent } from "./server-events.ts"
import type { RtmpPlayRefusal, RtmpRefusal, RtmpServerOptions } from "./server-options.ts"
import { answerTo, connectReplies, errorFor, onStatus, statusInfo } from "./server-replies.ts"
import { parseStreamAddress } from "./stream-address.ts"

type StreamState = "idle" | "publishRequested" | "publishing" | "publishRevoked" | "playRequested" | "playing"

/**
 * The server's side of one RTMP connection, RTMP 1.0 section 7.2: bytes and the time go in, events come out.
 *
 * No success is reported to the peer before the caller accepted, and media before that ends the session. What the peer does
 * wrong comes as a last `close` event with an error, after the events before it and the status for the peer; later calls
 * give nothing. Nothing is thrown.
 */
export class RtmpServerSession {
  readonly #options: RtmpServerOptions
  readonly #handshake: ServerHandshake
  readonly #reader: ChunkReader
  readonly #streams = new Map<number, StreamState>()
  #events: RtmpServerEvent[] = []
  #phase: "handshake" | "connect" | "ready" | "closed" = "handshake"
  #app = ""
  #tcUrl = ""
  #fourCcList: readonly string[] = []
  #nextStreamId = 1
  #peerWindowBytes: number
  #acknowledgedBytes = 0
  #handshakeBytes = 0
  #receivedAtMs: number
  #idleSinceMs: number

  /** `s1Random` fills the server's handshake packet (up to 1528 bytes); `nowMs` is the time of the connection. */
  constructor(options: RtmpServerOptions, s1Random: Uint8Array, nowMs: number) {
    this.#options = options
    this.#handshake = new ServerHandshake(s1Random)
    this.#reader = new ChunkReader({ ...SETUP_LIMITS, maxChunkStreams: options.maxChunkStreams })
    this.#peerWindowBytes = options.windowAckBytes
    this.#receivedAtMs = nowMs
    this.#idleSinceMs = nowMs
  }

  /** When `onTimeout` wants to be called, undefined for never; changes with every other call. */
  get nextTimeoutMs(): number | undefined {
    if (this.#phase === "closed") return undefined
    let hasActive = false
    for (const state of this.#streams.values()) {
      if (state === "publishing") return this.#receivedAtMs + this.#options.idleTimeoutMs
      if (isActive(state)) hasActive = true
    }
    return hasActive ? undefined : this.#idleSinceMs + this.#options.commandTimeoutMs
  }

  /** Takes received bytes, which are borrowed until it returns. */
  push(bytes: Uint8Array, nowMs: number): RtmpServerEvent[] {
    return this.#run(() => {
      this.#receivedAtMs = nowMs
      let input: Uint8Array | undefined = bytes
      if (this.#phase === "handshake") {
        const step = this.#handshake.push(bytes)
        if (step.send !== undefined) this.#events.push({ type: "send", bytes: step.send })
        input = step.rest
        this.#handshakeBytes += bytes.length - (input?.length ?? 0)
        if (input !== undefined) this.#phase = "connect"
      }
      if (input !== undefined) this.#reader.push(input, (message) => this.#onMessage(message, nowMs))
    })
  }

  /** Ends the session if its time is up. */
  onTimeout(nowMs: number): RtmpServerEvent[] {
    return this.#run(() => {
      const deadlineMs = this.nextTimeoutMs
      if (deadlineMs === undefined || nowMs < deadlineMs) return
      throw new GatewayError("rtmp.timeout", this.#phase === "ready" ? "nothing received" : `stalled in ${this.#phase}`)
    })
  }

  /** Lets a requested publication begin; without effect if the peer has given it up. */
  acceptPublish(streamId: number): RtmpServerEvent[] {
    return this.#run(() => {
      if (this.#streams.get(streamId) !== "publishRequested") return
      this.#streams.set(streamId, "publishing")
      this.#reader.setLimits(this.#options)
      this.#send(userControl(USER_CONTROL.streamBegin, streamId))
      this.#send(onStatus(streamId, "status", "NetStream.Publish.Start", "publishing"))
    })
  }

  /** Refuses a requested publication and ends the session. */
  rejectPublish(streamId: number, code: RtmpRefusal, description: string): RtmpServerEvent[] {
    return this.#reject(streamId, "publishRequested", code, description)
  }

  /** Lets a requested playback begin; afterwards the caller sends media on the same message stream. */
  acceptPlay(streamId: number): RtmpServerEvent[] {
    return this.#run(() => {
      if (this.#streams.get(streamId) !== "playRequested") return
      this.#streams.set(streamId, "playing")
      this.#send(userControl(USER_CONTROL.streamBegin, streamId))
      this.#send(onStatus(streamId, "status", "NetStream.Play.Reset", "playing and resetting"))
      this.#send(onStatus(streamId, "status", "NetStream.Play.Start", "playing"))
    })
  }

  /** Refuses a requested playback and ends the session. */
  rejectPlay(streamId: number, code: RtmpPlayRefusal, description: string): RtmpServerEvent[] {
    return this.#reject(streamId, "playRequested", code, description)
  }

  /** Tells a publisher that its publication was ended from this side; what it still sends is ignored. */
  endPublish(streamId: number, description: string): RtmpServerEvent[] {
    return this.#run(() => {
      if (this.#streams.get(streamId) !== "publishing") return
      this.#streams.set(streamId, "publishRevoked")
      this.#idleSinceMs = this.#receivedAtMs
      this.#send(onStatus(streamId, "error", "NetStream.Publish.Denied", description))
    })
  }

  /** Tells a player that the stream is over. */
  endPlay(streamId: number, description: string): RtmpServerEvent[] {
    return this.#run(() => {
      if (this.#streams.get(streamId) !== "playing") return
      this.#setIdle(streamId, this.#receivedAtMs)
      this.#send(onStatus(streamId, "status", "NetStream.Play.UnpublishNotify", description))
      this.#send(userControl(USER_CONTROL.streamEof, streamId))
    })
  }

  /** Ends the session for a reason that the caller found, media that cannot be used for example. */
  fail(error: GatewayError): RtmpServerEvent[] {
    return this.#run(() => {
      throw error
    })
  }

  #run(action: () => void): RtmpServerEvent[] {
    if (this.#phase === "closed") return []
    try {
      action()
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.#sendFailure(error)
      this.#close(error.message, error)
    }
    const events = this.#events
    this.#events = []
    return events
  }

  #reject(streamId: number, expected: StreamState, code: string, description: string): RtmpServerEvent[] {
    return this.#run(() => {
      if (this.#streams.get(streamId) !== expected) return
      this.#streams.delete(streamId)
      this.#send(onStatus(streamId, "error", code, description))
      this.#close(description)
    })
  }

  #onMessage(message: RtmpMessage, nowMs: number): void {
    if (this.#phase === "closed") return
    this.#acknowledge()
    if (message.typeId !== MESSAGE_TYPE.aggregate) this.#dispatch(message, nowMs)
    else for (const part of parseAggregate(message)) this.#dispatch(part, nowMs)
  }

  #dispatch(message: RtmpMessage, nowMs: number): void {
    switch (message.typeId) {
      case MESSAGE_TYPE.windowAckSize:
        this.#peerWindowBytes = Math.max(parseControlValue(message.payload), MIN_ACK_WINDOW_BYTES)
        return
      case MESSAGE_TYPE.userControl:
        this.#onUserControl(message.payload)
        return
      case MESSAGE_TYPE.audio:
        this.#onMedia("audio", message)
        return
      case MESSAGE_TYPE.video:
        this.#onMedia("video", message)
        return
      case MESSAGE_TYPE.dataAmf0:
      case MESSAGE_TYPE.dataAmf3:
        this.#onData(message)
        return
      case MESSAGE_TYPE.commandAmf0:
      case MESSAGE_TYPE.commandAmf3:
        checkAmfLength(message)
        this.#onCommand(parseCommand(message), message.streamId, nowMs)
    }
  }

  /** RTMP 1.0 section 5.4.3: the peer may stop sending until it is told what has arrived. */
  #acknowledge(): void {
    const receivedBytes = this.#handshakeBytes + this.#reader.consumedBytes
    if (receivedBytes - this.#acknowledgedBytes < this.#peerWindowBytes) return
    this.#acknowledgedBytes = receivedBytes
    this.#send(controlMessage(MESSAGE_TYPE.acknowledgement, receivedBytes % 2 ** 32))
  }

  #onUserControl(payload: Uint8Array): void {
    const { eventType, value } = parseUserControl(payload)
    if (eventType === USER_CONTROL.pingRequest) this.#send(userControl(USER_CONTROL.pingResponse, value))
  }

  #onMedia(type: "audio" | "video", { streamId, timestampMs, payload }: RtmpMessage): void {
    const state = this.#streams.get(streamId)
    if (state === "publishing") this.#events.push({ type, streamId, timestampMs, payload })
    else if (state !== "publishRevoked") throw new GatewayError("rtmp.command", `${type} without a publication`)
  }

  #onData(message: RtmpMessage): void {
    if (this.#streams.get(message.streamId) !== "publishing") return
    checkAmfLength(message)
    const values = parseData(message)
    const at = values[0] === "@setDataFrame" ? 1 : 0
    if (values[at] !== "onMetaData") return
    this.#events.push({ type: "metadata", streamId: message.streamId, values: values[at + 1] })
  }

  #onCommand(command: RtmpCommand, streamId: number, nowMs: number): void {
    if (this.#phase === "connect") {
      this.#connect(command)
      return
    }
    switch (command.name) {
      case "createStream":
        this.#createStream(command)
        return
      case "publish":
        this.#request("publish", streamId, command.args[1])
        return
      case "play":
        this.#request("play", streamId, command.args[1])
        return
      case "deleteStream":
        if (typeof command.args[1] === "number") this.#end(command.args[1], nowMs, true)
        return
      case "closeStream":
        this.#end(streamId, nowMs, false)
        return
      case "FCSubscribe":
        this.#send(
          commandMessage(0, "onFCSubscribe", 0, [null, statusInfo("status", "NetStream.Play.Start", "subscribed")]),
        )
        return
      case "receiveAudio":
        this.#receiveChanged("audio", streamId, command.args[1])
        return
      case "receiveVideo":
        this.#receiveChanged("video", streamId, command.args[1])
        return
      case "releaseStream":
      case "FCPublish":
      case "FCUnpublish":
      case "_checkbw":
        this.#send(answerTo(command, "_result", undefined))
        return
      case "getStreamLength":
        this.#send(answerTo(command, "_result", 0)) // live has no length
        return
      case "pause": // live cannot be paused, and nobody waits for an answer
      case "_result":
      case "_error":
      case "onStatus":
        return
      default:
        this.#send(errorFor(command, "NetConnection.Call.Failed", `unknown command ${command.name.slice(0, 64)}`))
    }
  }

  #connect(command: RtmpCommand): void {
    if (command.name !== "connect")
      throw new GatewayError("rtmp.command", `${command.name.slice(0, 64)} before connect`)
    const [details] = command.args
    const app = amfField(details, "app")
    const tcUrl = amfField(details, "tcUrl")
    const fourCcList = amfField(details, "fourCcList")
    if (typeof app !== "string") throw new GatewayError("rtmp.command", "connect without an application")
    this.#app = app
    this.#tcUrl = typeof tcUrl === "string" ? tcUrl : ""
    this.#fourCcList = Array.isArray(fourCcList) ? fourCcList.filter((item) => typeof item === "string") : []
    this.#phase = "ready"
    const { windowAckBytes, chunkSizeBytes } = this.#options
    for (const reply of connectReplies(command, windowAckBytes, chunkSizeBytes)) this.#send(reply)
  }

  #createStream(command: RtmpCommand): void {
    if (this.#streams.size >= this.#options.maxMessageStreams) {
      this.#send(errorFor(command, "NetConnection.Call.Failed", "too many streams"))
      return
    }
    const streamId = this.#nextStreamId++
    this.#streams.set(streamId, "idle")
    this.#send(answerTo(command, "_result", streamId))
  }

  #request(action: "publish" | "play", streamId: number, name: AmfValue): void {
    const state = this.#streams.get(streamId)
    if (state !== "idle" && state !== "publishRevoked") {
      throw new GatewayError("rtmp.command", `${action} on message stream ${streamId}, which is ${state ?? "unknown"}`)
    }
    if (typeof name !== "string") throw new GatewayError("rtmp.command", `${action} without a stream name`)
    const address = parseStreamAddress(this.#tcUrl, this.#app, name)
    if (action === "publish") {
      this.#streams.set(streamId, "publishRequested")
      this.#events.push({ type: "publishRequested", streamId, ...address })
    } else {
      this.#streams.set(streamId, "playRequested")
      this.#events.push({ type: "playRequested", streamId, fourCcList: this.#fourCcList, ...address })
    }
  }

  #end(streamId: number, nowMs: number, isDeleted: boolean): void {
    const state = this.#streams.get(streamId)
    if (state === undefined) return
    if (state === "publishing") {
      this.#send(onStatus(streamId, "status", "NetStream.Unpublish.Success", "publication ended"))
    }
    this.#setIdle(streamId, nowMs)
    if (isDeleted) this.#streams.delete(streamId)
    if (state === "publishing" || state === "publishRequested") this.#events.push({ type: "publishEnded", streamId })
    if (state === "playing" || state === "playRequested") this.#events.push({ type: "playEnded", streamId })
  }

  #receiveChanged(kind: "audio" | "video", streamId: number, value: AmfValue): void {
    if (this.#streams.get(streamId) !== "playing") return
    this.#events.push({ type: "receiveChanged", streamId, kind, enabled: value !== false })
  }

  #setIdle(streamId: number, nowMs: number): void {
    this.#streams.set(streamId, "idle")
    this.#idleSinceMs = nowMs
  }

  #sendFailure(error: GatewayError): void {
    if (this.#phase === "connect") {
      const rejected = statusInfo("error", "NetConnection.Connect.Rejected", error.message)
      this.#send(commandMessage(0, "_error", 1, [null, rejected])) // connect has the transaction id 1 by definition
    } else if (this.#phase === "ready") {
      const active = [...this.#streams].find(([, state]) => isActive(state))
      this.#send(onStatus(active?.[0] ?? 0, "error", "NetStream.Failed", error.message))
    }
  }

  #close(reason: string, error?: GatewayError): void {
    this.#phase = "closed"
    this.#events.push(error === undefined ? { type: "close", reason } : { type: "close", reason, error })
  }

  #send(message: RtmpMessage): void {
    // Set Chunk Size goes out before anything longer than the default chunk, so the new size is right for all.
    this.#events.push({ type: "send", bytes: serializeMessage(message, this.#sendChunkBytes()) })
  }

  #sendChunkBytes(): number {
    return this.#phase === "ready" ? this.#options.chunkSizeBytes : DEFAULT_CHUNK_BYTES
  }
}

function isActive(state: StreamState): boolean {
  return state !== "idle" && state !== "publishRevoked"
}

function checkAmfLength(message: RtmpMessage): void {
  if (message.payload.length > MAX_AMF_BYTES) {
    throw new GatewayError("rtmp.amf", `command or data message of ${message.payload.length} bytes`)
  }
}

const DEFAULT_CHUNK_BYTES = 128
/** Who may not publish yet has nothing large to say. */
const SETUP_LIMITS = { maxMessageBytes: 64 * 1024, maxPendingBytes: 128 * 1024 }
const MAX_AMF_BYTES = 256 * 1024
const MIN_ACK_WINDOW_BYTES = 4_096
