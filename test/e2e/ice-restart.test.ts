import type { Page } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { openPage, startChromium } from "../support/chromium.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { expectHealthy } from "../support/scenes.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

const group = groupScope()
const scope = testScope()
let gateway: TestGateway

beforeAll(async () => {
  gateway = await startGateway(group)
})

/** Restarts ICE as a WHEP player does, RFC 9725 section 4.3.3: the answer stays, but for what the fragment says. */
const RESTART = `(async () => {
  const { pc, location } = session
  const attribute = (sdp, name) => new RegExp("a=" + name + ":(\\\\S+)").exec(sdp)[1]
  const before = pc.remoteDescription.sdp
  pc.restartIce()
  await pc.setLocalDescription()
  const offer = pc.localDescription.sdp
  const lines = ["ice-ufrag", "ice-pwd"].map((name) => "a=" + name + ":" + attribute(offer, name))
  const response = await fetch(location, {
    method: "PATCH",
    headers: { "content-type": "application/trickle-ice-sdpfrag", "if-match": "*" },
    body: [...lines, "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0", ""].join("\\r\\n"),
  })
  const fragment = await response.text()
  if (response.status !== 200) throw new Error(response.status + " " + fragment)
  let answer = before
  for (const name of ["ice-ufrag", "ice-pwd"]) {
    answer = answer.replaceAll(attribute(before, name), attribute(fragment, name))
  }
  await pc.setRemoteDescription({ type: "answer", sdp: answer })
  return { before: attribute(before, "ice-ufrag"), after: attribute(fragment, "ice-ufrag") }
})()`

async function watch(stream: string): Promise<{ page: Page; errors: string[] }> {
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl(stream))
  await liveStream(gateway, stream)
  const { page, errors } = await openPage(scope, await startChromium(scope), gateway.httpUrl)
  await page.evaluate(`harness.watch("${gateway.httpUrl}/whep/${stream}")`)
  return { page, errors }
}

test("rule 19: Chromium restarts ICE while it watches, and the picture goes on", async () => {
  const { page, errors } = await watch("live/restarted")
  const watching = page.evaluate<{ frames: number; frozenMs: number }>("harness.countFrames(4)")
  const { before, after } = await page.evaluate<{ before: string; after: string }>(RESTART)
  expect(after).not.toBe(before)
  const state = () => page.evaluate<string>("session.pc.iceConnectionState")
  await until("the new checks to pass", async () => ["connected", "completed"].includes(await state()))
  const { frames, frozenMs } = await watching
  expect(frames).toBeGreaterThan(60)
  expect(frozenMs).toBeLessThan(1_000)
  // The consent checks go on under the new login alone, or the session would end by now.
  await page.evaluate("harness.countFrames(11)")
  expect(await state()).toMatch(/connected|completed/)
  expect(errors).toEqual([])
  await expectHealthy(gateway)
})

test("rule 21: a restart that no check follows leaves the session and its picture alone", async () => {
  const { page, errors } = await watch("live/unrestarted")
  const status = await page.evaluate(`fetch(session.location, {
    method: "PATCH",
    headers: { "content-type": "application/trickle-ice-sdpfrag", "if-match": "*" },
    body: "a=ice-ufrag:abcd\\r\\na=ice-pwd:abcdefghijklmnopqrstuvwx\\r\\n",
  }).then((response) => response.status)`)
  expect(status).toBe(200)
  const { frames } = await page.evaluate<{ frames: number }>("harness.countFrames(11)")
  expect(frames).toBeGreaterThan(200)
  expect(errors).toEqual([])
})
