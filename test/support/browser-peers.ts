import { readFileSync } from "node:fs"
import { join } from "node:path"
import { openFirefoxPage } from "./firefox.ts"
import type { Scope } from "./scope.ts"
import { until, type WaitOptions } from "./wait.ts"

/** A page that runs what browser/whip-whep.js has. */
export interface RtcPage {
  evaluate<T>(expression: string): Promise<T>
}

/** What `rtc.stats()` says of a page's connection. */
export interface RtcStats {
  readonly connection: string
  /** Media type of the video that comes in, such as `video/VP8`. */
  readonly codec?: string
  readonly audioCodec?: string
  /** Pictures decoded. */
  readonly video: number
  readonly audioPackets: number
  readonly widthPx: number
  readonly heightPx: number
  /** Time in which the picture stood still, in all. */
  readonly frozenMs: number
  /** What the sender takes the path to carry, in bit/s. */
  readonly availableBps: number
  readonly sent: readonly SentVideo[]
}

/** One encoding of a page's video. */
export interface SentVideo {
  readonly rid?: string
  readonly codec: string
  readonly widthPx: number
  readonly frames: number
  readonly targetBps?: number
  readonly limitedBy: string
}

/** What `rtc.publish`, `rtc.play` and `rtc.playWithoutOffer` tell of their session. */
export interface RtcSession {
  readonly location: string
  readonly etag: string
  readonly events?: string
  readonly layers?: string
  readonly status: number
  readonly answer?: string
  readonly patchStatus?: number
  readonly type?: string
}

/** Calls a function of browser/whip-whep.js in a page. */
export function callRtc<T = RtcSession>(page: RtcPage, name: string, ...args: readonly unknown[]): Promise<T> {
  return page.evaluate<T>(`rtc.${name}(${args.map((arg) => JSON.stringify(arg) ?? "undefined").join(", ")})`)
}

/** Waits for statistics of a page's connection that pass. */
export async function rtcStats(
  page: RtcPage,
  what: string,
  passes: (stats: RtcStats) => boolean,
  options: WaitOptions = {},
): Promise<RtcStats> {
  let last: RtcStats | undefined
  const probe = async () => {
    last = await callRtc<RtcStats>(page, "stats")
    return passes(last) && last
  }
  return until(what, probe, { timeoutMs: 20_000, intervalMs: 200, ...options }).catch((error) => {
    throw new Error(`${error.message}, and had ${JSON.stringify(last)}`, { cause: error.cause })
  })
}

/** A page of Firefox with what browser/whip-whep.js has. */
export async function openFirefox(scope: Scope, url: string): Promise<RtcPage> {
  const page = await openFirefoxPage(scope, url)
  await page.evaluate(readFileSync(join(import.meta.dirname, "browser/whip-whep.js"), "utf8"))
  return page
}
