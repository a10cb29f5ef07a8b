import { GatewayError } from "../errors.ts"
import type { AmfValue } from "./amf-value.ts"
import { type RtmpCommand, type RtmpMessage, USER_CONTROL, userControl } from "./message.ts"
import { fcPublished } from "./server-commands.ts"
import type { ConnectRequest } from "./server-connect.ts"
import type { RtmpPublishType, RtmpServerEvent } from "./server-events.ts"
import { Playback, type PlaybackStep, type PlayRequest, parsePlay, parsePlay2 } from "./server-playback.ts"
import { answerTo, errorFor, onStatus, sampleAccess } from "./server-replies.ts"
import { parseStreamAddress } from "./stream-address.ts"

/** How a message stream stands. `publishRevoked`: its publication was ended from this side, and media may still be under way. */
export type StreamState =
  | { readonly type: "idle" | "publishRevoked" }
  | { readonly type: "publishRequested" | "publishing"; readonly name: string }
  | { readonly type: "playRequested"; readonly durationMs: number | undefined; readonly isReset: boolean }
  | { readonly type: "playing"; readonly playback: Playback; readonly endsAtMs: number }

/** The most that any of a session's message streams does; `waiting`: the caller has a request to decide on. */
export type StreamActivity = "idle" | "waiting" | "playing" | "publishing"

/** The way out of a session. */
export interface ServerSink {
  send(message: RtmpMessage): void
  emit(event: RtmpServerEvent): void
}

/** The message streams of one server session and the commands on them, RTMP 1.0 section 7.2.2. */
export class ServerStreams {
  readonly #maxStreams: number
  readonly #sink: ServerSink
  readonly #states = new Map<number, StreamState>()
  #nextId = 1
  #activity: StreamActivity = "idle"
  #nextEndMs = Number.POSITIVE_INFINITY
  /** The names that came with FCPublish. */
  readonly #fcPublished = new Set<string>()

  constructor(maxStreams: number, sink: ServerSink) {
    this.#maxStreams = maxStreams
    this.#sink = sink
  }

  /** How a message stream stands, undefined where there is none. */
  stateOf(streamId: number): StreamState["type"] | undefined {
    return this.#states.get(streamId)?.type
  }

  get activity(): StreamActivity {
    return this.#activity
  }

  /** When the first playback ends that was asked for with a duration; infinite for never. */
  get nextEndMs(): number {
    return this.#nextEndMs
  }

