/** Calls a state machine when its time has come; machines change that time with nearly every call. */
export class MachineTimer {
  readonly #nowMs: () => number
  readonly #onTimeout: () => void
  #timer: NodeJS.Timeout | undefined
  #atMs = 0

  constructor(nowMs: () => number, onTimeout: () => void) {
    this.#nowMs = nowMs
    this.#onTimeout = onTimeout
  }

  /** Sees to a call at `atMs`, undefined for none. A timer is left alone while it is early enough: who is called too early arms it anew. */
  arm(atMs: number | undefined): void {
    if (atMs === undefined || (this.#timer !== undefined && this.#atMs <= atMs)) return
    clearTimeout(this.#timer)
    this.#atMs = atMs
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#onTimeout()
      },
      Math.max(1, Math.ceil(atMs - this.#nowMs())),
    )
  }

  /** Calls nobody until it is armed again. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
