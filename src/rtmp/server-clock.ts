import { GatewayError } from "../errors.ts"
import { PeerLiveness } from "./peer-liveness.ts"
import type { RtmpServerOptions } from "./server-options.ts"
import type { StreamActivity } from "./server-streams.ts"

/** The time limits of one server session: for commands, for a publisher's media, for answers to pings. */
export class ServerClock {
  readonly #options: RtmpServerOptions
  readonly #liveness: PeerLiveness
  #mediaAtMs: number
  #idleSinceMs: number

  constructor(options: RtmpServerOptions, nowMs: number) {
    this.#options = options
    this.#liveness = new PeerLiveness(options, nowMs)
    this.#mediaAtMs = nowMs
    this.#idleSinceMs = nowMs
  }

  /** When the peer was heard last: the time of calls that bring none along. */
  get receivedAtMs(): number {
    return this.#liveness.receivedAtMs
  }

  /** Bytes came from the peer. */
  onReceived(nowMs: number): void {
    this.#liveness.onReceived(nowMs)
  }

  /** Media or data of a publisher came, or may come from now on. */
  onMedia(nowMs: number): void {
    this.#mediaAtMs = nowMs
  }

  /** Nothing is published or played any more: the time for the next command begins. */
  onIdle(nowMs: number): void {
    this.#idleSinceMs = nowMs
  }

  /** When `check` wants to be called; undefined while the caller has a request to decide on, for as long as it takes. */
  nextCheckMs(activity: StreamActivity): number | undefined {
    switch (activity) {
      case "idle":
        return this.#idleSinceMs + this.#options.commandTimeoutMs
      case "waiting":
        return undefined
      case "playing":
        return this.#liveness.nextCheckMs
      case "publishing":
        return Math.min(this.#mediaAtMs + this.#options.idleTimeoutMs, this.#liveness.nextCheckMs)
    }
  }

  /** Returns true where the peer is to be asked whether it is there. Throws `rtmp.timeout` where its time is up. */
  check(activity: StreamActivity, nowMs: number): boolean {
    if (nowMs < (this.nextCheckMs(activity) ?? Number.POSITIVE_INFINITY)) return false
    if (activity === "idle") throw timeout("no command in time")
    if (activity === "publishing" && nowMs >= this.#mediaAtMs + this.#options.idleTimeoutMs) {
      throw timeout("nothing received")
    }
    const verdict = this.#liveness.check(nowMs)
    if (verdict === "dead") throw timeout("no answer to a ping")
    return verdict === "ping"
  }
}

function timeout(reason: string): GatewayError {
  return new GatewayError("rtmp.timeout", reason)
}
