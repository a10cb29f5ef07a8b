import { sleep } from "./dom.js"
import { listen } from "./session-events.js"
import { openSession, SignalingError } from "./signaling.js"
import { StatsMeter } from "./stats.js"

/**
 * A WHEP player that looks after itself: it waits for a stream that is not live, comes back when it does, and connects
 * again when media stop. `onState({state, detail})` tells `connecting`, `live`, `away` (the publisher lost its connection
 * and may return), `waiting` (never live yet), `ended` (was live), `locked` (a key is needed) or `failed`; `onMedia()` that
 * a track has begun to carry something, `onEvent(type, data)` what the session tells.
 */
export class Player {
  #endpoint
  #video
  #onState
  #onMedia
  #onEvent
  #session = undefined
  #stop = new AbortController()
  #wake = new AbortController()
  #meter = new StatsMeter()
  #wasLive = false
  #isAway = false
  #spare = undefined
  pc = null
  state = "connecting"
  detail = ""
  /** Set while the viewer has paused, so that a new connection does not start playing by itself. */
  isPaused = false
  /** Sent as a bearer token; undefined where none is needed. */
  token = undefined
  /** From the POST to the first picture on the screen, of the current connection. */
  firstFrameMs = undefined

  constructor({ endpoint, token, video, onState, onMedia = () => {}, onEvent = () => {} }) {
    this.#endpoint = endpoint
    this.token = token
    this.#onEvent = onEvent
    this.#video = video
    this.#onState = onState
    this.#onMedia = onMedia
  }

  /** Runs until `stop()`; resolves then. */
  async run() {
    const { signal } = this.#stop
    let failures = 0
    let waits = 0
    while (!signal.aborted) {
      let delayMs
      try {
        if (!this.#isPatient) this.#set("connecting", "")
        await this.#playOnce()
        failures = 0
        waits = 0
        delayMs = 0
      } catch (error) {
        if (signal.aborted) break
        if (error.code === "stream.not_live") {
          this.#set(this.#wasLive ? "ended" : "waiting", error.message)
          failures = 0
          delayMs = document.hidden ? 4_000 : Math.min(1_000 + waits++ * 50, 2_000)
        } else if (error.status === 401 || error.status === 403) {
          this.#set("locked", error.message)
        } else {
          delayMs = isFinal(error) ? undefined : Math.min(500 * 2 ** failures++, 8_000)
          this.#set("failed", error.message)
        }
      }
      await this.#pause(delayMs)
    }
  }

  /** Tries again at once. */
  retry() {
    this.#wake.abort()
  }

  /** Ends it for good; the session is closed at once, because the page may be going away. */
  stop() {
    this.#session?.end()
    this.#stop.abort()
    this.#wake.abort()
  }

  /** Asks for a simulcast layer by its rid; undefined leaves the choice to the gateway. */
  async selectLayer(rid) {
    const layersUrl = this.#session?.layersUrl
    if (layersUrl === undefined) return
    const headers = { "content-type": "application/json" }
    await fetch(layersUrl, { method: "POST", headers, body: JSON.stringify({ rid }) })
  }

  async stats() {
    if (this.pc === null) return undefined
    const reading = await this.#meter.read(this.pc)
    return { ...reading, firstFrameMs: this.firstFrameMs }
  }

  /** One connection from the POST to its end; throws where it never came to live. */
  async #playOnce() {
    const connection = this.#takeConnection()
    const { pc, media } = connection
    const attempt = new AbortController()
    const abort = () => attempt.abort()
    this.#stop.signal.addEventListener("abort", abort, { once: true })
    try {
      const startedAt = performance.now()
      this.#session = await openSession(pc, this.#endpoint, { token: this.token, signal: attempt.signal })
      this.#isAway = false
      this.#listen(this.#session.eventsUrl, attempt)
      this.pc = pc
      this.#meter = new StatsMeter()
      this.firstFrameMs = undefined
      if (this.#isPatient) this.#set("connecting", "")
      this.#watchFirstFrame(media, startedAt, attempt.signal)
      await this.#untilOver(pc, attempt.signal)
    } catch (error) {
      if (error.code === "stream.not_live") this.#spare = connection
      throw error
    } finally {
      this.#stop.signal.removeEventListener("abort", abort)
      abort()
      this.#session?.end()
      this.#session = undefined
      this.pc = null
      if (this.#spare !== connection) pc.close()
    }
  }

  /** True while there is nothing to do but to ask again. */
  get #isPatient() {
    return this.state === "waiting" || this.state === "ended"
  }

  #listen(eventsUrl, attempt) {
    if (eventsUrl === undefined) return
    const onEvent = (type, data) => {
      if (type === "inactive") this.#setAway(true)
      else if (type === "active") this.#setAway(false)
      else if (type === "reconnect") attempt.abort()
      this.#onEvent(type, data)
    }
    listen(eventsUrl, onEvent, attempt.signal).catch(() => {}) // the picture does without
  }

