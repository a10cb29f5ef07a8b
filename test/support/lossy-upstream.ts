import { setTimeout as delay } from "node:timers/promises"
import type { Browser, Page } from "playwright-core"
import { openPage } from "./chromium.ts"
import { readStream } from "./ffmpeg.ts"
import type { TestGateway } from "./gateway.ts"
import { openLossyPage, type Watched, type Weather, watchPictures } from "./lossy.ts"
import type { Scope } from "./scope.ts"
import { liveStream } from "./streams.ts"
import { until } from "./wait.ts"

/** What became of a publication through a bad network, at viewers who have a good one. */
export interface Published extends Watched {
  /** Of the pictures that were sent: what ffmpeg decoded of the stream by RTMP. */
  readonly readShare: number
  /** Lines that ffmpeg marked as errors. */
  readonly readErrors: readonly string[]
  /** As the session's description has them. */
  readonly lostPackets: number
  readonly roundTripMs?: number
  readonly jitterMs?: number
}

/** Publishes Chromium's fake camera through a bad network and watches it by WHEP and RTMP without one; `nacks`, `plis` and `resent` are the publisher's. */
export async function publishThroughLoss(
  scope: Scope,
  browser: Browser,
  gateway: TestGateway,
  { seconds, ...weather }: Weather & { readonly seconds: number },
): Promise<Published> {
  const { page } = await openLossyPage(scope, browser, gateway, weather)
  await page.evaluate(`harness.publishCamera("${gateway.httpUrl}/whip/${STREAM}")`)
  await liveStream(gateway, STREAM)
  const { page: viewer } = await openPage(scope, browser, `${gateway.httpUrl}/health`)
  await viewer.evaluate(`harness.watch("${gateway.httpUrl}/whep/${STREAM}")`)
  await delay(SETTLE_MS)
  const before = await senderStats(page)
  const [watched, reading] = await Promise.all([
    watchPictures(viewer, 1, seconds),
    // With true times: pictures that are pressed together would count beyond the seconds.
    readStream(scope, `${gateway.rtmpUrl(STREAM)}?start=keyframe`, seconds),
  ])
  const after = await senderStats(page)
  const fps = ((after.framesSent - before.framesSent) * 1_000) / (after.timestamp - before.timestamp)
  const { lostPackets, roundTripMs, jitterMs } = await publisherSession(gateway)
  return {
    ...watched,
    presentedShare: watched.presentedShare / fps,
    decodedShare: watched.decodedShare / fps,
    nacks: after.nackCount - before.nackCount,
    plis: after.pliCount - before.pliCount,
    resent: after.retransmittedPacketsSent - before.retransmittedPacketsSent,
    readShare: reading.videoFrames / (fps * seconds),
    readErrors: reading.errors,
    lostPackets,
    ...(roundTripMs !== undefined && { roundTripMs }),
    ...(jitterMs !== undefined && { jitterMs }),
  }
}

/** How a publisher's bitrate follows its path. */
export interface Adaptation {
  /** From the connection to 95 % of the highest bitrate that the encoder may take, on a path that carries more. */
  readonly reachedAfterMs: number
  /** From the moment at which the path carries `NARROW_BPS` only until the target is below that. */
  readonly backedOffAfterMs: number
  /** The target some seconds later. */
  readonly narrowTargetBps: number
  /** How long packets need to the gateway and back then. */
  readonly narrowRoundTripMs: number | undefined
}

/** Narrows the path of a publisher whose pictures take all bits that there are, and watches the target that Chromium's encoder gets. */
export async function narrowPath(scope: Scope, browser: Browser, gateway: TestGateway): Promise<Adaptation> {
  const { page, relay } = await openLossyPage(scope, browser, gateway, { lossRate: 0, delayMs: 20 })
  await page.evaluate(`harness.publish("${gateway.httpUrl}/whip/${STREAM}", (${noiseStream})())`)
  const reach = (what: string, passes: (targetBps: number) => boolean) => {
    const startedMs = performance.now()
    const probe = async () => passes((await senderStats(page)).targetBitrate ?? 0) && performance.now() - startedMs
    return until(what, probe, { timeoutMs: 20_000, intervalMs: 100 })
  }
  const reachedAfterMs = await reach("the full bitrate", (targetBps) => targetBps >= 0.95 * MAX_BPS)
  relay.toGateway.terms = { delayMs: 20, bitrateBps: NARROW_BPS }
  const backedOffAfterMs = await reach("a lower bitrate", (targetBps) => targetBps <= NARROW_BPS)
  await delay(NARROW_MS)
  const { targetBitrate = 0 } = await senderStats(page)
  const { roundTripMs } = await publisherSession(gateway)
  return { reachedAfterMs, backedOffAfterMs, narrowTargetBps: targetBitrate, narrowRoundTripMs: roundTripMs }
}

/** In the page: dots of random colours. */
const noiseStream = `() => {
  const create = (width, height) => Object.assign(document.createElement("canvas"), { width, height })
  const [small, large] = [create(32, 18), create(640, 360)]
  const dots = small.getContext("2d")
  const context = large.getContext("2d", { alpha: false })
  const pixels = dots.createImageData(small.width, small.height)
  const words = new Uint32Array(pixels.data.buffer)
  setInterval(() => {
    for (let i = 0; i < words.length; i++) words[i] = (Math.random() * 2 ** 32) | 0xff000000
    dots.putImageData(pixels, 0, 0)
    context.drawImage(small, 0, 0, large.width, large.height)
  }, 1000 / 30)
  return large.captureStream(30)
}`

/** What a narrow path carries, in bit/s. */
export const NARROW_BPS = 800_000

/** As `RTCOutboundRtpStreamStats` has them. */
interface SenderStats {
  readonly timestamp: number
  readonly framesSent: number
  readonly nackCount: number
  readonly pliCount: number
  readonly retransmittedPacketsSent: number
  readonly targetBitrate?: number
}

async function senderStats(page: Page): Promise<SenderStats> {
  return page.evaluate<SenderStats>(
    "session.pc.getStats().then((all) => [...all.values()].find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video'))",
  )
}

interface SessionJson {
  readonly role: string
  readonly lostPackets: number
  readonly roundTripMs?: number
  readonly jitterMs?: number
}

async function publisherSession(gateway: TestGateway): Promise<SessionJson> {
  const response = await fetch(`${gateway.httpUrl}/api/v1/sessions`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  })
  const { sessions } = (await response.json()) as { sessions: SessionJson[] }
  return sessions.find(({ role }) => role === "publisher") as SessionJson
}

/** What the gateway of these measurements is told, to be asked about its sessions. */
export const UPSTREAM_SETTINGS = { ACCESS__ADMIN_TOKENS: "lossy-admin" }
const ADMIN_TOKEN = UPSTREAM_SETTINGS.ACCESS__ADMIN_TOKENS
const STREAM = "live/lossy"
/** The bitrate that `harness.publish` allows. */
const MAX_BPS = 2_500_000
const SETTLE_MS = 2_000
const NARROW_MS = 3_000
