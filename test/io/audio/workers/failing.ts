import { parentPort } from "node:worker_threads"
import type { AudioWorkerRequest, AudioWorkerResponse } from "../../../../src/io/audio/worker-messages.ts"

/** Has something to say against every frame. */
parentPort?.on("message", (request: AudioWorkerRequest) => {
  if (request.type !== "push") return
  const frames = request.frame.ptsUs < 0 ? [request.frame] : []
  parentPort?.postMessage({ id: request.id, frames, error: "bad frame" } satisfies AudioWorkerResponse)
})
