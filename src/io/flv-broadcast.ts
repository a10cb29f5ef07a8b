import type { FlvFeed, FlvFeedTotals, FlvReceiver } from "../bridge/flv-feed.ts"
import type { LiveStream } from "../hub/live-stream.ts"
import { concat } from "../media/bytes.ts"
import type { MediaFrame, Track } from "../media/frame.ts"
import { RateMeter } from "../media/rate-meter.ts"

/** Makes bytes that are the same for all receivers of a kind: RTMP messages of one chunk size, or FLV tags. */
export interface FlvEncoder {
  /** The result is shared: never write to it. */
  frame(frame: MediaFrame): Uint8Array
  track(track: Track, timeUs: number): Uint8Array[]
}

/** A receiver that keeps up with its stream. */
export interface BroadcastMember {
  /** Takes what all members take in this turn, that many frames of it. Throws nothing. */
  deliver(bytes: Uint8Array, frames: number): void
}

/** The broadcasts of all streams. */
export class FlvBroadcasts {
  readonly #nowMs: () => number
  readonly #byStream = new WeakMap<LiveStream, Map<FlvEncoder, Map<string, FlvBroadcast>>>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Takes a receiver in whose feed gets the same frames as others from now on, `key` being the feed's; it then suspends its own. */
  join(stream: LiveStream, encoder: FlvEncoder, key: string, feed: FlvFeed, member: BroadcastMember): FlvBroadcast {
    const byEncoder = entry(this.#byStream, stream, () => new Map<FlvEncoder, Map<string, FlvBroadcast>>())
    const byKey = entry(byEncoder, encoder, () => new Map<string, FlvBroadcast>())
    const broadcast = entry(byKey, key, () => {
      const onEmpty = () => byKey.delete(key)
      return new FlvBroadcast(feed, encoder, this.#nowMs, onEmpty)
    })
    broadcast.add(member)
    return broadcast
  }
}

/**
 * What the receivers that keep up with a stream share: one feed, one serialisation, and one hand-over a turn. A member that falls behind leaves
 * and goes on by itself, since what it gets is then its own.
 */
export class FlvBroadcast implements FlvReceiver {
  readonly queuedBytes = 0
  readonly delayMs = 0
  readonly #feed: FlvFeed
  readonly #encoder: FlvEncoder
  readonly #nowMs: () => number
  readonly #onEmpty: () => void
  readonly #members = new Set<BroadcastMember>()
  readonly #rate = new RateMeter()
  #collected: Uint8Array[] = []
  #collectedFrames = 0
  #isDue = false
  #timer: NodeJS.Timeout | undefined

  /** Goes on where `from` has come to. */
  constructor(from: FlvFeed, encoder: FlvEncoder, nowMs: () => number, onEmpty: () => void) {
    this.#encoder = encoder
    this.#nowMs = nowMs
    this.#onEmpty = onEmpty
    this.#feed = from.fork(this)
  }

  /** Where a member that leaves goes on. */
  get feed(): FlvFeed {
    return this.#feed
  }

  get totals(): FlvFeedTotals {
    return this.#feed.totals
  }

  /** Of each member. */
  bitrateBps(nowMs: number): number {
    return this.#rate.bitrateBps(nowMs)
  }

  /** Takes a member in, which has had all frames so far. */
  add(member: BroadcastMember): void {
    this.#flush()
    this.#members.add(member)
  }

  /** Lets a member go, which then has had all frames so far; the last one ends the broadcast. */
  remove(member: BroadcastMember): void {
    if (!this.#members.has(member)) return
    this.#flush()
    this.#members.delete(member)
    if (this.#members.size > 0) return
    this.#feed.stop()
    this.#onEmpty()
  }

  /** Each member has had it. */
  metadata(): void {}

  track(track: Track, timeUs: number): void {
    this.#collected.push(...this.#encoder.track(track, timeUs))
  }

  /** Sound leaves with the next picture, or a little later: that saves more than half of the system calls. */
  frame(frame: MediaFrame): void {
    this.#collected.push(this.#encoder.frame(frame))
    this.#collectedFrames++
    if (this.#isDue) return
    if (frame.track.kind === "video" || !this.#feed.hasPictures) {
      this.#isDue = true
      queueMicrotask(() => this.#flush())
    } else this.#timer ??= setTimeout(() => this.#flush(), MAX_SOUND_WAIT_MS)
  }

  /** Members hear of it by themselves. */
  ended(): void {}

  #flush(): void {
    this.#isDue = false
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#collected.length === 0) return
    const bytes = this.#collected.length === 1 ? (this.#collected[0] as Uint8Array) : concat(this.#collected)
    const frames = this.#collectedFrames
    this.#collected = []
    this.#collectedFrames = 0
    this.#rate.add(bytes.length, this.#nowMs())
    for (const member of this.#members) member.deliver(bytes, frames)
  }
}

function entry<Key, Value>(
  map: { get(key: Key): Value | undefined; set(key: Key, value: Value): unknown },
  key: Key,
  create: () => Value,
): Value {
  let value = map.get(key)
  if (value === undefined) {
    value = create()
    map.set(key, value)
  }
  return value
}

/** Less than most pictures are apart. */
const MAX_SOUND_WAIT_MS = 20
