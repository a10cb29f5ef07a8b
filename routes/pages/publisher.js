import { SignalingClient, SignalingError } from "./player/signaling.js"
import { sleep } from "./player/sleep.js"
import { StatsMeter } from "./player/stats.js"

/**
 * Publishes a MediaStream by WHIP and connects again where the connection breaks. `onState({state, detail})` tells:
 * `connecting`, `live`, `reconnecting`, `stopped`; the last one with a detail where it was not wanted.
 */
export class Publisher {
  #client
  #onState
  #stop = new AbortController()
  #meter = new StatsMeter()
  #session = undefined
  pc = null
  state = "stopped"

  constructor({ endpoint, onState }) {
    this.#client = new SignalingClient(endpoint, "off")
    this.#onState = onState
  }

  /** Publishes until `stop()`, or until the gateway refuses. */
  async run(stream, { token, maxBitrateBps, isSimulcast = false }) {
    const { signal } = this.#stop
    let failures = 0
    this.#set("connecting", "")
    while (!signal.aborted) {
      try {
        await this.#publishOnce(stream, { token, maxBitrateBps, isSimulcast })
        failures = 0
      } catch (error) {
        if (signal.aborted) break
        // Our own former session may hold the name until the gateway has noticed that it is dead.
        const mayPass =
          !(error instanceof SignalingError) ||
          error.status >= 500 ||
          (this.#hasBeenLive && error.code === "stream.busy")
        if (!mayPass || (!this.#hasBeenLive && failures >= 2) || failures >= 20) return this.#finish(error.message)
        failures++
      }
      if (signal.aborted) break
      if (this.#hasBeenLive) this.#set("reconnecting", "The connection was lost; connecting again.")
      await sleep(Math.min(300 * 2 ** failures, 5_000), signal)
    }
    this.#finish("")
  }

  /** Replaces a track without a new session, for another camera or microphone. */
  async replaceTrack(track) {
    const sender = this.pc?.getSenders().find((s) => s.track?.kind === track.kind)
    await sender?.replaceTrack(track)
  }

  /** Ends it for good; the session is closed at once, because the page may be going away. */
  stop() {
    this.#session?.end()
    this.#stop.abort()
  }

  async stats() {
    return this.pc === null ? undefined : await this.#meter.read(this.pc)
  }

  #hasBeenLive = false

  async #publishOnce(stream, { token, maxBitrateBps, isSimulcast }) {
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" })
    this.pc = pc
    this.#meter = new StatsMeter()
    try {
      for (const track of stream.getTracks()) addSender(pc, track, stream, maxBitrateBps, isSimulcast)
      this.#session = await this.#client.open(pc, {
        token,
        signal: this.#stop.signal,
        startBitrateBps: Math.min(maxBitrateBps * 0.6, MAX_START_BITRATE_BPS),
      })
      await limitBitrate(pc, maxBitrateBps)
      await this.#untilLost(pc)
    } finally {
      this.#session?.end()
      this.#session = undefined
      pc.close()
    }
  }

  /** Resolves when a connection is lost, throws where it never came to be. */
  async #untilLost(pc) {
    const { signal } = this.#stop
    const openedAt = performance.now()
    let connectedAt = openedAt
    while (!signal.aborted) {
      await sleep(TICK_MS, signal)
      const now = performance.now()
      const isClosed = pc.getSenders().some((sender) => sender.transport?.state === "closed")
      if (isClosed || pc.connectionState === "failed" || pc.connectionState === "closed") break
      if (pc.connectionState === "connected") {
        connectedAt = now
        this.#hasBeenLive = true
        this.#set("live", "")
      }
      if (this.state === "live" && now - connectedAt > DISCONNECTED_LIMIT_MS) break
      if (this.state !== "live" && now - openedAt > START_LIMIT_MS) break
    }
    if (this.state !== "live" && !signal.aborted) {
      throw new Error("The media connection could not be made. A firewall may block UDP to the gateway.")
    }
  }

  #finish(detail) {
    this.#stop.abort()
    this.#set("stopped", detail)
  }

  #set(state, detail) {
    if (this.state === state) return
    this.state = state
    this.#onState({ state, detail })
  }
}

function addSender(pc, track, stream, maxBitrateBps, isSimulcast) {
  const isVideo = track.kind === "video"
  const single = [{ maxBitrate: isVideo ? maxBitrateBps : AUDIO_BITRATE_BPS }]
  const transceiver = pc.addTransceiver(track, {
    direction: "sendonly",
    streams: [stream],
    sendEncodings: isVideo && isSimulcast ? layers(track, maxBitrateBps) : single,
  })
  if (isVideo) preferH264(transceiver)
}

/**
 * Halves of the size above, for viewers whose link does not take the whole; worst first, as Chromium wants them. It leaves out
 * the best ones where it takes the picture to be too small for their number, so a small picture gets fewer.
 */
function layers(track, maxBitrateBps) {
  const { width = 0, height = 0 } = track.getSettings()
  const all = [
    { rid: "q", scaleResolutionDownBy: 4, maxBitrate: maxBitrateBps / 16 },
    { rid: "h", scaleResolutionDownBy: 2, maxBitrate: maxBitrateBps / 4 },
    { rid: "f", maxBitrate: maxBitrateBps },
  ]
  return all.slice(width * height >= THREE_LAYERS_PIXELS ? 0 : 1)
}

/** H.264 is what RTMP readers get too; packetization mode 1 and constrained baseline are what every receiver takes. */
function preferH264(transceiver) {
  const codecs = RTCRtpSender.getCapabilities?.("video")?.codecs ?? []
  if (transceiver.setCodecPreferences === undefined || codecs.length === 0) return
  const rank = ({ mimeType, sdpFmtpLine = "" }) => {
    if (mimeType.toLowerCase() !== "video/h264") return 3
    if (!sdpFmtpLine.includes("packetization-mode=1")) return 2
    return /profile-level-id=42e0/i.test(sdpFmtpLine) ? 0 : 1
  }
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)))
}

/** Some browsers forget what `sendEncodings` said; say it again, and keep an even rate rather than a sharp still. */
async function limitBitrate(pc, maxBitrateBps) {
  for (const sender of pc.getSenders()) {
    if (sender.track?.kind !== "video") continue
    const parameters = sender.getParameters()
    if (parameters.encodings?.length === 1) parameters.encodings[0].maxBitrate = maxBitrateBps
    if (sender.track.contentHint !== "detail") parameters.degradationPreference = "maintain-framerate"
    await sender.setParameters(parameters).catch(() => {})
  }
}

const AUDIO_BITRATE_BPS = 128_000
/** Chromium begins with 300 kbit/s otherwise and climbs for many seconds. */
const MAX_START_BITRATE_BPS = 2_000_000
/** libwebrtc sends two layers of less. */
const THREE_LAYERS_PIXELS = 960 * 540
const TICK_MS = 200
const DISCONNECTED_LIMIT_MS = 2_000
const START_LIMIT_MS = 12_000
