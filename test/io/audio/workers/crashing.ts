import { parentPort } from "node:worker_threads"
import type { AudioWorkerRequest, AudioWorkerResponse } from "../../../../src/io/audio/worker-messages.ts"

/** Echoes frames, but throws for one that begins with 0xdd and exits for one that begins with 0xee. */
const opened = new Set<number>()

parentPort?.on("message", (request: AudioWorkerRequest) => {
  if (request.type === "open") opened.add(request.id)
  if (request.type !== "push") return
  if (request.frame.data[0] === 0xdd) throw new Error("crashed as told")
  if (request.frame.data[0] === 0xee) process.exit(3)
  if (!opened.has(request.id)) throw new Error("push without open")
  parentPort?.postMessage({ id: request.id, frames: [request.frame] } satisfies AudioWorkerResponse)
})
