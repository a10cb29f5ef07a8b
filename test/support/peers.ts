import { join } from "node:path"
import { ROOT } from "./paths.ts"
import { startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"
import { until, type WaitOptions } from "./wait.ts"

/** What a peer says of itself once a second: pictures and sound frames so far, and the size of the last picture. */
export interface PeerReport {
  readonly video: number
  readonly audio: number
  readonly widthPx: number
  readonly heightPx: number
  readonly connection: string
}

/** A WebRTC peer in a process of its own. */
export interface Peer {
  readonly last: PeerReport | undefined
  /** Waits for a report that passes. */
  reports(what: string, passes: (report: PeerReport) => boolean, options?: WaitOptions): Promise<PeerReport>
  /** Ends it with DELETE and returns the status of that. */
  end(): Promise<number>
}

/** How a peer is started. */
export interface PeerOptions {
  readonly kind: "aiortc" | "gstreamer"
  readonly action: "publish" | "play"
  readonly url: string
  readonly codec?: string
  /** What aiortc publishes. */
  readonly file?: string
  readonly token?: string
}

/** Starts a WHIP publisher or WHEP viewer made with Debian's aiortc or GStreamer. */
export function startPeer(scope: Scope, { kind, action, url, ...options }: PeerOptions): Peer {
  const script = join(ROOT, `test/support/peers/${kind}_peer.py`)
  const args = Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]))
  const peer = startProcess(scope, "/usr/bin/python3", [script, action, url, ...args])
  const last = () => {
    const line = peer.stdoutLines.findLast((candidate) => candidate.startsWith("{"))
    return line === undefined ? undefined : JSON.parse(line)
  }
  return {
    get last() {
      return last()
    },
    reports: async (what, passes, waiting) => {
      const probe = () => {
        const report = last()
        return report !== undefined && report.video !== undefined && passes(report) && (report as PeerReport)
      }
      return until(`${kind} ${action}: ${what}`, probe, { timeoutMs: 20_000, ...waiting }).catch((error) => {
        const output = [...peer.stdoutLines, ...peer.stderrLines].slice(-15).join("\n")
        throw new Error(`${error.message}\n${output}`)
      })
    },
    end: async () => {
      await peer.stop(10_000)
      return last()?.deleted
    },
  }
}
