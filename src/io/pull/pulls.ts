import { matchesPattern } from "../../access/pattern.ts"
import type { GatewayError } from "../../errors.ts"
import { OnDemandStreams, type StreamDemand, type StreamFetch } from "../../hub/demand.ts"
import { parseStreamName, type StreamName } from "../../hub/stream-name.ts"
import type { StreamRegistry } from "../../hub/stream-registry.ts"
import type { Logger } from "../log.ts"
import { MiniSdpClient } from "../minisdp/client.ts"
import { readCaFile } from "../rtmp/ca-file.ts"
import type { DtlsIdentity } from "../webrtc/identity.ts"
import type { OpenAead } from "../webrtc/srtp/gcm.ts"
import { PullFailureLog } from "./failure-log.ts"
import { HttpFlvSource } from "./http-flv-source.ts"
import { MiniSdpSource } from "./minisdp-source.ts"
import type { PullSource } from "./pull-source.ts"
import { RtmpSource } from "./rtmp-source.ts"
import { type PullState, StreamPull } from "./stream-pull.ts"

/** A stream, or with `*` and on demand all that fit, and where they are fetched from. */
export interface PullEntry {
  readonly stream: string
  /** With `{app}` and `{stream}` where their names belong. */
  readonly url: string
  readonly onDemand: boolean
  readonly idleTimeoutMs?: number | undefined
}

/** How pulls are done. */
export interface PullSettings {
  readonly connectTimeoutMs: number
  readonly silenceTimeoutMs: number
  readonly startTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxOnDemand: number
  readonly caFile?: string | undefined
}

/** What pulls work with. */
export interface PullsOptions {
  readonly pull: PullSettings
  /** Of the gateway's own WebRTC side, which pulls from other gateways use as well. */
  readonly media: { readonly maxBitrateBps: number; readonly connectTimeoutMs: number; readonly idleTimeoutMs: number }
  readonly maxMessageBytes: number
  readonly identity: DtlsIdentity
  readonly openAead?: OpenAead | undefined
  readonly registry: StreamRegistry
  readonly logger: Logger
  readonly nowMs: () => number
  readonly onBug: (error: unknown) => void
}

/** How a pull stands, for lists and metrics. */
export interface PullFacts {
  /** A pattern where it stands for streams that nobody has asked for. */
  readonly stream: string
  /** Address without user and query. */
  readonly origin: string
  readonly onDemand: boolean
  /** `idle`: nobody watches; `failed`: it could not be fetched and is left alone for a moment. */
  readonly state: PullState | "idle" | "failed"
  /** When a connection or a pause began, on the gateway's clock. */
  readonly sinceMs?: number
  readonly lastError?: Pick<GatewayError, "code" | "message">
}

/** All that is fetched from elsewhere: always, or while somebody watches. */
export class Pulls {
  readonly #entries: readonly PullEntry[]
  readonly #options: PullsOptions
  readonly #client = new MiniSdpClient()
  /** Certificates of private authorities, PEM. */
  readonly #ca: string | undefined
  readonly #failureLogs = new Map<PullEntry, PullFailureLog>()
  readonly #running = new Map<StreamName, RunningPull>()
  readonly #onDemand: OnDemandStreams
  #sweeping: NodeJS.Timeout | undefined
  #isClosed = false

