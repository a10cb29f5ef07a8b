/** When a silent peer is asked whether it is still there, and how long it may take to answer. */
export interface LivenessLimits {
  readonly pingIntervalMs: number
  readonly pingTimeoutMs: number
}

/**
 * Whether the peer of a connection is still there, by Ping Request and Ping Response of RTMP 1.0 section 7.1.7: a reader may have nothing to
 * say for hours. Whatever a peer sends counts as an answer.
 */
export class PeerLiveness {
  readonly #limits: LivenessLimits
  #receivedAtMs: number
  #pingedAtMs: number | undefined

  constructor(limits: LivenessLimits, nowMs: number) {
    this.#limits = limits
    this.#receivedAtMs = nowMs
  }

  /** When the peer was heard last. */
  get receivedAtMs(): number {
    return this.#receivedAtMs
  }

  /** When `check` has something to say, provided that nothing comes meanwhile. */
  get nextCheckMs(): number {
    const { pingIntervalMs, pingTimeoutMs } = this.#limits
    return this.#pingedAtMs === undefined ? this.#receivedAtMs + pingIntervalMs : this.#pingedAtMs + pingTimeoutMs
  }

  /** Something came from the peer. */
  onReceived(nowMs: number): void {
    this.#receivedAtMs = nowMs
    this.#pingedAtMs = undefined
  }

  /** `ping`: ask the peer now; `dead`: it has not answered in time. */
  check(nowMs: number): "alive" | "ping" | "dead" {
    if (nowMs < this.nextCheckMs) return "alive"
    if (this.#pingedAtMs !== undefined) return "dead"
    this.#pingedAtMs = nowMs
    return "ping"
  }
}
