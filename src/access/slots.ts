/** Bounds how much runs at once: who comes when all slots are taken waits in line, and the line is bounded, too. */
export class Slots {
  readonly #maxTaken: number
  readonly #maxWaiting: number
  readonly #waiting = new Set<() => void>()
  #taken = 0

  constructor(maxTaken: number, maxWaiting: number) {
    this.#maxTaken = maxTaken
    this.#maxWaiting = maxWaiting
  }

  /**
   * Resolves when it is one's turn, with the function that gives the slot back; undefined where too many wait already. Rejects with
   * the signal's reason.
   */
  async take(signal: AbortSignal): Promise<(() => void) | undefined> {
    if (this.#taken >= this.#maxTaken) {
      if (this.#waiting.size >= this.#maxWaiting) return undefined
      await this.#turn(signal)
    } else this.#taken++
    return () => this.#giveBack()
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(go)
        reject(signal.reason)
      }
      const go = () => {
        signal.removeEventListener("abort", onAbort)
        resolve()
      }
      this.#waiting.add(go)
      signal.addEventListener("abort", onAbort)
    })
  }

  /** The slot goes to who has waited longest and stays taken then. */
  #giveBack(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#taken--
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}
