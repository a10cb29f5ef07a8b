import { randomBytes } from "node:crypto"
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import type { AccessControl } from "../../access/access.ts"
import type { FlvFeedLimits } from "../../bridge/flv-feed.ts"
import type { FlvStart } from "../../bridge/flv-replay.ts"
import { type ErrorCode, GatewayError } from "../../errors.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import type { RtmpPlayRequested, RtmpPublishRequested, RtmpServerEvent } from "../../rtmp/server-events.ts"
import type { RtmpPlayRefusal, RtmpRefusal, RtmpServerOptions } from "../../rtmp/server-options.ts"
import { RtmpServerSession } from "../../rtmp/server-session.ts"
import type { FlvBroadcasts } from "../flv-broadcast.ts"
import { FlvPublisher } from "../flv-publisher.ts"
import type { FlvSubscriber } from "../flv-subscriber.ts"
import { type Logger, sessionLabel } from "../log.ts"
import { type Admission, Admissions } from "./admissions.ts"
import type { ConnectionGate } from "./connection-gate.ts"
import { hmacSha256 } from "./hmac.ts"
import { MachineTimer } from "./machine-timer.ts"
import type { RtmpMessageCache } from "./message-cache.ts"
import { createRtmpReader } from "./reader.ts"
import { loggableName, withoutName } from "./requested-name.ts"
import { SocketOutput } from "./socket-output.ts"

/** What all connections of an RTMP server share. */
export interface ConnectionContext {
  readonly registry: StreamRegistry
  readonly access: AccessControl
  readonly logger: Logger
  readonly nowMs: () => number
  readonly gate: ConnectionGate
  readonly sessionOptions: RtmpServerOptions
  readonly messages: RtmpMessageCache
  readonly broadcasts: FlvBroadcasts
  readonly readerLimits: FlvFeedLimits
  /** Where a player begins that does not say it. */
  readonly readerStart: FlvStart
  /** A publisher has begun that wants its stream to be recorded (`publish` of type `record` or `append`). */
  readonly onRecordRequested?: ((stream: StreamName) => void) | undefined
}

/** One TCP connection: the socket, the session machine, and the publications and playbacks on it. */
export class RtmpConnection {
  readonly #socket: Socket
  readonly #context: ConnectionContext
  readonly #remoteAddress: string
  readonly #logger: Logger
  readonly #output: SocketOutput
  readonly #session: RtmpServerSession
  readonly #admissions: Admissions
  readonly #publishers = new Map<number, FlvPublisher>()
  readonly #readers = new Map<number, FlvSubscriber>()
  readonly #timer: MachineTimer
  #isEnding = false

