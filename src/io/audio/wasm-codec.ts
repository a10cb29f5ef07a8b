import { readFileSync } from "node:fs"
import type { AudioCodec } from "../../audio/codec.ts"
import type { TranscoderConfig } from "../../audio/transcoder.ts"
import { GatewayError } from "../../errors.ts"

/** Compiles the codecs, wasm/bridge.wasm; the module can be used for any number of `openWasmCodec`. */
export function compileBridge(): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL("./wasm/bridge.wasm", import.meta.url)))
}

/**
 * Opens a codec in an instance of its own, so that damage to its memory cannot reach another and closing it is to
 * forget it. Throws `audio.transcode` where the codecs refuse the configuration.
 */
export function openWasmCodec(module: WebAssembly.Module, config: TranscoderConfig): AudioCodec {
  const bridge = instantiate(module)
  const { bitrateBps } = config
  let result: number
  if (config.direction === "aac-to-opus") {
    write(bridge, config.audioSpecificConfig)
    result = bridge.bridge_open_aac_to_opus(config.audioSpecificConfig.length, bitrateBps)
  } else {
    result = bridge.bridge_open_opus_to_aac(config.channels, bitrateBps)
  }
  check(result, `cannot open ${config.direction}`)
  return new WasmCodec(bridge, config.direction)
}

class WasmCodec implements AudioCodec {
  readonly frameSamples: number
  readonly delaySamples: number
  readonly #bridge: Bridge
  readonly #inputName: string

  constructor(bridge: Bridge, direction: TranscoderConfig["direction"]) {
    this.#bridge = bridge
    this.#inputName = direction === "aac-to-opus" ? "AAC frame" : "Opus packet"
    this.frameSamples = bridge.bridge_frame_samples()
    this.delaySamples = bridge.bridge_delay_samples()
  }

  get position(): number {
    return this.#bridge.bridge_position()
  }

  push(data: Uint8Array, stretchSamples: number): void {
    write(this.#bridge, data)
    check(this.#bridge.bridge_push(data.length, stretchSamples), `bad ${this.#inputName} of ${data.length} bytes`)
  }

  conceal(samples: number, next?: Uint8Array): void {
    if (next) write(this.#bridge, next)
    check(this.#bridge.bridge_conceal(samples, next?.length ?? 0), "cannot conceal a loss")
  }

  take(): Uint8Array | undefined {
    const length = check(this.#bridge.bridge_take(), "cannot encode")
    if (length === 0) return
    const at = this.#bridge.bridge_output()
    return new Uint8Array(this.#bridge.memory.buffer, at, length).slice()
  }
}

/** What wasm/bridge.c exports. */
interface Bridge {
  readonly memory: WebAssembly.Memory
  _initialize(): void
  bridge_input(): number
  bridge_input_size(): number
  bridge_output(): number
  bridge_open_aac_to_opus(length: number, bitrateBps: number): number
  bridge_open_opus_to_aac(channels: number, bitrateBps: number): number
  bridge_frame_samples(): number
  bridge_delay_samples(): number
  bridge_position(): number
  bridge_push(length: number, stretchSamples: number): number
  bridge_conceal(samples: number, nextLength: number): number
  bridge_take(): number
}

function write(bridge: Bridge, data: Uint8Array): void {
  if (data.length > bridge.bridge_input_size()) {
    throw new GatewayError("audio.transcode", `audio packet of ${data.length} bytes`)
  }
  new Uint8Array(bridge.memory.buffer, bridge.bridge_input(), data.length).set(data)
}

function check(result: number, what: string): number {
  if (result >= 0) return result
  throw new GatewayError("audio.transcode", `${what} (${ERROR_NAMES.get(result) ?? `error ${result}`})`)
}

/** The C library wants a system below it; the codecs only ever ask it for the environment, which is empty. */
function instantiate(module: WebAssembly.Module): Bridge {
  let bridge: Bridge
  const refuse = () => WASI_ENOSYS
  const environ_sizes_get = (countAt: number, bytesAt: number) => {
    const view = new DataView(bridge.memory.buffer)
    view.setUint32(countAt, 0, true)
    view.setUint32(bytesAt, 0, true)
    return 0
  }
  const proc_exit = (code: number) => {
    throw new Error(`the codecs exited with ${code}`)
  }
  const instance = new WebAssembly.Instance(module, {
    env: { emscripten_notify_memory_growth: () => {} },
    wasi_snapshot_preview1: {
      clock_time_get: refuse,
      environ_get: () => 0,
      environ_sizes_get,
      fd_close: refuse,
      fd_fdstat_get: refuse,
      fd_read: refuse,
      fd_seek: refuse,
      fd_write: refuse,
      proc_exit,
    },
  })
  bridge = instance.exports as unknown as Bridge
  bridge._initialize()
  return bridge
}

const WASI_ENOSYS = 52

/** Failures by number, of libopus, of libavutil/error.h and of wasm/bridge.c. */
const ERROR_NAMES: ReadonlyMap<number, string> = new Map([
  [-1, "not decodable"],
  [-28, "bad argument"],
  [-4, "corrupted stream"],
  [-1001, "out of range"],
  [-1002, "unusable rate or channels"],
  [-1003, "too much sound at once"],
  [-1094995529, "invalid data"],
  [-1163346256, "a feature that is not supported"],
])
