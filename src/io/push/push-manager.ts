import { randomUUID } from "node:crypto"
import { matchesPattern } from "../../access/pattern.ts"
import { GatewayError } from "../../errors.ts"
import type { LiveStream } from "../../hub/live-stream.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import { sessionLabel } from "../log.ts"
import { type PushRequest, parseTemplate, refuseLoop, targetUrl } from "./push-target.ts"
import { type PushContext, type PushFailure, type PushState, type PushTotals, StreamPush } from "./stream-push.ts"

/** What the pushes work with. */
export interface PushManagerOptions extends Omit<PushContext, "isLive"> {
  readonly registry: { list(): readonly LiveStream[] }
  /** Those of the configuration. */
  readonly pushes: readonly PushRequest[]
  readonly maxPushes: number
  /** This gateway's ports of RTMP and RTMPS, so that a push to itself is known. */
  readonly ownPorts: readonly number[]
}

/** A push for lists: of one stream, or of none while no stream of that name is live. */
export interface PushEntry {
  readonly id: string
  /** What may be shown of the address. */
  readonly target: string
  readonly source: "config" | "api"
  /** The live stream, or the name or pattern that is waited for. */
  readonly stream: string
  readonly state: PushState | { readonly type: "waiting"; readonly sinceMs: number }
  readonly lastFailure: PushFailure | undefined
  /** Since the push was added, of this stream while it is live. */
  readonly totals: Readonly<PushTotals>
  readonly bitrateBps: number
}

/** Sends live streams on to other servers, as configuration and API say. */
export class PushManager {
  readonly #options: PushManagerOptions
  readonly #context: PushContext
  readonly #rules = new Map<string, PushRule>()
  /** Of the pushes that were removed. */
  readonly #removed = noTotals()

  /** Throws `config.invalid` for an address that cannot be read. */
  constructor(options: PushManagerOptions) {
    this.#options = options
    this.#context = { ...options, isLive: (stream) => options.registry.list().includes(stream) }
    for (const [index, request] of options.pushes.entries()) {
      try {
        this.#add(request, "config")
      } catch (cause) {
        if (!(cause instanceof GatewayError)) throw cause
        throw new GatewayError("config.invalid", `pushes.${index}.url: ${cause.message}`, { cause })
      }
    }
  }

  /** All pushes, oldest first. */
  list(nowMs: number): PushEntry[] {
    return [...this.#rules.values()].flatMap((rule) => rule.entries(nowMs))
  }

  /** Counts of all pushes that there have been. */
  get totals(): Readonly<PushTotals> {
    const totals = { ...this.#removed }
    for (const rule of this.#rules.values()) addTotals(totals, rule.totals)
    return totals
  }

  /** Adds a push until it is removed, or the gateway ends. Throws `rtmp.url` or `session.limit`. */
  add(request: PushRequest): PushEntry {
    const { maxPushes, ownPorts, nowMs } = this.#options
    if (this.#rules.size >= maxPushes) {
      throw new GatewayError("session.limit", `there are ${maxPushes} pushes, the most this gateway may have`)
    }
    parseTemplate(request.url)
    if (!request.stream.includes("*")) refuseLoop(request, request.stream, ownPorts)
    const rule = this.#add(request, "api")
    rule.sweep(nowMs(), this.#liveStreams())
    return rule.entries(nowMs())[0] as PushEntry
  }

  /** Ends a push for all its streams; false where there is none of that id. */
  remove(id: string): boolean {
    const rule = this.#rules.get(id)
    if (rule === undefined) return false
    rule.close("the push was removed")
    addTotals(this.#removed, rule.totals)
    return this.#rules.delete(id)
  }

  /** Begins what has become live and tries again what is due. Call it some times a second. */
  sweep(nowMs: number): void {
    const live = this.#liveStreams()
    for (const rule of this.#rules.values()) rule.sweep(nowMs, live)
  }

  /** Ends all pushes. */
  close(reason: string): void {
    for (const rule of this.#rules.values()) rule.close(reason)
    this.#rules.clear()
  }

  #add(request: PushRequest, source: PushEntry["source"]): PushRule {
    const id = sessionLabel(randomUUID())
    const rule = new PushRule({ id, source, request, ownPorts: this.#options.ownPorts, context: this.#context })
    this.#rules.set(id, rule)
    return rule
  }

  #liveStreams(): ReadonlyMap<StreamName, LiveStream> {
    return new Map(this.#options.registry.list().map((stream) => [stream.name, stream]))
  }
}

interface PushRuleOptions {
  readonly id: string
  readonly source: PushEntry["source"]
  readonly request: PushRequest
  readonly ownPorts: readonly number[]
  readonly context: PushContext
}

/** One entry of the configuration or the API, with its push for each live stream that it names. */
class PushRule {
  readonly #options: PushRuleOptions
  readonly #target: string
  readonly #pushes = new Map<StreamName, StreamPush>()
  /** Of the streams that are over. */
  readonly #ended = noTotals()
  #lastFailure: PushFailure | undefined
  #waitsSinceMs: number

  constructor(options: PushRuleOptions) {
    this.#options = options
    this.#target = parseTemplate(options.request.url).redactedKey
    this.#waitsSinceMs = options.context.nowMs()
  }

  entries(nowMs: number): PushEntry[] {
    const { id, source, request } = this.#options
    const common = { id, source, target: this.#target }
    if (this.#pushes.size === 0) {
      const state = { type: "waiting", sinceMs: this.#waitsSinceMs } as const
      const { totals } = this
      return [{ ...common, stream: request.stream, state, lastFailure: this.#lastFailure, totals, bitrateBps: 0 }]
    }
    return [...this.#pushes.values()].map((push) => ({
      ...common,
      stream: push.stream.name,
      state: push.state,
      lastFailure: push.lastFailure ?? this.#lastFailure,
      totals: push.totals,
      bitrateBps: push.bitrateBps(nowMs),
    }))
  }

  get totals(): Readonly<PushTotals> {
    const totals = { ...this.#ended }
    for (const push of this.#pushes.values()) addTotals(totals, push.totals)
    return totals
  }

  sweep(nowMs: number, live: ReadonlyMap<StreamName, LiveStream>): void {
    for (const [name, push] of this.#pushes) {
      if (live.get(name) !== push.stream) this.#end(push, "the stream is over", nowMs)
      else push.sweep(nowMs)
    }
    for (const [name, stream] of live) {
      if (!this.#pushes.has(name) && matchesPattern(this.#options.request.stream, name)) this.#begin(stream)
    }
  }

  close(reason: string): void {
    for (const push of this.#pushes.values()) this.#end(push, reason, this.#options.context.nowMs())
  }

  #begin(stream: LiveStream): void {
    const { request, ownPorts, context } = this.#options
    const check = () => refuseLoop(request, stream.name, ownPorts)
    this.#pushes.set(
      stream.name,
      new StreamPush(stream, targetUrl(request.url, stream.name), this.#target, check, context),
    )
  }

  #end(push: StreamPush, reason: string, nowMs: number): void {
    push.close(reason)
    this.#pushes.delete(push.stream.name)
    this.#waitsSinceMs = nowMs
    this.#lastFailure = push.lastFailure ?? this.#lastFailure
    addTotals(this.#ended, push.totals)
  }
}

function noTotals(): PushTotals {
  return { bytes: 0, droppedFrames: 0, attempts: 0, errors: 0 }
}

function addTotals(sum: PushTotals, { bytes, droppedFrames, attempts, errors }: Readonly<PushTotals>): void {
  sum.bytes += bytes
  sum.droppedFrames += droppedFrames
  sum.attempts += attempts
  sum.errors += errors
}
