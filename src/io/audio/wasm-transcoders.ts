import { clearTimeout, setTimeout } from "node:timers"
import { Worker } from "node:worker_threads"
import type {
  AudioTranscoder,
  AudioTranscoders,
  TimedAudio,
  TranscoderConfig,
  TranscoderEvents,
} from "../../audio/transcoder.ts"
import { GatewayError } from "../../errors.ts"
import type { AudioWorkerRequest, AudioWorkerResponse } from "./worker-messages.ts"

/** How a `WasmTranscoders` may differ from the ordinary; tests use it. */
export interface WasmTranscodersOptions {
  /** The worker's script. */
  readonly workerUrl?: URL
  /** Frames of one transcoder that may wait for the worker; 100 are about two seconds. */
  readonly maxPendingFrames?: number
  /** How long a worker without work is kept. */
  readonly lingerMs?: number
}

/**
 * Transcoders in one worker thread, which is there only while a transcoder is open. A worker that dies is replaced, at
 * most once a second; what it held is lost and reported to every open transcoder.
 */
export class WasmTranscoders implements AudioTranscoders {
  readonly #workerUrl: URL
  readonly #maxPendingFrames: number
  readonly #lingerMs: number
  readonly #open = new Map<number, WasmTranscoder>()
  #worker: Worker | undefined
  #nextId = 1
  #retryAtMs = 0
  #linger: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: WasmTranscodersOptions = {}) {
    this.#workerUrl = options.workerUrl ?? ownWorkerUrl()
    this.#maxPendingFrames = options.maxPendingFrames ?? 100
    this.#lingerMs = options.lingerMs ?? 5_000
  }

  /** Throws `gateway.closing` after `close()`. */
  open(config: TranscoderConfig, events: TranscoderEvents): AudioTranscoder {
    if (this.#isClosed) throw new GatewayError("gateway.closing", "the audio transcoders are closed")
    clearTimeout(this.#linger)
    const id = this.#nextId++
    const transcoder = new WasmTranscoder(id, config, events, this.#maxPendingFrames, {
      send: (request) => this.#send(request),
      closed: () => this.#forget(id),
    })
    this.#open.set(id, transcoder)
    if (this.#worker) {
      this.#worker.ref()
      this.#worker.postMessage(transcoder.openRequest())
    } else {
      this.#startWorker()
    }
    return transcoder
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#linger)
    for (const transcoder of [...this.#open.values()]) transcoder.close()
    clearTimeout(this.#linger)
    await this.#stopWorker()
  }

  /** Returns false if there is no worker to send to at the moment. */
  #send(request: AudioWorkerRequest): boolean {
    if (!this.#worker) this.#startWorker()
    this.#worker?.postMessage(request)
    return this.#worker !== undefined
  }

  #startWorker(): void {
    const nowMs = performance.now()
    if (nowMs < this.#retryAtMs) return
    this.#retryAtMs = nowMs + RESTART_INTERVAL_MS
    const worker = new Worker(this.#workerUrl)
    this.#worker = worker
    worker.on("message", (response: AudioWorkerResponse) => {
      if (worker === this.#worker) this.#open.get(response.id)?.receive(response)
    })
    worker.on("error", (error) => this.#workerDied(worker, error))
    worker.on("exit", (code) => this.#workerDied(worker, new Error(`exit code ${code}`)))
    for (const transcoder of this.#open.values()) worker.postMessage(transcoder.openRequest())
  }

  #workerDied(worker: Worker, cause: unknown): void {
    if (worker !== this.#worker) return
    this.#worker = undefined
    // One that failed to start may live on in some runtimes.
    void worker.terminate()
    const message = `the audio worker stopped: ${cause instanceof Error ? cause.message : String(cause)}`
    for (const transcoder of [...this.#open.values()]) {
      transcoder.workerDied(new GatewayError("audio.transcode", message, { cause }))
    }
    if (this.#open.size > 0 && !this.#worker) this.#startWorker()
  }

  #forget(id: number): void {
    this.#open.delete(id)
    this.#worker?.postMessage({ type: "close", id } satisfies AudioWorkerRequest)
    if (this.#open.size > 0) return
    this.#worker?.unref()
    this.#linger = setTimeout(() => void this.#stopWorker(), this.#lingerMs)
    this.#linger.unref()
  }

  async #stopWorker(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    this.#retryAtMs = 0
    await worker?.terminate()
  }
}

/** What a transcoder needs of those that it belongs to. */
interface WorkerLink {
  send(request: AudioWorkerRequest): boolean
  closed(): void
}

class WasmTranscoder implements AudioTranscoder {
  readonly #id: number
  readonly #config: TranscoderConfig
  readonly #events: TranscoderEvents
  readonly #maxPendingFrames: number
  readonly #link: WorkerLink
  #pendingFrames = 0
  #isClosed = false
  #nextReportMs = 0
  #unreported = 0

  constructor(
    id: number,
    config: TranscoderConfig,
    events: TranscoderEvents,
    maxPendingFrames: number,
    link: WorkerLink,
  ) {
    this.#id = id
    // The configuration outlives the packet that it came in: it is needed again when a worker dies.
    this.#config = copyConfig(config)
    this.#events = events
    this.#maxPendingFrames = maxPendingFrames
    this.#link = link
  }

  openRequest(): AudioWorkerRequest {
    return { type: "open", id: this.#id, config: this.#config }
  }

  push({ ptsUs, data }: TimedAudio): void {
    if (this.#isClosed) return
    if (this.#pendingFrames >= this.#maxPendingFrames) {
      this.#report(new GatewayError("audio.transcode", "the audio worker falls behind, frames are dropped"))
      return
    }
    // Copied into a buffer of its own: posting a view would copy all of the buffer below it.
    const frame = { ptsUs, data: new Uint8Array(data) }
    if (this.#link.send({ type: "push", id: this.#id, frame })) this.#pendingFrames++
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#link.closed()
  }

  receive({ frames, error }: AudioWorkerResponse): void {
    this.#pendingFrames--
    for (const frame of frames) if (!this.#isClosed) this.#events.onFrame(frame)
    if (error !== undefined) this.#report(new GatewayError("audio.transcode", error))
  }

  workerDied(error: GatewayError): void {
    this.#pendingFrames = 0
    this.#report(error)
  }

  #report(error: GatewayError): void {
    if (this.#isClosed) return
    const nowMs = performance.now()
    if (nowMs < this.#nextReportMs) {
      this.#unreported++
      return
    }
    this.#nextReportMs = nowMs + REPORT_INTERVAL_MS
    const unreported = this.#unreported
    this.#unreported = 0
    if (unreported === 0) this.#events.onError(error)
    else this.#events.onError(new GatewayError(error.code, `${error.message} (${unreported} more before)`))
  }
}

/** Beside this file, and as it is: TypeScript in a checkout, JavaScript in the package. */
function ownWorkerUrl(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)
}

function copyConfig(config: TranscoderConfig): TranscoderConfig {
  if (config.direction === "opus-to-aac") return config
  return { ...config, audioSpecificConfig: new Uint8Array(config.audioSpecificConfig) }
}

const REPORT_INTERVAL_MS = 1_000
const RESTART_INTERVAL_MS = 1_000
