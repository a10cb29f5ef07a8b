import { setTimeout as delay } from "node:timers/promises"
import type { Browser, Page } from "playwright-core"
import { type LossyRelay, startLossyRelay, throughRelay } from "../../scripts/lib/lossy-relay.ts"
import { openPage } from "./chromium.ts"
import type { TestGateway } from "./gateway.ts"
import type { Scope } from "./scope.ts"

/** What a page saw of a stream of which it knows how many pictures a second there should be. */
export interface Watched {
  /** Of the pictures that were sent in that time. */
  readonly presentedShare: number
  readonly decodedShare: number
  /** Chromium's own count, and how long they were together. */
  readonly freezes: number
  readonly frozenMs: number
  readonly longestGapMs: number
  /** What the page asked for. */
  readonly nacks: number
  readonly plis: number
  /** Packets that came again. */
  readonly resent: number
}

/** A network for one run, in both directions alike. */
export interface Weather {
  readonly lossRate: number
  /** Each way. */
  readonly delayMs: number
  readonly jitterMs?: number
  readonly seed?: number
}

/** Opens a page whose WHIP and WHEP sessions go through a relay of their own. */
export async function openLossyPage(
  scope: Scope,
  browser: Browser,
  gateway: TestGateway,
  { seed = 1, ...terms }: Weather,
): Promise<{ page: Page; relay: LossyRelay }> {
  const relay = await startLossyRelay({ targetPort: gateway.mediaPort, seed, toGateway: terms, toClient: terms })
  scope.defer(() => relay.close())
  const { page } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await page.route(/\/(whip|whep)\//, async (route) => {
    const response = await route.fetch()
    const sdp = throughRelay(await response.text(), gateway.mediaPort, relay.port)
    await route.fulfill({ response, body: sdp })
  })
  return { page, relay }
}

/** Counts what a page that has the stream in its first video element presents over some seconds. */
export async function watchPictures(page: Page, fps: number, seconds: number): Promise<Watched> {
  const before = await videoStats(page)
  const { frames, longestGapMs } = await page.evaluate<Presented>(`harness.countFrames(${seconds})`)
  const after = await videoStats(page)
  const grown = (name: Exclude<keyof VideoStats, "retransmittedPacketsReceived">) => after[name] - before[name]
  const sinceMs = after.timestamp - before.timestamp
  return {
    presentedShare: frames / (fps * seconds),
    decodedShare: grown("framesDecoded") / ((fps * sinceMs) / 1000),
    freezes: grown("freezeCount"),
    frozenMs: grown("totalFreezesDuration") * 1000,
    longestGapMs,
    nacks: grown("nackCount"),
    plis: grown("pliCount"),
    resent: (after.retransmittedPacketsReceived ?? 0) - (before.retransmittedPacketsReceived ?? 0),
  }
}

/** Watches a stream through a bad network, from two seconds after the first picture on. */
export async function watchThroughLoss(
  scope: Scope,
  browser: Browser,
  gateway: TestGateway,
  stream: string,
  { fps, seconds, ...weather }: Weather & { readonly fps: number; readonly seconds: number },
): Promise<Watched> {
  const { page } = await openLossyPage(scope, browser, gateway, weather)
  await page.evaluate(`harness.watch("${gateway.httpUrl}/whep/${stream}")`)
  await delay(SETTLE_MS)
  return watchPictures(page, fps, seconds)
}

function videoStats(page: Page): Promise<VideoStats> {
  return page.evaluate<VideoStats>("harness.receiverStats().then(({ video }) => video)")
}

interface Presented {
  readonly frames: number
  readonly longestGapMs: number
}

/** As `RTCInboundRtpStreamStats` has them. */
interface VideoStats {
  readonly timestamp: number
  readonly framesDecoded: number
  readonly freezeCount: number
  readonly totalFreezesDuration: number
  readonly nackCount: number
  readonly pliCount: number
  readonly retransmittedPacketsReceived?: number
}

const SETTLE_MS = 2_000
