import { afterEach, beforeEach, vi } from "vitest"
import type {
  AudioTranscoder,
  AudioTranscoders,
  TranscoderConfig,
  TranscoderEvents,
} from "../../src/audio/transcoder.ts"
import { createLaneConverters } from "../../src/bridge/lane-converters.ts"
import { parseConfig } from "../../src/config.ts"
import type { LiveStream } from "../../src/hub/live-stream.ts"
import { parseStreamName } from "../../src/hub/stream-name.ts"
import { StreamRegistry } from "../../src/hub/stream-registry.ts"
import { createLogger } from "../../src/io/log.ts"
import { RtmpMessageCache } from "../../src/io/rtmp/message-cache.ts"
import { TypeScriptFanout } from "../../src/io/webrtc/fanout-typescript.ts"
import type { RemoteAddress } from "../../src/io/webrtc/remote-address.ts"
import { StreamPumps } from "../../src/io/webrtc/stream-pumps.ts"
import { concat } from "../../src/media/bytes.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"

/** Time and timers stand still in every test of a file, but for `advance`. */
export function useFakeClock(): void {
  beforeEach(() => {
    vi.useFakeTimers({ now: START_MS })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
}

/** Lets time pass and runs what is due in it. */
export function advance(durationMs: number): void {
  vi.advanceTimersByTime(durationMs)
}

/** What is between publishers and viewers, wired as `src/gateway.ts` does it but for sockets and codecs. */
export class TestGateway {
  readonly logger = createLogger({ level: "silent", format: "json" })
  readonly messages = new RtmpMessageCache(RTMP_SERVER_DEFAULTS.chunkSizeBytes)
  readonly fanout: TypeScriptFanout
  /** What would have been logged as a bug. */
  readonly bugs: unknown[] = []
  readonly nowMs = () => Date.now() - START_MS
  readonly onBug = (error: unknown) => {
    this.bugs.push(error)
  }
  readonly registry: StreamRegistry
  readonly #ways = new Map<RemoteAddress, (datagram: Uint8Array) => void>()
  readonly #pumps = new WeakMap<LiveStream, StreamPumps>()

  constructor(hub: Partial<ReturnType<typeof parseConfig>["hub"]> = {}) {
    const config = parseConfig({ hub })
    this.fanout = new TypeScriptFanout((datagram, to) => this.#ways.get(to as RemoteAddress)?.(datagram))
    this.registry = new StreamRegistry(
      () => createLaneConverters({ transcoders: MARKING_TRANSCODERS, ...config.audio, onAudioError: this.onBug }),
      config.hub,
      this.onBug,
    )
  }

  /** The stream that all scenarios publish. */
  get stream(): LiveStream {
    return this.registry.find(NAME)
  }

  /** Where datagrams to an address go. */
  route(remote: RemoteAddress, deliver: (datagram: Uint8Array) => void): void {
    this.#ways.set(remote, deliver)
  }

  /** The pumps of the live stream, as `WebRtcService` keeps them. */
  get pumps(): StreamPumps {
    const { stream } = this
    let pumps = this.#pumps.get(stream)
    if (pumps === undefined) {
      pumps = new StreamPumps(stream, "source", this.fanout)
      this.#pumps.set(stream, pumps)
    }
    return pumps
  }
}

/** Changes nothing but the mark in front of each frame, which is what frames can be told by. */
const MARKING_TRANSCODERS: AudioTranscoders = {
  open({ direction }: TranscoderConfig, { onFrame }: TranscoderEvents): AudioTranscoder {
    const mark = direction === "aac-to-opus" ? OPUS_MARK : AAC_MARK
    return { push: ({ ptsUs, data }) => onFrame({ ptsUs, data: concat([mark, data]) }), close: () => undefined }
  },
  close: async () => undefined,
}

/** What the fake transcoder puts in front: the first byte of an Opus packet of one frame of 20 ms in stereo. */
export const OPUS_MARK = Uint8Array.of(0xfc)
/** The same on the way to AAC. */
export const AAC_MARK = Uint8Array.of(0xaa)
/** Where all publish. */
export const NAME = parseStreamName("live", "cam1")
/** The wall clock at the beginning of each test. */
const START_MS = Date.UTC(2026, 0, 1)