  #setAway(isAway) {
    this.#isAway = isAway
    if (isAway && this.state === "live") this.#set("away", "")
  }

  /**
   * While a stream is not live the same connection asks again and again: making one is dear, and browsers count them.
   */
  #takeConnection() {
    const spare = this.#spare
    this.#spare = undefined
    if (spare !== undefined && performance.now() - spare.madeAt < SPARE_LIMIT_MS) return spare
    spare?.pc.close()
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" })
    return { pc, media: this.#receiveInto(pc), madeAt: performance.now() }
  }

  #receiveInto(pc) {
    for (const kind of ["audio", "video"]) pc.addTransceiver(kind, { direction: "recvonly" })
    const media = new MediaStream()
    const show = () => {
      if (this.#video.srcObject !== media) this.#video.srcObject = media
      if (!this.isPaused) this.#video.play().catch(() => {}) // not allowed before the first click
    }
    pc.addEventListener("track", ({ track, receiver }) => {
      // The least delay that the network allows; the browser raises it by itself where packets come unevenly.
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0
      if ("playoutDelayHint" in receiver) receiver.playoutDelayHint = 0
      media.addTrack(track)
      track.addEventListener("unmute", () => this.#onMedia())
      // The old picture stays until the new one comes.
      if (this.#video.srcObject === null) show()
      else track.addEventListener("unmute", show, { once: true })
    })
    return media
  }

  #watchFirstFrame(media, startedAt, signal) {
    const goLive = () => this.#goLive(startedAt)
    const onFrame = () => (this.#video.srcObject === media ? goLive() : next())
    const next = () => {
      if (!signal.aborted) this.#video.requestVideoFrameCallback(onFrame)
    }
    if (media.getVideoTracks().length > 0 && "requestVideoFrameCallback" in this.#video) next()
    else this.#video.addEventListener("playing", goLive, { signal })
  }

  #goLive(startedAt) {
    if (this.state === "live" || this.state === "away" || this.#stop.signal.aborted) return
    this.firstFrameMs = Math.round(performance.now() - startedAt)
    this.#wasLive = true
    this.#set("live", "")
  }

  /** Resolves when a connection that was live has ended, throws when it never came to be. */
  async #untilOver(pc, signal) {
    const openedAt = performance.now()
    let media = { bytes: -1, frames: 0 }
    let movedAt = openedAt
    let connectedAt = openedAt
    const nextChange = stateChanges(pc, signal)
    while (!signal.aborted) {
      await nextChange(TICK_MS)
      if (signal.aborted) return
      const now = performance.now()
      if (pc.connectionState !== "disconnected") connectedAt = now
      if (isGone(pc) || now - connectedAt >= DISCONNECTED_LIMIT_MS) return this.#requireLive("The connection was lost.")
      const before = media.bytes
      media = await receivedMedia(pc)
      if (media.bytes !== before || this.#isAway) movedAt = now
      if (this.state === "away" && !this.#isAway && media.bytes !== before) this.#set("live", "")
      // A hidden page and a paused video are not told of frames, and a stream of sound alone has none.
      const isUnseen = media.frames > 0 && (document.hidden || this.#video.paused)
      const isSoundOnly = media.videoBytes === 0 && media.bytes > 0 && now - openedAt >= SOUND_ONLY_MS
      if (isUnseen || isSoundOnly) this.#goLive(openedAt)
      if (this.state === "live" && now - movedAt >= SILENCE_LIMIT_MS) return
      if (this.state === "connecting" && now - openedAt >= START_LIMIT_MS) {
        throw new Error(pc.connectionState === "connected" ? NO_PICTURE : NO_CONNECTION)
      }
    }
  }

  #requireLive(message) {
    if (this.state !== "live" && this.state !== "away") throw new Error(message)
  }

  async #pause(delayMs) {
    this.#wake = new AbortController()
    if (this.#stop.signal.aborted) return
    if (delayMs === undefined) await new Promise((resolve) => this.#wake.signal.addEventListener("abort", resolve))
    else if (delayMs > 0) await sleep(delayMs, this.#wake.signal)
  }

  #set(state, detail) {
    if (this.state === state && this.detail === detail) return
    this.state = state
    this.detail = detail
    this.#onState({ state, detail })
  }
}

/** Trying again will not help: the browser cannot play this, or the address is wrong. */
function isFinal(error) {
  return error instanceof SignalingError && error.status >= 400 && error.status < 500 && error.status !== 409
}

/** The gateway closes DTLS when the stream ends; the connection state notices much later. */
function transportClosed(pc) {
  return pc.getReceivers().some((receiver) => receiver.transport?.state === "closed")
}

function isGone(pc) {
  return pc.connectionState === "failed" || pc.connectionState === "closed" || transportClosed(pc)
}

/** Returns a function that waits for the next change of the connection, or for some time. */
function stateChanges(pc, signal) {
  let wake = () => {}
  const onChange = () => wake()
  pc.addEventListener("connectionstatechange", onChange, { signal })
  for (const { transport } of pc.getReceivers()) transport?.addEventListener("statechange", onChange, { signal })
  signal.addEventListener("abort", onChange)
  return (ms) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
}

async function receivedMedia(pc) {
  const inbound = [...(await pc.getStats()).values()].filter((entry) => entry.type === "inbound-rtp")
  const bytesOf = (entries) => entries.reduce((sum, entry) => sum + entry.bytesReceived, 0)
  return {
    bytes: bytesOf(inbound),
    videoBytes: bytesOf(inbound.filter((entry) => entry.kind === "video")),
    frames: inbound.reduce((sum, entry) => sum + (entry.framesDecoded ?? 0), 0),
  }
}

const TICK_MS = 500
const SOUND_ONLY_MS = 2_000
const SPARE_LIMIT_MS = 60_000
const SILENCE_LIMIT_MS = 2_500
const DISCONNECTED_LIMIT_MS = 2_000
const START_LIMIT_MS = 12_000
const NO_PICTURE = "Connected, but no picture came. The stream may be waiting for its next keyframe."
const NO_CONNECTION = "The media connection could not be made. A firewall may block UDP to the gateway."
