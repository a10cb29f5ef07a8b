/** Waits; ends early, and without an error, when the signal is aborted. */
export function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(end, durationMs)
    signal.addEventListener("abort", end)

    function end(): void {
      clearTimeout(timer)
      signal.removeEventListener("abort", end)
      resolve()
    }
  })
}
