import { parentPort } from "node:worker_threads"
import { TranscodingPipeline } from "../../audio/pipeline.ts"
import { compileBridge, openWasmCodec } from "./wasm-codec.ts"
import type { AudioWorkerRequest, AudioWorkerResponse } from "./worker-messages.ts"

if (!parentPort) throw new Error("the audio worker was not started as a worker")
const port = parentPort
const bridge = compileBridge()
const pipelines = new Map<number, TranscodingPipeline>()

port.on("message", (request: AudioWorkerRequest) => {
  if (request.type === "open") {
    pipelines.set(request.id, new TranscodingPipeline(request.config, (config) => openWasmCodec(bridge, config)))
  } else if (request.type === "close") {
    pipelines.delete(request.id)
  } else {
    const result = pipelines.get(request.id)?.push(request.frame)
    if (result) port.postMessage(toResponse(request.id, result))
  }
})

function toResponse(id: number, { frames, error }: ReturnType<TranscodingPipeline["push"]>): AudioWorkerResponse {
  return error ? { id, frames, error: error.message } : { id, frames }
}