  /** Fetches nothing yet. Throws `config.invalid` and `rtmp.url` for an address or a file that is none. */
  constructor(entries: readonly PullEntry[], options: PullsOptions) {
    this.#entries = entries
    this.#options = options
    const { caFile } = options.pull
    this.#ca = caFile === undefined ? undefined : readCaFile("pull.caFile", caFile)
    for (const entry of entries) {
      this.#source(entry, sampleName(entry.stream))
      this.#failureLogs.set(entry, new PullFailureLog())
    }
    const { registry, nowMs, pull } = options
    this.#onDemand = new OnDemandStreams({
      registry,
      nowMs,
      startTimeoutMs: pull.startTimeoutMs,
      maxFetches: pull.maxOnDemand,
      offer: (name) => this.#offer(name),
    })
  }

  /** Fetches streams that viewers want to watch. */
  get demand(): StreamDemand {
    return this.#onDemand
  }

  /** Begins to fetch what is fetched always. */
  start(): void {
    for (const entry of this.#entries) if (!entry.onDemand) this.#begin(entry, nameOf(entry.stream))
  }

  /** All entries and what they stand for at the moment. */
  list(): PullFacts[] {
    const failures = this.#onDemand.failures()
    return this.#entries.flatMap((entry) => {
      const { stream, onDemand } = entry
      const running = [...this.#running].filter(([, pull]) => pull.entry === entry)
      const failed = [...failures].filter(([name]) => !this.#running.has(name) && this.#entryFor(name) === entry)
      const facts = [
        ...running.map(([name, { pull, source }]) => describeRunning(name, source, onDemand, pull)),
        ...failed.map(([name, { error }]): PullFacts => {
          const { origin } = this.#source(entry, name)
          return { stream: name, origin, onDemand, state: "failed", lastError: error }
        }),
      ]
      const isListed = facts.some((pull) => pull.stream === stream)
      return isListed ? facts : [{ stream, origin: redact(entry.url), onDemand, state: "idle" as const }, ...facts]
    })
  }

  /** Ends all connections; nothing is fetched any more. */
  close(reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#sweeping)
    this.#onDemand.close(reason)
    for (const { pull } of this.#running.values()) pull.close(reason)
    this.#running.clear()
  }

  #offer(name: StreamName): (() => StreamFetch) | undefined {
    const entry = this.#entryFor(name)
    if (entry === undefined || this.#isClosed) return undefined
    return () => {
      const pull = this.#begin(entry, name)
      this.#sweep()
      return {
        get failure() {
          return pull.failure
        },
        idleTimeoutMs: entry.idleTimeoutMs ?? this.#options.pull.idleTimeoutMs,
        close: (reason) => {
          this.#running.delete(name)
          pull.close(reason)
        },
      }
    }
  }

  /** A name that stands there by itself comes before patterns. */
  #entryFor(name: StreamName): PullEntry | undefined {
    const exact = this.#entries.find(({ stream }) => stream === name)
    const entry = exact ?? this.#entries.find(({ stream }) => matchesPattern(stream, name))
    return entry?.onDemand ? entry : undefined
  }

  #begin(entry: PullEntry, name: StreamName): StreamPull {
    const { logger, nowMs, onBug } = this.#options
    const source = this.#source(entry, name)
    const failureLog = this.#failureLogs.get(entry) ?? new PullFailureLog()
    const pull = new StreamPull({ name, source, logger, failureLog, nowMs, onBug })
    this.#running.set(name, { entry, source, pull })
    return pull
  }

  #source({ url }: PullEntry, name: StreamName): PullSource {
    const { registry, nowMs, pull, media, identity, openAead, onBug, maxMessageBytes } = this.#options
    const address = withNames(url, name)
    const shared = { registry, nowMs }
    if (address.startsWith("minisdp:")) {
      return new MiniSdpSource(address, { ...shared, ...media, client: this.#client, identity, openAead, onBug })
    }
    const flv = { ...shared, ...pull, maxMessageBytes, ca: this.#ca }
    return address.startsWith("http") ? new HttpFlvSource(address, flv) : new RtmpSource(address, flv)
  }

  /** Only while there is something to look after. */
  #sweep(): void {
    this.#sweeping ??= setInterval(() => {
      this.#onDemand.sweep(this.#options.nowMs())
      if (this.#onDemand.isBusy) return
      clearInterval(this.#sweeping)
      this.#sweeping = undefined
    }, SWEEP_INTERVAL_MS)
  }
}

interface RunningPull {
  readonly entry: PullEntry
  readonly source: PullSource
  readonly pull: StreamPull
}

function describeRunning(name: StreamName, { origin }: PullSource, onDemand: boolean, pull: StreamPull): PullFacts {
  const { state, sinceMs, lastError } = pull
  return { stream: name, origin, onDemand, state, sinceMs, ...(lastError !== undefined && { lastError }) }
}

function nameOf(stream: string): StreamName {
  const [app = "", name = ""] = stream.split("/")
  return parseStreamName(app, name)
}

/** A name that a pattern stands for. */
function sampleName(pattern: string): StreamName {
  return nameOf(pattern.replaceAll("*", "x"))
}

/** The characters of names have no meaning in addresses. */
function withNames(url: string, name: StreamName): string {
  const [app = "", stream = ""] = name.split("/")
  return url.replaceAll("{app}", app).replaceAll("{stream}", stream)
}

/** An address with places for names, without user and query. */
function redact(url: string): string {
  return url.replace(/\/\/[^/@]*@/, "//").replace(/[?#].*$/s, "")
}

/** How late a viewer may hear that its stream is there. */
const SWEEP_INTERVAL_MS = 25