  /** The first message stream that does anything, undefined for none. */
  get firstActive(): number | undefined {
    for (const [streamId, { type }] of this.#states) if (ACTIVITY_OF[type] !== "idle") return streamId
    return undefined
  }

  /** Ends the playbacks whose duration is over. */
  endPlaybacks(nowMs: number): void {
    for (const [streamId, state] of this.#states) {
      if (state.type !== "playing" || nowMs < state.endsAtMs) continue
      this.#end(streamId)
      this.#sink.send(userControl(USER_CONTROL.streamEof, streamId))
    }
  }

  /** Obeys a command of a message stream; false where it is none. Throws `rtmp.command` for what makes no sense in the stream's state. */
  onCommand(command: RtmpCommand, streamId: number, connection: ConnectRequest): boolean {
    const [, value] = command.args
    switch (command.name) {
      case "createStream":
        this.#create(command)
        return true
      case "publish":
        this.#publish(streamId, command.args, connection)
        return true
      case "play":
        this.#play(streamId, parsePlay(command.args), connection)
        return true
      case "play2":
        this.#play(streamId, parsePlay2(command.args), connection)
        return true
      case "deleteStream":
        if (typeof value === "number") this.#delete(value)
        return true
      case "closeStream":
        this.#end(streamId)
        return true
      case "pause":
      case "pauseRaw":
        this.#control(streamId, (playback) => playback.pause(value))
        return true
      case "receiveAudio":
        this.#control(streamId, (playback) => playback.receive("audio", value))
        return true
      case "receiveVideo":
        this.#control(streamId, (playback) => playback.receive("video", value))
        return true
      case "seek":
        if (this.stateOf(streamId) === "playing") this.#status(streamId, "error", "NetStream.Seek.Failed", LIVE_ONLY)
        return true
      case "FCPublish":
        if (typeof value === "string" && this.#fcPublished.size < this.#maxStreams) this.#fcPublished.add(value)
        return false
      default:
        return false
    }
  }

  /** Begins a publication that was asked for; false where it is not wanted any more. */
  acceptPublish(streamId: number): boolean {
    const state = this.#states.get(streamId)
    if (state?.type !== "publishRequested") return false
    this.#set(streamId, { type: "publishing", name: state.name })
    this.#sink.send(userControl(USER_CONTROL.streamBegin, streamId))
    if (this.#fcPublished.delete(state.name)) this.#sink.send(fcPublished(state.name))
    this.#status(streamId, "status", "NetStream.Publish.Start", "publishing")
    return true
  }

  /** Begins a playback that was asked for, unless it is not wanted any more. */
  acceptPlay(streamId: number, nowMs: number): void {
    const state = this.#states.get(streamId)
    if (state?.type !== "playRequested") return
    const endsAtMs = nowMs + (state.durationMs ?? Number.POSITIVE_INFINITY)
    this.#set(streamId, { type: "playing", playback: new Playback(streamId), endsAtMs })
    this.#sink.send(userControl(USER_CONTROL.streamBegin, streamId))
    if (state.isReset) this.#status(streamId, "status", "NetStream.Play.Reset", "playing and resetting")
    this.#status(streamId, "status", "NetStream.Play.Start", "playing")
    this.#sink.send(sampleAccess(streamId))
  }

  /** Takes a request back that was refused; false where it is not wanted any more. */
  reject(streamId: number, expected: "publishRequested" | "playRequested", code: string, description: string): boolean {
    if (this.stateOf(streamId) !== expected) return false
    this.#set(streamId, undefined)
    this.#status(streamId, "error", code, description)
    return true
  }

  /** Ends a publication from this side. */
  revokePublish(streamId: number, description: string): void {
    if (this.stateOf(streamId) !== "publishing") return
    this.#set(streamId, { type: "publishRevoked" })
    this.#status(streamId, "error", "NetStream.Publish.Denied", description)
  }

  /** Ends a playback from this side. */
  revokePlay(streamId: number, description: string): void {
    if (this.stateOf(streamId) !== "playing") return
    this.#set(streamId, { type: "idle" })
    this.#status(streamId, "status", "NetStream.Play.UnpublishNotify", description)
    this.#sink.send(userControl(USER_CONTROL.streamEof, streamId))
  }

  /** Tells a player that nothing comes for now, or that it goes on. */
  tellPublisher(streamId: number, isThere: boolean): void {
    if (this.stateOf(streamId) !== "playing") return
    if (!isThere) this.#sink.send(userControl(USER_CONTROL.streamDry, streamId))
    else this.#status(streamId, "status", "NetStream.Play.PublishNotify", "the publisher is back")
  }

  #create(command: RtmpCommand): void {
    if (this.#states.size >= this.#maxStreams) {
      this.#sink.send(errorFor(command, "NetConnection.Call.Failed", "too many streams"))
      return
    }
    const streamId = this.#nextId++
    this.#set(streamId, { type: "idle" })
    this.#sink.send(answerTo(command, "_result", streamId))
  }

  #publish(streamId: number, [, name, type]: readonly AmfValue[], { tcUrl, app }: ConnectRequest): void {
    if (name === false) {
      this.#end(streamId)
      return
    }
    this.#checkFree("publish", streamId)
    if (typeof name !== "string") throw new GatewayError("rtmp.command", "publish without a stream name")
    const publishType = parsePublishType(type)
    this.#set(streamId, { type: "publishRequested", name })
    this.#sink.emit({ type: "publishRequested", streamId, publishType, ...parseStreamAddress(tcUrl, app, name) })
  }

  #play(streamId: number, { name, isReset, durationMs }: PlayRequest, connection: ConnectRequest): void {
    if (name === false) {
      this.#end(streamId)
      return
    }
    if (this.stateOf(streamId) === "playing") {
      if (!isReset) {
        this.#status(streamId, "error", "NetStream.Play.Failed", LIVE_ONLY)
        return
      }
      this.#set(streamId, { type: "idle" })
      this.#sink.emit({ type: "playEnded", streamId })
    }
    this.#checkFree("play", streamId)
    if (typeof name !== "string") throw new GatewayError("rtmp.command", "play without a stream name")
    this.#set(streamId, { type: "playRequested", durationMs, isReset })
    const { tcUrl, app, capabilities } = connection
    const address = parseStreamAddress(tcUrl, app, name)
    this.#sink.emit({ type: "playRequested", streamId, capabilities, ...address })
  }

