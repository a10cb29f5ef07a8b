import { GatewayError } from "../errors.ts"
import { Acknowledgements } from "./acknowledgements.ts"
import { adobeAuthQuery } from "./adobe-auth.ts"
import { parseAggregate } from "./aggregate.ts"
import { type AmfValue, amfField } from "./amf-value.ts"
import { ChunkReader, DEFAULT_CHUNK_BYTES } from "./chunk-reader.ts"
import { serializeMessage } from "./chunk-writer.ts"
import {
  connectCommand,
  createStreamCommands,
  endCommands,
  startCommands,
  stepOf,
  TRANSACTION,
} from "./client-commands.ts"
import type { RtmpClientEvent } from "./client-events.ts"
import { ClientHandshake } from "./client-handshake.ts"
import type { RtmpClientOptions } from "./client-options.ts"
import { hangUp, redirectOf, refusal, revocation, statusCode } from "./client-refusals.ts"
import {
  checkAmfLength,
  commandMessage,
  controlMessage,
  MESSAGE_TYPE,
  parseCommand,
  parseControlValue,
  parseData,
  parsePeerBandwidth,
  parseUserControl,
  type RtmpCommand,
  type RtmpMessage,
  USER_CONTROL,
  userControl,
} from "./message.ts"
import { isEnhanced, NO_CAPABILITIES, type PeerCapabilities, parseCapabilities } from "./peer-capabilities.ts"

/**
 * The client's side of one RTMP connection that publishes or plays one stream, RTMP 1.0 section 7.2: bytes and the time go in,
 * events come out. What goes wrong comes as a last `close` event with an error; later calls give nothing. Nothing is thrown.
 */
export class RtmpClientSession {
  readonly #options: RtmpClientOptions
  readonly #handshake: ClientHandshake
  readonly #reader: ChunkReader
  readonly #acknowledgements: Acknowledgements
  #events: RtmpClientEvent[] = []
  #phase: "handshake" | "connect" | "createStream" | "start" | "active" | "closed" = "handshake"
  #phaseSinceMs: number
  #receivedAtMs: number
  #streamId = 0
  #capabilities: PeerCapabilities = NO_CAPABILITIES
  #hasSetChunkSize = false
  #handshakeBytes = 0
  #hasCheckedBandwidth = false
  /** What a server said to a command that may fail without harm, for the case that it only hangs up afterwards. */
  #complaint: GatewayError | undefined

  /** `c1Random` fills the client's handshake packet (1528 bytes); `nowMs` is the time of the connection. */
  constructor(options: RtmpClientOptions, c1Random: Uint8Array, nowMs: number) {
    this.#options = options
    this.#handshake = new ClientHandshake(c1Random, options.hmac)
    this.#reader = new ChunkReader({ ...SETUP_LIMITS, maxChunkStreams: options.limits.maxChunkStreams })
    this.#acknowledgements = new Acknowledgements(options.limits.windowAckBytes)
    this.#phaseSinceMs = nowMs
    this.#receivedAtMs = nowMs
  }

  /** When `onTimeout` wants to be called, undefined for never; changes with every other call. */
  get nextTimeoutMs(): number | undefined {
    const { action, limits } = this.#options
    if (this.#phase === "closed") return undefined
    if (this.#phase !== "active") return this.#phaseSinceMs + limits.stepTimeoutMs
    return action === "play" ? this.#receivedAtMs + limits.idleTimeoutMs : undefined
  }

  /** Begins the handshake. */
  start(nowMs: number): RtmpClientEvent[] {
    return this.#run(() => {
      this.#phaseSinceMs = nowMs
      this.#events.push({ type: "send", bytes: this.#handshake.start() })
    })
  }

