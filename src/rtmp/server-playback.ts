import { type AmfValue, amfField } from "./amf-value.ts"
import type { RtmpMessage } from "./message.ts"
import type { RtmpServerEvent } from "./server-events.ts"
import { onStatus } from "./server-replies.ts"

/** What a step of a playback leads to. */
export interface PlaybackStep {
  readonly replies: readonly RtmpMessage[]
  readonly events: readonly RtmpServerEvent[]
}

/** A playback that was let in: what of it the player wants at the moment, RTMP 1.0 sections 7.2.2.4 to 7.2.2.8. */
export class Playback {
  readonly #streamId: number
  readonly #wanted = { audio: true, video: true }
  #isPaused = false

  constructor(streamId: number) {
    this.#streamId = streamId
  }

  /** `pause` and Flash Player's `pauseRaw`; without a flag it is turned over. On a live stream nothing is kept: it goes on with what is live then. */
  pause(flag: AmfValue): PlaybackStep {
    const isPaused = typeof flag === "boolean" ? flag : !this.#isPaused
    const hasChanged = isPaused !== this.#isPaused
    this.#isPaused = isPaused
    const code = isPaused ? "NetStream.Pause.Notify" : "NetStream.Unpause.Notify"
    const kinds = (["audio", "video"] as const).filter((kind) => hasChanged && this.#wanted[kind])
    return {
      replies: [onStatus(this.#streamId, "status", code, isPaused ? "paused" : "playing again")],
      events: kinds.map((kind) => this.#changed(kind, !isPaused)),
    }
  }

  /** `receiveAudio` and `receiveVideo`; turning on is answered, turning off is not. */
  receive(kind: "audio" | "video", flag: AmfValue): PlaybackStep {
    const isWanted = flag !== false
    const hasChanged = isWanted !== this.#wanted[kind]
    this.#wanted[kind] = isWanted
    return {
      replies: isWanted
        ? [
            onStatus(this.#streamId, "status", "NetStream.Seek.Notify", `${kind} is sent`),
            onStatus(this.#streamId, "status", "NetStream.Play.Start", `${kind} is sent`),
          ]
        : [],
      events: hasChanged && !this.#isPaused ? [this.#changed(kind, isWanted)] : [],
    }
  }

  #changed(kind: "audio" | "video", enabled: boolean): RtmpServerEvent {
    return { type: "receiveChanged", streamId: this.#streamId, kind, enabled }
  }
}

/** What a player asks for with `play` (RTMP 1.0 section 7.2.2.1) or `play2` (7.2.2.2). */
export interface PlayRequest {
  /** False, or undefined for what is no request: the player stops. */
  readonly name: AmfValue
  /** False: what follows what is playing, in a play list. */
  readonly isReset: boolean
  /** Undefined: until the stream ends. */
  readonly durationMs: number | undefined
}

/** Reads the arguments of `play`. The start is not looked at: a live stream is played live, and players ask for 0 without a thought. */
export function parsePlay([, name, , duration, reset]: readonly AmfValue[]): PlayRequest {
  // In milliseconds, whatever the specification says: Flash Player, ffmpeg and librtmp multiply what they are given.
  const durationMs = typeof duration === "number" && duration > 0 ? Math.min(duration, MAX_DURATION_MS) : undefined
  return { name, isReset: reset !== false && reset !== 0, durationMs }
}

/** Reads the arguments of `play2`: to another stream at once, or something that takes a play list. */
export function parsePlay2([, options]: readonly AmfValue[]): PlayRequest {
  const transition = amfField(options, "transition")
  const isReset = typeof transition !== "string" || AT_ONCE.has(transition)
  const { durationMs } = parsePlay([null, undefined, undefined, amfField(options, "len")])
  return { name: amfField(options, "streamName"), isReset, durationMs }
}

const AT_ONCE = new Set(["", "reset", "switch", "swap"])
const MAX_DURATION_MS = 2 ** 31