  #checkFree(action: "publish" | "play", streamId: number): void {
    const state = this.stateOf(streamId)
    if (state === "idle" || state === "publishRevoked") return
    throw new GatewayError("rtmp.command", `${action} on message stream ${streamId}, which is ${state ?? "unknown"}`)
  }

  #control(streamId: number, step: (playback: Playback) => PlaybackStep): void {
    const state = this.#states.get(streamId)
    if (state?.type !== "playing") return
    const { replies, events } = step(state.playback)
    for (const reply of replies) this.#sink.send(reply)
    for (const event of events) this.#sink.emit(event)
  }

  /** The peer is done with what it does on a message stream, which can be used again. */
  #end(streamId: number): void {
    const state = this.stateOf(streamId)
    if (state === undefined) return
    if (state === "publishing") {
      this.#status(streamId, "status", "NetStream.Unpublish.Success", "publication ended")
    } else if (state === "playing") this.#status(streamId, "status", "NetStream.Play.Stop", "playback ended")
    this.#set(streamId, { type: "idle" })
    if (state === "publishing" || state === "publishRequested") this.#sink.emit({ type: "publishEnded", streamId })
    if (state === "playing" || state === "playRequested") this.#sink.emit({ type: "playEnded", streamId })
  }

  #delete(streamId: number): void {
    this.#end(streamId)
    this.#set(streamId, undefined)
  }

  #set(streamId: number, state: StreamState | undefined): void {
    if (state === undefined) this.#states.delete(streamId)
    else this.#states.set(streamId, state)
    this.#activity = "idle"
    this.#nextEndMs = Number.POSITIVE_INFINITY
    for (const other of this.#states.values()) {
      const activity = ACTIVITY_OF[other.type]
      if (ACTIVITIES.indexOf(activity) > ACTIVITIES.indexOf(this.#activity)) this.#activity = activity
      if (other.type === "playing") this.#nextEndMs = Math.min(this.#nextEndMs, other.endsAtMs)
    }
  }

  #status(streamId: number, level: "status" | "error", code: string, description: string): void {
    this.#sink.send(onStatus(streamId, level, code, description))
  }
}

/** Encoders that leave the type out, or write it in capitals, mean what all mean. */
function parsePublishType(value: AmfValue): RtmpPublishType {
  const type = typeof value === "string" && value !== "" ? value.toLowerCase() : "live"
  if (type === "live" || type === "record" || type === "append") return type
  throw new GatewayError("rtmp.command", "the publish type must be live, record or append")
}

const ACTIVITIES: readonly StreamActivity[] = ["idle", "waiting", "playing", "publishing"]
const ACTIVITY_OF: Record<StreamState["type"], StreamActivity> = {
  idle: "idle",
  publishRevoked: "idle",
  publishRequested: "waiting",
  playRequested: "waiting",
  playing: "playing",
  publishing: "publishing",
}
const LIVE_ONLY = "a live stream can be neither searched nor put into a play list"
