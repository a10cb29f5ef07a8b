/** What one direction of one kind of media does. */
export interface StreamReading {
  /** The browser's own entry, `inbound-rtp` or `outbound-rtp`. */
  readonly raw: Readonly<Record<string, unknown>>
  /** With its profile, such as `H264 (42e01f)`; undefined before the first packet. */
  readonly codec: string | undefined
  /** Since the reading before; undefined in the first one. */
  readonly bitrateBps: number | undefined
  readonly fps: number | undefined
  readonly widthPx: number | undefined
  readonly heightPx: number | undefined
  readonly packetsLost: number | undefined
  /** The mean since the reading before. */
  readonly jitterBufferMs: number | undefined
  /** Whether media came or went since the reading before. */
  readonly isMoving: boolean
}

/** Audio and video of one direction; undefined for what the connection does not have. */
export interface KindReadings {
  readonly video: StreamReading | undefined
  readonly audio: StreamReading | undefined
}

/** One reading of a connection's statistics. */
export interface StatsReading {
  readonly rttMs: number | undefined
  /** Share of the video's packets, 0 to 1, that the other side reports as lost. */
  readonly remoteLoss: number | undefined
  readonly inbound: KindReadings
  readonly outbound: KindReadings
}

/** Reads a connection's statistics and turns counters into rates of the time since the last reading. One meter per connection. */
export class StatsMeter {
  #before = new Map<string, StatsEntry>()

  /** Reads once more; rates begin with the second reading. */
  async read(pc: RTCPeerConnection): Promise<StatsReading> {
    const entries = new Map<string, StatsEntry>(await pc.getStats())
    const all = [...entries.values()]
    const kinds = (type: string) => ({
      video: this.#stream(entries, type, "video"),
      audio: this.#stream(entries, type, "audio"),
    })
    const reading = {
      rttMs: roundTripMs(all),
      remoteLoss: all.find((e) => e.type === "remote-inbound-rtp" && e.kind === "video")?.fractionLost,
      inbound: kinds("inbound-rtp"),
      outbound: kinds("outbound-rtp"),
    }
    this.#before = entries
    return reading
  }

  #stream(entries: Map<string, StatsEntry>, type: string, kind: string): StreamReading | undefined {
    const entry = [...entries.values()].find((e) => e.type === type && e.kind === kind)
    if (entry === undefined) return undefined
    const before = this.#before.get(entry.id)
    const seconds = before === undefined ? 0 : (entry.timestamp - before.timestamp) / 1_000
    const delta = (name: Counter) => (entry[name] ?? 0) - (before?.[name] ?? 0)
    const [bytes, frames] =
      type === "inbound-rtp" ? (["bytesReceived", "framesDecoded"] as const) : (["bytesSent", "framesEncoded"] as const)
    const emitted = delta("jitterBufferEmittedCount")
    const codec = entries.get(entry.codecId ?? "")
    return {
      raw: { ...entry },
      codec: codec === undefined ? undefined : describeCodec(codec),
      bitrateBps: seconds > 0 ? (delta(bytes) * 8) / seconds : undefined,
      fps: entry.framesPerSecond ?? (seconds > 0 ? delta(frames) / seconds : undefined),
      widthPx: entry.frameWidth,
      heightPx: entry.frameHeight,
      packetsLost: entry.packetsLost,
      jitterBufferMs: emitted > 0 ? (delta("jitterBufferDelay") / emitted) * 1_000 : undefined,
      isMoving: before === undefined || delta(bytes) > 0,
    }
  }
}

type Counter =
  | "bytesReceived"
  | "bytesSent"
  | "framesDecoded"
  | "framesEncoded"
  | "jitterBufferDelay"
  | "jitterBufferEmittedCount"

/** The members of the entries (webrtc-stats) that are read here; a browser may lack any. */
interface StatsEntry extends Partial<Record<Counter, number>> {
  readonly id: string
  readonly type: string
  readonly timestamp: number
  readonly kind?: string
  readonly codecId?: string
  readonly framesPerSecond?: number
  readonly frameWidth?: number
  readonly frameHeight?: number
  readonly packetsLost?: number
  readonly fractionLost?: number
  readonly mimeType?: string
  readonly sdpFmtpLine?: string
  readonly selectedCandidatePairId?: string
  readonly nominated?: boolean
  /** In seconds. */
  readonly currentRoundTripTime?: number
}

function describeCodec({ mimeType = "", sdpFmtpLine = "" }: StatsEntry): string {
  const name = mimeType.split("/")[1] ?? mimeType
  const profile = /profile-level-id=([0-9a-f]{6})/i.exec(sdpFmtpLine)?.[1]
  if (profile !== undefined) return `${name} (${profile})`
  return /\bstereo=1/.test(sdpFmtpLine) ? `${name} stereo` : name
}

function roundTripMs(entries: readonly StatsEntry[]): number | undefined {
  const selectedId = entries.find((e) => e.type === "transport" && e.selectedCandidatePairId)?.selectedCandidatePairId
  const pair = entries.find((e) =>
    selectedId === undefined ? e.type === "candidate-pair" && e.nominated : e.id === selectedId,
  )
  return pair?.currentRoundTripTime === undefined ? undefined : pair.currentRoundTripTime * 1_000
}
