import { type Connection, createConnection, isGone, receivedMedia, stateChanges } from "./connection.ts"
import { listen, type WhepEvent } from "./session-events.ts"
import { type MiniSdpMode, SignalingClient, SignalingError, type SignalingSession } from "./signaling.ts"
import { sleep } from "./sleep.ts"
import { StatsMeter, type StatsReading } from "./stats.ts"

export type { LayerInfo, TimedMetadata, WhepEvent, WhepEventData } from "./session-events.ts"
export { type MiniSdpMode, SignalingError } from "./signaling.ts"
export type { KindReadings, StatsReading, StreamReading } from "./stats.ts"

/**
 * `stopped` before `play` and after `stop`; `connecting`; `live`; `away` while the publisher has lost its connection and may
 * return; `waiting` for a stream that was never live yet, `ended` for one that was; `locked` where a token is needed;
 * `failed`. The player goes on by itself from all but `stopped`, `locked`, and a `failed` that trying again cannot help.
 */
export type PlayerState = "stopped" | "connecting" | "live" | "away" | "waiting" | "ended" | "locked" | "failed"

/** What a player may be given; it needs none of it. */
export interface WhepPlayerOptions {
  /** Sent as a bearer token; undefined where none is needed. */
  readonly token?: string | undefined
  /** `auto` offers in MiniSDP and falls back to SDP where the server does not take it; `off` offers in SDP at once. */
  readonly minisdp?: MiniSdpMode
  /** Shows the stream. Without one, take `media` as soon as `onMedia` is called. */
  readonly video?: HTMLVideoElement | undefined
  /** Called with every change, with a sentence for people where something went wrong. */
  readonly onState?: (change: { readonly state: PlayerState; readonly detail: string }) => void
  /** Called when a track has begun to carry something. */
  readonly onMedia?: () => void
  /** Called with what the session tells while it runs: layers, viewers, and whether the publisher is there. */
  readonly onEvent?: (event: WhepEvent) => void
  /** True also asks for what the publisher sends beside its pictures, for `onEvent`: SEI user data and RTMP data messages. */
  readonly timedMetadata?: boolean
}

/** A reading of the player's statistics. */
export interface PlayerStats extends StatsReading {
  /** From the offer to the first picture on the screen; undefined before it. */
  readonly firstFrameMs: number | undefined
}

/**
 * A WHEP player that looks after itself: it waits for a stream that is not live, comes back when it does, and connects
 * again when media stop.
 */
export class WhepPlayer {
  readonly #client: SignalingClient
  readonly #video: HTMLVideoElement | undefined
  readonly #options: WhepPlayerOptions
  #session: SignalingSession | undefined
  #connection: Connection | undefined
  #spare: Connection | undefined
  #stop: AbortController | undefined
  #wake = new AbortController()
  #meter = new StatsMeter()
  #state: PlayerState = "stopped"
  #detail = ""
  #wasLive = false
  #isAway = false
  #firstFrameMs: number | undefined

  /** Set while the viewer has paused the video, so that a new connection does not start playing by itself. */
  isPaused = false
  /** Takes effect with the next session; `play` opens it at once where one was refused. */
  token: string | undefined

  constructor(endpoint: string | URL, options: WhepPlayerOptions = {}) {
    this.#client = new SignalingClient(endpoint, options.minisdp ?? "auto")
    this.#options = options
    this.#video = options.video
    this.token = options.token
  }

  get state(): PlayerState {
    return this.#state
  }

  /** The present connection, null between two of them. */
  get pc(): RTCPeerConnection | null {
    return this.#connection?.pc ?? null
  }

  /** The tracks of the present connection, for whoever shows them without a video element. */
  get media(): MediaStream | undefined {
    return this.#connection?.media
  }