  /** Takes received bytes, which are borrowed until it returns. */
  push(bytes: Uint8Array, nowMs: number): RtmpClientEvent[] {
    return this.#run(() => {
      this.#receivedAtMs = nowMs
      let input: Uint8Array | undefined = bytes
      if (this.#phase === "handshake") {
        const step = this.#handshake.push(bytes)
        if (step.send !== undefined) this.#events.push({ type: "send", bytes: step.send })
        input = step.rest
        this.#handshakeBytes += bytes.length - (input?.length ?? 0)
        if (input !== undefined) {
          this.#enter("connect", nowMs)
          this.#send(connectCommand(this.#options))
        }
      }
      if (input !== undefined) this.#reader.push(input, (message) => this.#onMessage(message, nowMs))
      this.#acknowledge()
    })
  }

  /** Ends the session if its time is up. */
  onTimeout(nowMs: number): RtmpClientEvent[] {
    return this.#run(() => {
      const deadlineMs = this.nextTimeoutMs
      if (deadlineMs === undefined || nowMs < deadlineMs) return
      if (this.#phase === "active") throw new GatewayError("rtmp.timeout", "the server sends nothing any more")
      throw this.#complaint ?? new GatewayError("rtmp.timeout", `the server does not answer: no reply to ${this.#step}`)
    })
  }

  /** The server has closed the connection. */
  onPeerClosed(nowMs: number): RtmpClientEvent[] {
    return this.#run(() => {
      throw this.#hangUp(nowMs)
    })
  }

  /** Unpublishes or stops to play, and closes. */
  end(reason: string): RtmpClientEvent[] {
    return this.#run(() => {
      this.#sendEnd()
      this.#close(reason)
    })
  }

  #run(action: () => void): RtmpClientEvent[] {
    if (this.#phase === "closed") return []
    try {
      action()
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      if (!this.#isClosed) this.#close(error.message, error)
    }
    const events = this.#events
    this.#events = []
    return events
  }

  get #isClosed(): boolean {
    return this.#phase === "closed"
  }

  /** What the session waits for, as the words of a sentence. */
  get #step(): string {
    return this.#phase === "start" || this.#phase === "active" ? this.#options.action : this.#phase
  }

  /** What a server means that hangs up, as far as one can tell from the moment. */
  #hangUp(nowMs: number): GatewayError {
    const activeMs = this.#phase === "active" ? nowMs - this.#phaseSinceMs : undefined
    return this.#complaint ?? hangUp(this.#step, activeMs)
  }

  #onMessage(message: RtmpMessage, nowMs: number): void {
    if (this.#isClosed) return
    if (message.typeId !== MESSAGE_TYPE.aggregate) this.#dispatch(message, nowMs)
    else for (const part of parseAggregate(message)) this.#dispatch(part, nowMs)
  }

  #dispatch(message: RtmpMessage, nowMs: number): void {
    switch (message.typeId) {
      case MESSAGE_TYPE.windowAckSize:
        this.#acknowledgements.onWindowAckSize(parseControlValue(message.payload))
        return
      case MESSAGE_TYPE.setPeerBandwidth: {
        const { windowBytes, limit } = parsePeerBandwidth(message.payload)
        const answer = this.#acknowledgements.onSetPeerBandwidth(windowBytes, limit)
        if (answer !== undefined) this.#send(controlMessage(MESSAGE_TYPE.windowAckSize, answer))
        return
      }
      case MESSAGE_TYPE.userControl:
        this.#onUserControl(message.payload)
        return
      case MESSAGE_TYPE.audio:
        this.#onMedia("audio", message, nowMs)
        return
      case MESSAGE_TYPE.video:
        this.#onMedia("video", message, nowMs)
        return
      case MESSAGE_TYPE.dataAmf0:
      case MESSAGE_TYPE.dataAmf3:
        checkAmfLength(message)
        this.#onData(message, nowMs)
        return
      case MESSAGE_TYPE.commandAmf0:
      case MESSAGE_TYPE.commandAmf3:
        checkAmfLength(message)
        this.#onCommand(parseCommand(message), nowMs)
    }
  }

  #acknowledge(): void {
    if (this.#isClosed) return
    const receivedBytes = this.#handshakeBytes + this.#reader.consumedBytes
    const sequenceNumber = this.#acknowledgements.onReceived(receivedBytes)
    if (sequenceNumber !== undefined) this.#send(controlMessage(MESSAGE_TYPE.acknowledgement, sequenceNumber))
  }

  #onUserControl(payload: Uint8Array): void {
    const { eventType, value } = parseUserControl(payload)
    if (eventType === USER_CONTROL.pingRequest) this.#send(userControl(USER_CONTROL.pingResponse, value))
    else if (eventType === USER_CONTROL.streamEof && this.#phase === "active" && value === this.#streamId) {
      this.#ended("the stream is over")
    }
  }

  #onMedia(type: "audio" | "video", { timestampMs, payload }: RtmpMessage, nowMs: number): void {
    if (!this.#isPlaying(nowMs)) return
    this.#events.push({ type, streamId: this.#streamId, timestampMs, payload })
  }

  #onData(message: RtmpMessage, nowMs: number): void {
    const values = parseData(message)
    if (values[0] === "onStatus") this.#onStatus(values.find(hasCode), nowMs)
    if (values[0] === "onPlayStatus" && statusCode(values.at(-1)) === "NetStream.Play.Complete") {
      this.#ended("the stream is over")
    }
    const at = values[0] === "@setDataFrame" ? 1 : 0
    if (values[at] !== "onMetaData" || !this.#isPlaying(nowMs)) return
    this.#events.push({ type: "metadata", streamId: this.#streamId, values: values[at + 1] })
  }

  /** Media may come before the status that announces it. */
  #isPlaying(nowMs: number): boolean {
    if (this.#options.action !== "play") return false
    if (this.#phase === "start") this.#establish(nowMs)
    return this.#phase === "active"
  }

  #onCommand(command: RtmpCommand, nowMs: number): void {
    switch (command.name) {
      case "_result":
        this.#onResult(command, nowMs)
        return
      case "_error":
        this.#onError(command)
        return
      case "onStatus":
        this.#onStatus(command.args[1], nowMs)
        return
      case "close":
        throw this.#hangUp(nowMs)
      case "onBWDone":
        // Servers of Adobe's family measure the link when the client asks for it, and some wait for that.
        if (!this.#hasCheckedBandwidth) this.#send(commandMessage(0, "_checkbw", TRANSACTION.checkBandwidth, [null]))
        this.#hasCheckedBandwidth = true
        return
      case "onFCPublish":
      case "onFCSubscribe":
      case "onFCUnpublish":
      case "onFCUnsubscribe":
      case "_onbwdone":
        return
      default:
        // What measures the bandwidth (onBWCheck, _onbwcheck) is content with an empty result, and so is any other caller.
        if (command.transactionId > 0)
          this.#send(commandMessage(0, "_result", command.transactionId, [null, undefined]))
    }
  }

  #onResult({ transactionId, args }: RtmpCommand, nowMs: number): void {
    if (transactionId === TRANSACTION.connect && this.#phase === "connect") this.#onConnected(args, nowMs)
    else if (transactionId === TRANSACTION.createStream && this.#phase === "createStream") {
      const [, streamId] = args
      if (typeof streamId !== "number" || !Number.isInteger(streamId) || streamId < 0 || streamId >= 2 ** 32) {
        throw new GatewayError("rtmp.command", "createStream was answered without an id")
      }
      this.#streamId = streamId
      this.#enter("start", nowMs)
      if (this.#options.action === "play") this.#reader.setLimits(this.#options.limits)
      for (const message of startCommands(this.#options, streamId)) this.#send(message)
    }
  }

  #onConnected(args: readonly AmfValue[], nowMs: number): void {
    const { action, address, limits } = this.#options
    this.#capabilities = parseCapabilities(args.find(isEnhanced))
    this.#enter("createStream", nowMs)
    this.#send(controlMessage(MESSAGE_TYPE.windowAckSize, limits.windowAckBytes))
    this.#acknowledgements.onWindowAnnounced(limits.windowAckBytes)
    this.#send(controlMessage(MESSAGE_TYPE.setChunkSize, limits.chunkSizeBytes))
    this.#hasSetChunkSize = true
    for (const message of createStreamCommands(action, address)) this.#send(message)
  }

  #onError({ transactionId, args }: RtmpCommand): void {
    const info = args.findLast((arg) => typeof arg === "object" && arg !== null)
    const redirect = redirectOf(info)
    if (redirect !== undefined) {
      this.#redirected(redirect, "the server is elsewhere")
      return
    }
    const step = stepOf(transactionId, this.#options.action)
    if (step === undefined || (transactionId === TRANSACTION.connect && this.#isChallenged(info))) return
    const error = refusal(step, info, this.#options.address)
    // Many servers do not know these commands, and publish none the less.
    const isHarmless = transactionId === TRANSACTION.releaseStream || transactionId === TRANSACTION.fcPublish
    if (isHarmless) this.#complaint = statusCode(info)?.startsWith("NetStream.Publish.") ? error : undefined
    else throw error
  }

  #isChallenged(info: AmfValue): boolean {
    const { address, adobeAuth } = this.#options
    const description = amfField(info, "description")
    if (address.user === undefined || adobeAuth === undefined || typeof description !== "string") return false
    const connectQuery = adobeAuthQuery(description, address.user, adobeAuth)
    if (connectQuery === undefined) return false
    this.#events.push({ type: "challenged", connectQuery })
    this.#close("the server wants to know the user")
    return true
  }

  #onStatus(info: AmfValue, nowMs: number): void {
    const code = statusCode(info) ?? ""
    switch (code) {
      case "NetStream.Publish.Start":
      case "NetStream.Play.Start":
      case "NetStream.Play.Reset":
        if (this.#phase === "start") this.#establish(nowMs)
        return
      case "NetStream.Play.UnpublishNotify":
      case "NetStream.Play.Stop":
      case "NetStream.Play.Complete":
      case "NetStream.Unpublish.Success":
        if (this.#phase === "active") this.#ended("the stream is over")
        return
      case "NetConnection.Connect.ReconnectRequest": {
        const tcUrl = amfField(info, "tcUrl")
        this.#redirected(
          typeof tcUrl === "string" && tcUrl !== "" ? tcUrl : undefined,
          "the server asked to come again",
        )
        return
      }
    }
    const isError =
      amfField(info, "level") === "error" || /\.(BadName|Denied|Rejected|Failed|StreamNotFound)$/.test(code)
    if (!isError) return
    const explain = this.#phase === "active" ? revocation : refusal
    throw explain(this.#options.action, info, this.#options.address)
  }

  #establish(nowMs: number): void {
    this.#enter("active", nowMs)
    this.#complaint = undefined
    this.#events.push({ type: "established", streamId: this.#streamId, capabilities: this.#capabilities })
  }

  #redirected(tcUrl: string | undefined, reason: string): void {
    this.#sendEnd()
    this.#events.push({ type: "redirected", tcUrl })
    this.#close(reason)
  }

  #ended(reason: string): void {
    this.#sendEnd()
    this.#events.push({ type: "ended", reason })
    this.#close(reason)
  }

  #sendEnd(): void {
    if (this.#phase !== "active" && this.#phase !== "start") return
    for (const message of endCommands(this.#options, this.#streamId)) this.#send(message)
  }

  #enter(phase: "connect" | "createStream" | "start" | "active", nowMs: number): void {
    this.#phase = phase
    this.#phaseSinceMs = nowMs
  }

  #close(reason: string, error?: GatewayError): void {
    this.#phase = "closed"
    this.#events.push(error === undefined ? { type: "close", reason } : { type: "close", reason, error })
  }

  #send(message: RtmpMessage): void {
    const chunkBytes = this.#hasSetChunkSize ? this.#options.limits.chunkSizeBytes : DEFAULT_CHUNK_BYTES
    this.#events.push({ type: "send", bytes: serializeMessage(message, chunkBytes) })
  }
}

function hasCode(info: AmfValue): boolean {
  return statusCode(info) !== undefined
}

/** Who does not send media yet has nothing large to say. */
const SETUP_LIMITS = { maxMessageBytes: 512 * 1024, maxPendingBytes: 1024 * 1024 }
