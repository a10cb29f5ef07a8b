/** When a recording goes on in a new file; 0 stands for no bound. */
export interface RotationLimits {
  readonly maxFileDurationMs: number
  readonly maxFileBytes: number
}

/** Whether a file has its size, so that the next frame that a file can begin with belongs into a new one. */
export function isFileFull(bytes: number, durationMs: number, limits: RotationLimits): boolean {
  const { maxFileBytes, maxFileDurationMs } = limits
  return (maxFileDurationMs > 0 && durationMs >= maxFileDurationMs) || (maxFileBytes > 0 && bytes >= maxFileBytes)
}