  /** Begins; where the player waits or has given up, it tries again at once. */
  play(): void {
    this.#wake.abort()
    if (this.#stop !== undefined) return
    this.#stop = new AbortController()
    void this.#run(this.#stop.signal)
  }

  /** Closes the session, also while the page is being left; `play` begins anew. */
  stop(): void {
    this.#session?.end()
    this.#stop?.abort()
    this.#stop = undefined
    this.#wake.abort()
    this.#dropSpare()
    this.#wasLive = false
    this.#set("stopped")
  }

  /** Asks for a simulcast layer by its rid; undefined leaves the choice to the server. */
  async selectLayer(rid?: string): Promise<void> {
    const layersUrl = this.#session?.layersUrl
    if (layersUrl === undefined) return
    const headers = { "content-type": "application/json" }
    await fetch(layersUrl, { method: "POST", headers, body: JSON.stringify({ rid }) })
  }

  /** Reads the connection's statistics; rates are those of the time since the last reading. */
  async stats(): Promise<PlayerStats | undefined> {
    if (this.#connection === undefined) return undefined
    const reading = await this.#meter.read(this.#connection.pc)
    return { ...reading, firstFrameMs: this.#firstFrameMs }
  }

  async #run(stopped: AbortSignal): Promise<void> {
    let failures = 0
    let waits = 0
    while (!stopped.aborted) {
      let delayMs: number | undefined
      try {
        if (!this.#isPatient) this.#set("connecting")
        await this.#playOnce(stopped)
        failures = 0
        waits = 0
        delayMs = 0
      } catch (error) {
        if (stopped.aborted) break
        const { message } = error as Error
        if (isNotLive(error)) {
          this.#set(this.#wasLive ? "ended" : "waiting", message)
          failures = 0
          delayMs = document.hidden ? 4_000 : Math.min(1_000 + waits++ * 50, 2_000)
        } else if (error instanceof SignalingError && (error.status === 401 || error.status === 403)) {
          this.#set("locked", message)
        } else {
          delayMs = isFinal(error) ? undefined : Math.min(500 * 2 ** failures++, 8_000)
          this.#set("failed", message)
        }
      }
      await this.#pause(delayMs, stopped)
    }
  }

  /** One connection from the offer to its end; throws where it never came to live. */
  async #playOnce(stopped: AbortSignal): Promise<void> {
    const connection = this.#takeConnection()
    const { pc, media } = connection
    const attempt = new AbortController()
    const { signal } = attempt
    const abort = () => attempt.abort()
    stopped.addEventListener("abort", abort, { once: true })
    let session: SignalingSession | undefined
    try {
      const startedAtMs = performance.now()
      session = await this.#client.open(pc, { token: this.token, signal })
      this.#session = session
      this.#connection = connection
      this.#isAway = false
      this.#listen(session.eventsUrl, attempt)
      this.#meter = new StatsMeter()
      this.#firstFrameMs = undefined
      if (this.#isPatient) this.#set("connecting")
      this.#watchFirstFrame(media, startedAtMs, signal)
      await this.#untilOver(pc, signal)
    } catch (error) {
      if (isNotLive(error) && !stopped.aborted) this.#spare = connection
      throw error
    } finally {
      stopped.removeEventListener("abort", abort)
      abort()
      session?.end()
      if (this.#session === session) this.#session = undefined
      if (this.#connection === connection) this.#connection = undefined
      if (this.#spare !== connection) pc.close()
    }
  }

  /** True while there is nothing to do but to ask again. */
  get #isPatient(): boolean {
    return this.#state === "waiting" || this.#state === "ended"
  }

  #listen(eventsUrl: URL | undefined, attempt: AbortController): void {
    if (eventsUrl === undefined) return
    const onEvent = (event: WhepEvent) => {
      if (event.type === "inactive") this.#setAway(true)
      else if (event.type === "active") this.#setAway(false)
      else if (event.type === "reconnect") attempt.abort()
      this.#options.onEvent?.(event)
    }
    const { signal } = attempt
    const { timedMetadata } = this.#options
    listen(eventsUrl, onEvent, { signal, timedMetadata }).catch(() => {}) // the picture does without
  }

  #setAway(isAway: boolean): void {
    this.#isAway = isAway
    if (isAway && this.#state === "live") this.#set("away")
  }

  /** While a stream is not live the same connection asks again and again: making one is dear, and browsers count them. */
  #takeConnection(): Connection {
    const spare = this.#spare
    this.#spare = undefined
    if (spare !== undefined && performance.now() - spare.madeAtMs < SPARE_LIMIT_MS) return spare
    spare?.pc.close()
    return createConnection((track, media) => this.#showTrack(track, media))
  }

  #dropSpare(): void {
    this.#spare?.pc.close()
    this.#spare = undefined
  }

  #showTrack(track: MediaStreamTrack, media: MediaStream): void {
    const video = this.#video
    track.addEventListener("unmute", () => this.#options.onMedia?.())
    if (video === undefined) return
    const show = () => {
      if (video.srcObject !== media) video.srcObject = media
      if (!this.isPaused) video.play().catch(() => {}) // not allowed before the first click
    }
    // The old picture stays until the new one comes.
    if (video.srcObject === null) show()
    else track.addEventListener("unmute", show, { once: true })
  }

  #watchFirstFrame(media: MediaStream, startedAtMs: number, signal: AbortSignal): void {
    const video = this.#video
    if (video === undefined) return
    const goLive = () => this.#goLive(startedAtMs, signal)
    const next = () => {
      if (!signal.aborted) video.requestVideoFrameCallback(() => (video.srcObject === media ? goLive() : next()))
    }
    if (media.getVideoTracks().length > 0 && "requestVideoFrameCallback" in video) next()
    else video.addEventListener("playing", goLive, { signal })
  }

  #goLive(startedAtMs: number, signal: AbortSignal): void {
    if (this.#state === "live" || this.#state === "away" || signal.aborted) return
    this.#firstFrameMs = Math.round(performance.now() - startedAtMs)
    this.#wasLive = true
    this.#set("live")
  }

  /** Resolves when a connection that was live has ended, throws when it never came to be. */
  async #untilOver(pc: RTCPeerConnection, signal: AbortSignal): Promise<void> {
    const openedAtMs = performance.now()
    let bytes = -1
    let movedAtMs = openedAtMs
    let connectedAtMs = openedAtMs
    const nextChange = stateChanges(pc, signal)
    while (!signal.aborted) {
      await nextChange(TICK_MS)
      if (signal.aborted) return
      const nowMs = performance.now()
      if (pc.connectionState !== "disconnected") connectedAtMs = nowMs
      if (isGone(pc) || nowMs - connectedAtMs >= DISCONNECTED_LIMIT_MS) return this.#requireLive()
      const received = await receivedMedia(pc)
      const hasMoved = received.bytes !== bytes
      bytes = received.bytes
      if (hasMoved || this.#isAway) movedAtMs = nowMs
      if (this.#state === "away" && !this.#isAway && hasMoved) this.#set("live")
      // A hidden page and a paused video are not told of frames, and a stream of sound alone has none.
      const isUnseen = received.frames > 0 && (this.#video === undefined || document.hidden || this.#video.paused)
      const isSoundOnly = received.videoBytes === 0 && bytes > 0 && nowMs - openedAtMs >= SOUND_ONLY_MS
      if (isUnseen || isSoundOnly) this.#goLive(openedAtMs, signal)
      if (this.#state === "live" && nowMs - movedAtMs >= SILENCE_LIMIT_MS) return
      if (this.#state === "connecting" && nowMs - openedAtMs >= START_LIMIT_MS) {
        throw new Error(pc.connectionState === "connected" ? NO_PICTURE : NO_CONNECTION)
      }
    }
  }

  #requireLive(): void {
    if (this.#state !== "live" && this.#state !== "away") throw new Error("The connection was lost.")
  }

  /** Without a time it waits for `play`. */
  async #pause(delayMs: number | undefined, stopped: AbortSignal): Promise<void> {
    if (stopped.aborted) return
    this.#wake = new AbortController()
    const { signal } = this.#wake
    if (delayMs === undefined) await new Promise((resolve) => signal.addEventListener("abort", resolve))
    else if (delayMs > 0) await sleep(delayMs, signal)
  }

  #set(state: PlayerState, detail = ""): void {
    if (this.#state === state && this.#detail === detail) return
    this.#state = state
    this.#detail = detail
    this.#options.onState?.({ state, detail })
  }
}

/** WHEP says so with 409 (section 4.3.8); servers that are not to the letter have no such address. */
function isNotLive(error: unknown): boolean {
  if (!(error instanceof SignalingError)) return false
  return error.status === 409 || (error.status === 404 && error.code === "unknown")
}

/** Trying again will not help: the browser cannot play this, or the address is wrong. */
function isFinal(error: unknown): boolean {
  return error instanceof SignalingError && error.status >= 400 && error.status < 500
}

const TICK_MS = 500
const SOUND_ONLY_MS = 2_000
const SPARE_LIMIT_MS = 60_000
const SILENCE_LIMIT_MS = 2_500
const DISCONNECTED_LIMIT_MS = 2_000
const START_LIMIT_MS = 12_000
const NO_PICTURE = "Connected, but no picture came. The stream may be waiting for its next keyframe."
const NO_CONNECTION = "The media connection could not be made. A firewall may block UDP to the gateway."
