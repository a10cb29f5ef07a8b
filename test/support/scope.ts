/** Collects what has to be undone, and undoes it in reverse order: processes, browsers, sockets, folders. */
export class Scope {
  #cleanups: (() => unknown)[] = []

  defer(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup)
  }

  /** Runs every cleanup even when some fail, then throws the first failure. */
  async close(): Promise<void> {
    const failures: unknown[] = []
    for (const cleanup of this.#cleanups.splice(0).reverse()) {
      try {
        await cleanup()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}
