import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** Bytes that are in use once all garbage is collected, buffers outside of the heap included. */
export function collectedHeapBytes(): number {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  for (let i = 0; i < 3; i++) collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
