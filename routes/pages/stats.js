/**
 * Reads a connection's statistics and turns counters into rates of the time since the last reading.
 * One meter per connection.
 */
export class StatsMeter {
  #before = new Map()

  async read(pc) {
    const report = await pc.getStats()
    const entries = [...report.values()]
    const readings = {
      inbound: (kind) => this.#stream(report, entries, "inbound-rtp", kind),
      outbound: (kind) => this.#stream(report, entries, "outbound-rtp", kind),
      rttMs: roundTripMs(entries),
      remoteLoss: entries.find((e) => e.type === "remote-inbound-rtp" && e.kind === "video")?.fractionLost,
    }
    const result = {
      rttMs: readings.rttMs,
      remoteLoss: readings.remoteLoss,
      inbound: { video: readings.inbound("video"), audio: readings.inbound("audio") },
      outbound: { video: readings.outbound("video"), audio: readings.outbound("audio") },
    }
    this.#before = new Map(entries.map((entry) => [entry.id, entry]))
    return result
  }

  #stream(report, entries, type, kind) {
    const entry = entries.find((e) => e.type === type && e.kind === kind)
    if (entry === undefined) return undefined
    const before = this.#before.get(entry.id)
    const seconds = before === undefined ? 0 : (entry.timestamp - before.timestamp) / 1_000
    const delta = (name) => (entry[name] ?? 0) - (before?.[name] ?? 0)
    const bytes = type === "inbound-rtp" ? "bytesReceived" : "bytesSent"
    const frames = type === "inbound-rtp" ? "framesDecoded" : "framesEncoded"
    const emitted = delta("jitterBufferEmittedCount")
    const codec = report.get(entry.codecId)
    return {
      raw: entry,
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

function describeCodec({ mimeType = "", sdpFmtpLine = "" }) {
  const name = mimeType.split("/")[1] ?? mimeType
  const profile = /profile-level-id=([0-9a-f]{6})/i.exec(sdpFmtpLine)?.[1]
  if (profile !== undefined) return `${name} (${profile})`
  return /\bstereo=1/.test(sdpFmtpLine) ? `${name} stereo` : name
}

function roundTripMs(entries) {
  const transport = entries.find((e) => e.type === "transport" && e.selectedCandidatePairId)
  const pair = entries.find((e) =>
    transport ? e.id === transport.selectedCandidatePairId : e.type === "candidate-pair" && e.nominated,
  )
  return pair?.currentRoundTripTime === undefined ? undefined : pair.currentRoundTripTime * 1_000
}
