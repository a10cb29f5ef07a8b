import { GatewayError } from "../errors.ts"
import { parseAggregate } from "./aggregate.ts"
import { ChunkReader, DEFAULT_CHUNK_BYTES } from "./chunk-reader.ts"
import { serializeMessage } from "./chunk-writer.ts"
import { ServerHandshake } from "./handshake.ts"
import type { HmacSha256 } from "./handshake-digest.ts"
import {
  asAmf3Message,
  checkAmfLength,
  commandMessage,
  MESSAGE_TYPE,
  parseCommand,
  parseData,
  type RtmpCommand,
  type RtmpMessage,
  USER_CONTROL,
  userControl,
} from "./message.ts"
import { ServerClock } from "./server-clock.ts"
import { answerCommand, commandName } from "./server-commands.ts"
import { connectReplies, NOT_CONNECTED, parseConnect } from "./server-connect.ts"
import { ServerControls } from "./server-controls.ts"
import type { RtmpServerEvent } from "./server-events.ts"
import type { RtmpPlayRefusal, RtmpRefusal, RtmpServerOptions } from "./server-options.ts"
import { onStatus, refuseSharedObject, statusInfo } from "./server-replies.ts"
import { ServerStreams } from "./server-streams.ts"

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
  readonly #controls: ServerControls
  readonly #clock: ServerClock
  readonly #streams: ServerStreams
  #events: RtmpServerEvent[] = []
  #phase: "handshake" | "connect" | "ready" | "closed" = "handshake"
  #connection = NOT_CONNECTED

  /**
   * `s1Random` fills the server's handshake packet (up to 1528 bytes); `nowMs` is the time of the connection. Without `hmac` the digest
   * form of the handshake is answered in the simple one.
   */
  constructor(options: RtmpServerOptions, s1Random: Uint8Array, nowMs: number, hmac?: HmacSha256) {
    this.#options = options
    this.#handshake = new ServerHandshake(s1Random, hmac)
    this.#reader = new ChunkReader({ ...SETUP_LIMITS, maxChunkStreams: options.maxChunkStreams })
    this.#controls = new ServerControls(options.windowAckBytes)
    this.#clock = new ServerClock(options, nowMs)
    this.#streams = new ServerStreams(options.maxMessageStreams, {
      send: (message) => this.#send(message),
      emit: (event) => this.#events.push(event),
    })
  }

  /** When `onTimeout` wants to be called, undefined for never; changes with every other call. */
  get nextTimeoutMs(): number | undefined {
    if (this.#phase === "closed") return undefined
    const { activity, nextEndMs } = this.#streams
    const checkMs = this.#clock.nextCheckMs(activity)
    return checkMs === undefined ? undefined : Math.min(checkMs, nextEndMs)
  }

  /** True where the peer obeys `requestReconnect`. */
  get canReconnect(): boolean {
    return this.#phase === "ready" && this.#connection.capabilities.canReconnect
  }

  /** Takes received bytes, which are borrowed until it returns. */
  push(bytes: Uint8Array, nowMs: number): RtmpServerEvent[] {
    return this.#run(() => {
      this.#clock.onReceived(nowMs)
      let input: Uint8Array | undefined = bytes
      if (this.#phase === "handshake") {
        const step = this.#handshake.push(bytes)
        if (step.send !== undefined) this.#events.push({ type: "send", bytes: step.send })
        input = step.rest
        if (input !== undefined) this.#phase = "connect"
      }
      if (input !== undefined) this.#reader.push(input, (message) => this.#onMessage(message, nowMs))
      const acknowledgement = this.#controls.onReceived(bytes.length)
      if (acknowledgement !== undefined) this.#send(acknowledgement)
    })
  }

  /** Does what is due: asks a silent peer whether it is there, ends a playback or the session. */
  onTimeout(nowMs: number): RtmpServerEvent[] {
    return this.#run(() => {
      this.#watchActivity(nowMs, () => this.#streams.endPlaybacks(nowMs))
      const isSilent = this.#clock.check(this.#streams.activity, nowMs)
      if (isSilent) this.#send(userControl(USER_CONTROL.pingRequest, Math.floor(nowMs) >>> 0))
    })
  }

  /** Lets a requested publication begin; without effect if the peer has given it up. */
  acceptPublish(streamId: number): RtmpServerEvent[] {
    return this.#run(() => {
      if (!this.#streams.acceptPublish(streamId)) return
      this.#clock.onMedia(this.#clock.receivedAtMs)
      this.#reader.setLimits(this.#options)
    })
  }

  /** Refuses a requested publication and ends the session. */
  rejectPublish(streamId: number, code: RtmpRefusal, description: string): RtmpServerEvent[] {
    return this.#reject(streamId, "publishRequested", code, description)
  }

  /** Lets a requested playback begin; afterwards the caller sends media on the same message stream. */
  acceptPlay(streamId: number): RtmpServerEvent[] {
    return this.#run(() => this.#streams.acceptPlay(streamId, this.#clock.receivedAtMs))
  }

  /** Refuses a requested playback and ends the session. */
  rejectPlay(streamId: number, code: RtmpPlayRefusal, description: string): RtmpServerEvent[] {
    return this.#reject(streamId, "playRequested", code, description)
  }

  /** Tells a publisher that its publication was ended from this side; what it still sends is ignored. */
  endPublish(streamId: number, description: string): RtmpServerEvent[] {
    return this.#run(() => {
      this.#watchActivity(this.#clock.receivedAtMs, () => this.#streams.revokePublish(streamId, description))
    })
  }

  /** Tells a player that the stream is over. */
  endPlay(streamId: number, description: string): RtmpServerEvent[] {
    return this.#run(() => {
      this.#watchActivity(this.#clock.receivedAtMs, () => this.#streams.revokePlay(streamId, description))
    })
  }

  /** Tells a player that the publisher of its stream is gone for now, or is back. */
  tellPublisher(streamId: number, isThere: boolean): RtmpServerEvent[] {
    return this.#run(() => this.#streams.tellPublisher(streamId, isThere))
  }

  /** Asks a peer that `canReconnect` to go to another server, whose address up to the port is given (Enhanced RTMP v2 "Reconnect Request"). */
  requestReconnect(server: string, description: string): RtmpServerEvent[] {
    return this.#run(() => {
      if (!this.canReconnect) return
      const status = statusInfo("status", "NetConnection.Connect.ReconnectRequest", description)
      const tcUrl = `${server}/${this.#connection.app}`
      this.#send(commandMessage(0, "onStatus", 0, [null, { ...status, tcUrl }]))
    })
  }

  /** Ends the session from this side. */
  end(description: string): RtmpServerEvent[] {
    return this.#run(() => {
      if (this.#phase === "ready") this.#send(onStatus(0, "status", "NetConnection.Connect.Closed", description))
      this.#close(description)
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

  #reject(streamId: number, expected: "publishRequested" | "playRequested", code: string, description: string) {
    return this.#run(() => {
      if (this.#streams.reject(streamId, expected, code, description)) this.#close(description)
    })
  }

  #onMessage(message: RtmpMessage, nowMs: number): void {
    if (this.#phase === "closed") return
    if (message.typeId !== MESSAGE_TYPE.aggregate) this.#dispatch(message, nowMs)
    else for (const part of parseAggregate(message)) this.#dispatch(part, nowMs)
  }

  #dispatch(message: RtmpMessage, nowMs: number): void {
    switch (message.typeId) {
      case MESSAGE_TYPE.audio:
        this.#onMedia("audio", message, nowMs)
        return
      case MESSAGE_TYPE.video:
        this.#onMedia("video", message, nowMs)
        return
      case MESSAGE_TYPE.dataAmf0:
      case MESSAGE_TYPE.dataAmf3:
        this.#onData(message, nowMs)
        return
      case MESSAGE_TYPE.commandAmf0:
      case MESSAGE_TYPE.commandAmf3:
        checkAmfLength(message)
        this.#onCommand(parseCommand(message), message.streamId, nowMs)
        return
      case MESSAGE_TYPE.sharedObjectAmf0:
      case MESSAGE_TYPE.sharedObjectAmf3:
        if (this.#phase !== "ready") return
        checkAmfLength(message)
        for (const reply of refuseSharedObject(message)) this.#send(reply)
        return
      default: {
        const answer = this.#controls.onMessage(message)
        if (answer !== undefined) this.#send(answer)
      }
    }
  }

  #onMedia(type: "audio" | "video", { streamId, timestampMs, payload }: RtmpMessage, nowMs: number): void {
    const state = this.#streams.stateOf(streamId)
    if (state === "publishing") {
      this.#clock.onMedia(nowMs)
      this.#events.push({ type, streamId, timestampMs, payload })
    } else if (state !== "publishRevoked") throw new GatewayError("rtmp.command", `${type} without a publication`)
  }

  #onData(message: RtmpMessage, nowMs: number): void {
    const { streamId, timestampMs } = message
    if (this.#streams.stateOf(streamId) !== "publishing") return
    checkAmfLength(message)
    this.#clock.onMedia(nowMs)
    const [first, ...rest] = parseData(message)
    if (first === "@clearDataFrame") return
    const [name, ...values] = first === "@setDataFrame" ? rest : [first, ...rest]
    if (typeof name !== "string") return
    if (name === "onMetaData") this.#events.push({ type: "metadata", streamId, values: values[0] })
    else this.#events.push({ type: "userData", streamId, timestampMs, name, values })
  }

  #onCommand(command: RtmpCommand, streamId: number, nowMs: number): void {
    if (this.#phase === "connect") {
      this.#connect(command)
      return
    }
    this.#watchActivity(nowMs, () => {
      if (this.#streams.onCommand(command, streamId, this.#connection)) return
      for (const reply of answerCommand(command)) this.#send(reply)
    })
  }

  #watchActivity(nowMs: number, action: () => void): void {
    const before = this.#streams.activity
    action()
    if (before !== "idle" && this.#streams.activity === "idle") this.#clock.onIdle(nowMs)
  }

  #connect(command: RtmpCommand): void {
    if (command.name !== "connect") throw new GatewayError("rtmp.command", `${commandName(command)} before connect`)
    const request = parseConnect(command)
    this.#phase = "ready"
    for (const reply of connectReplies(command, request, this.#options)) this.#send(reply)
    this.#connection = request // from here on in the encoding that it asks for
  }

  #sendFailure(error: GatewayError): void {
    if (this.#phase === "connect") {
      const rejected = statusInfo("error", "NetConnection.Connect.Rejected", error.message)
      this.#send(commandMessage(0, "_error", 1, [null, rejected])) // connect has the transaction id 1 by definition
    } else if (this.#phase === "ready") {
      this.#send(onStatus(this.#streams.firstActive ?? 0, "error", "NetStream.Failed", error.message))
    }
  }

  #close(reason: string, error?: GatewayError): void {
    this.#phase = "closed"
    this.#events.push(error === undefined ? { type: "close", reason } : { type: "close", reason, error })
  }

  #send(message: RtmpMessage): void {
    const isCommand = message.typeId === MESSAGE_TYPE.commandAmf0
    const encoded = isCommand && this.#connection.objectEncoding === 3 ? asAmf3Message(message) : message
    // Set Chunk Size goes out before anything longer than the default chunk, so the new size is right for all.
    const chunkSizeBytes = this.#phase === "ready" ? this.#options.chunkSizeBytes : DEFAULT_CHUNK_BYTES
    this.#events.push({ type: "send", bytes: serializeMessage(encoded, chunkSizeBytes) })
  }
}

/** Who may not publish yet has nothing large to say. */
const SETUP_LIMITS = { maxMessageBytes: 64 * 1024, maxPendingBytes: 128 * 1024 }