  constructor(socket: Socket, context: ConnectionContext) {
    this.#socket = socket
    this.#context = context
    this.#remoteAddress = `${socket.remoteAddress}:${socket.remotePort}`
    const facts = { protocol: "rtmp", remote: this.#remoteAddress, ...(socket instanceof TLSSocket && { tls: true }) }
    this.#logger = context.logger.child(facts)
    this.#output = new SocketOutput(socket, context.nowMs)
    this.#session = new RtmpServerSession(
      context.sessionOptions,
      randomBytes(S1_RANDOM_BYTES),
      context.nowMs(),
      hmacSha256,
    )
    this.#admissions = new Admissions(context.access, context.gate, socket.remoteAddress)
    const onTimeout = () => this.#run(() => this.#session.onTimeout(context.nowMs()))
    this.#timer = new MachineTimer(context.nowMs, onTimeout)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on("data", (bytes) => this.#run(() => this.#session.push(bytes as Uint8Array, context.nowMs())))
    socket.on("error", (error) => this.#finish(isReset(error) ? "the peer cut the connection" : error.message))
    socket.on("end", () => this.#finish("the peer closed the connection"))
    socket.on("close", () => this.#finish("the connection is gone"))
    this.#timer.arm(this.#session.nextTimeoutMs)
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve()
    return new Promise((resolve) => this.#socket.once("close", () => resolve()))
  }

  /** Asks the peer to go on at another server, `rtmp://HOST:PORT`; false for a peer that does not know how. */
  requestReconnect(server: string): boolean {
    if (this.#isEnding || !this.#session.canReconnect) return false
    this.#run(() => this.#session.requestReconnect(server, "the gateway is closing"))
    return true
  }

  /**
   * Tells the peer that the connection is over and ends it; what does not leave in time is cut. Nobody says that the publication was denied: OBS
   * would not try again.
   */
  end(reason: string): void {
    for (const streamId of this.#readers.keys()) this.#run(() => this.#session.endPlay(streamId, reason))
    this.#run(() => this.#session.end(reason))
    this.#finish(reason)
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#finish("the gateway is closing")
    this.#socket.destroy()
  }

  #run(step: () => RtmpServerEvent[]): void {
    if (this.#isEnding) return
    try {
      for (const event of step()) this.#apply(event)
      if (!this.#isEnding) this.#timer.arm(this.#session.nextTimeoutMs)
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (error instanceof GatewayError) {
      this.#run(() => this.#session.fail(error))
      return
    }
    this.#logger.error({ err: error }, "RTMP session failed because of a bug in the gateway")
    this.#finish("internal error")
    this.#socket.destroy()
  }

  #apply(event: RtmpServerEvent): void {
    switch (event.type) {
      case "send":
        this.#send(event.bytes)
        return
      case "publishRequested":
      case "playRequested":
        this.#admit(event)
        return
      case "metadata":
        this.#publishers.get(event.streamId)?.onMetadata(event.values)
        return
      case "userData":
        this.#publishers.get(event.streamId)?.onUserData(event.name, event.values)
        return
      case "audio":
      case "video":
        this.#publishers.get(event.streamId)?.onMedia(event)
        return
      case "receiveChanged":
        this.#readers.get(event.streamId)?.want(event.kind, event.enabled)
        return
      case "publishEnded":
        this.#admissions.giveUp(event.streamId)
        this.#publishers.get(event.streamId)?.stop("the publisher ended it")
        this.#publishers.delete(event.streamId)
        return
      case "playEnded":
        this.#admissions.giveUp(event.streamId)
        this.#readers.get(event.streamId)?.stop("the reader ended it")
        this.#readers.delete(event.streamId)
        return
      case "close":
        if (event.error !== undefined) this.#logger.warn({ code: event.error.code }, `RTMP error: ${event.reason}`)
        // What broke the protocol once would do so again; a publisher that fell silent may only have lost its way to us.
        if (event.error !== undefined && event.error.code !== "rtmp.timeout") {
          for (const publisher of this.#publishers.values()) publisher.stop(event.reason)
        }
        this.#finish(event.reason)
    }
  }

  /** Nothing begins before access control has decided; what the peer sends meanwhile is read on, media ends the session. */
  #admit(request: RtmpPublishRequested | RtmpPlayRequested): void {
    const action = request.type === "publishRequested" ? "publish" : "play"
    const refuse = (error: unknown) =>
      error instanceof GatewayError ? this.#refuse(request, error) : this.#fail(error)
    this.#admissions
      .decide(action, request)
      .then((admission) => {
        if (admission === undefined) return
        try {
          if (request.type === "publishRequested") this.#publish(request, admission)
          else this.#play(request, admission)
        } catch (error) {
          const reason = error instanceof GatewayError ? error.message : "internal error"
          admission.grant.ended({ sessionId: sessionLabel(admission.id), reason, durationMs: 0, bytes: 0 })
          throw error
        }
      })
      .catch(refuse)
  }

  #publish({ streamId, publishType }: RtmpPublishRequested, admission: Admission): void {
    const { registry, nowMs, onRecordRequested } = this.#context
    const publisher = new FlvPublisher({
      ...admission,
      protocol: "rtmp",
      remoteAddress: this.#remoteAddress,
      registry,
      nowMs,
      logger: this.#logger.child({ session: sessionLabel(admission.id) }),
      onRevoked: (reason) => this.#endStream(streamId, reason),
    })
    this.#publishers.set(streamId, publisher)
    this.#run(() => this.#session.acceptPublish(streamId))
    if (publishType !== "live") onRecordRequested?.(admission.name)
  }

  #play(request: RtmpPlayRequested, admission: Admission): void {
    const { streamId } = request
    const { registry, nowMs, messages, broadcasts, readerLimits, readerStart } = this.#context
    const reader = createRtmpReader(request, {
      ...admission,
      remoteAddress: this.#remoteAddress,
      registry,
      nowMs,
      messages,
      broadcasts,
      output: this.#output,
      logger: this.#logger.child({ session: sessionLabel(admission.id) }),
      limits: readerLimits,
      defaultStart: readerStart,
      onPublisher: (isThere) => this.#run(() => this.#session.tellPublisher(streamId, isThere)),
      onEnded: (reason) => this.#endStream(streamId, reason),
      onError: (error) => this.#fail(error),
    })
    this.#readers.set(streamId, reader)
    this.#run(() => this.#session.acceptPlay(streamId))
    reader.start()
  }

  #refuse(request: RtmpPublishRequested | RtmpPlayRequested, { code, message }: GatewayError): void {
    const { streamId, type } = request
    const isPublish = type === "publishRequested"
    // The message on a name quotes it, and a key that stands where it should not may be a part of it.
    const reason =
      code === "stream.name" && request.stream !== "" ? "the name is not allowed" : withoutName(message, request, code)
    const role = isPublish ? "publisher" : "reader"
    this.#logger.warn({ stream: loggableName(request, code), code }, `${role} refused: ${reason}`)
    if (isPublish) this.#run(() => this.#session.rejectPublish(streamId, publishRefusal(code), message))
    else this.#run(() => this.#session.rejectPlay(streamId, playRefusal(code), message))
  }

  /** The hub has ended a publication or a playback: tell the peer, and leave if it was the last one here. */
  #endStream(streamId: number, reason: string): void {
    if (this.#publishers.delete(streamId)) this.#run(() => this.#session.endPublish(streamId, reason))
    if (this.#readers.delete(streamId)) this.#run(() => this.#session.endPlay(streamId, reason))
    if (this.#publishers.size + this.#readers.size + this.#admissions.size === 0) this.#finish(reason)
  }

  #send(bytes: Uint8Array): void {
    if (this.#isEnding) return
    this.#output.send(bytes)
    if (this.#output.queuedBytes <= this.#context.readerLimits.maxQueueBytes + MAX_REPLY_BYTES) return
    this.#finish("the peer does not read the answers to what it sends")
    this.#socket.destroy()
  }

  #finish(reason: string): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#timer.stop()
    this.#admissions.giveUpAll()
    for (const publisher of this.#publishers.values()) publisher.lose(reason)
    for (const reader of this.#readers.values()) reader.stop(reason)
    this.#publishers.clear()
    this.#readers.clear()
    this.#output.flush()
    if (this.#socket.destroyed) return
    this.#socket.end()
    const cut = setTimeout(() => this.#socket.destroy(), FLUSH_TIMEOUT_MS)
    this.#socket.once("close", () => clearTimeout(cut))
  }
}

/** Every version of OBS knows Denied as the end of its attempts, and shows "could not access the stream key"; ffmpeg shows the description. */
function publishRefusal(code: ErrorCode): RtmpRefusal {
  return code.startsWith("access.") ? "NetStream.Publish.Denied" : "NetStream.Publish.BadName"
}

function playRefusal(code: ErrorCode): RtmpPlayRefusal {
  const isFailure = code.startsWith("access.") || code === "session.limit" || code === "stream.start"
  return isFailure ? "NetStream.Play.Failed" : "NetStream.Play.StreamNotFound"
}

function isReset(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE")
}

const S1_RANDOM_BYTES = 1_528
/** Finds readers that are gone without a word while nothing is sent to them. */
const KEEP_ALIVE_MS = 30_000
const FLUSH_TIMEOUT_MS = 2_000
/** Answers that may wait, beside media. */
const MAX_REPLY_BYTES = 1024 * 1024
