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

/** Keeps the UDP candidates of answers from the browser, as a firewall would keep the packets. */
const WITHOUT_UDP = `(() => {
  const original = RTCPeerConnection.prototype.setRemoteDescription
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    return original.call(this, { type, sdp: sdp.replace(/a=candidate:\\S+ \\d+ udp .*\\r\\n/gi, "") })
  }
})()`

/** Protocol and port of the candidate that the browser has chosen. */
const CHOSEN = `(async () => {
  const stats = [...(await session.pc.getStats()).values()]
  const { selectedCandidatePairId } = stats.find(({ type }) => type === "transport")
  const pair = stats.find(({ id }) => id === selectedCandidatePairId)
  const { protocol, port } = stats.find(({ id }) => id === pair.remoteCandidateId)
  return { protocol, port }
})()`

test("a browser that UDP does not reach watches by TCP, on the same port number", async () => {
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/tcp-viewer"))
  await liveStream(gateway, "live/tcp-viewer")
  const { page, errors } = await openPage(scope, await startChromium(scope), gateway.httpUrl)
  await page.evaluate(WITHOUT_UDP)
  await page.evaluate(`harness.watch("${gateway.httpUrl}/whep/live/tcp-viewer")`)
  expect(await page.evaluate(CHOSEN)).toEqual({ protocol: "tcp", port: gateway.mediaPort })
  expect((await page.evaluate<{ frames: number }>("harness.countFrames(3)")).frames).toBeGreaterThan(45)
  expect(errors).toEqual([])
  await expectHealthy(gateway)
})

test("a browser that UDP does not reach publishes by TCP", async () => {
  const { page, errors } = await openPage(scope, await startChromium(scope), gateway.httpUrl)
  await page.evaluate(WITHOUT_UDP)
  await page.evaluate(`harness.publishCamera("${gateway.httpUrl}/whip/live/tcp-publisher")`)
  expect(await page.evaluate(CHOSEN)).toEqual({ protocol: "tcp", port: gateway.mediaPort })
  await liveStream(gateway, "live/tcp-publisher")
  expect(errors).toEqual([])
})

test("rule 15: a browser that both reach takes UDP, and the answer lists UDP first", async () => {
  publishClip(scope, await clip("bbb"), gateway.rtmpUrl("live/both"))
  await liveStream(gateway, "live/both")
  const { page } = await openPage(scope, await startChromium(scope), gateway.httpUrl)
  await page.evaluate(`harness.watch("${gateway.httpUrl}/whep/live/both")`)
  const answer = await page.evaluate<string>("session.pc.remoteDescription.sdp")
  const protocols = [...answer.matchAll(/a=candidate:\S+ \d+ (\w+) /g)].map(([, protocol]) => protocol)
  expect(protocols[0]).toBe("udp")
  expect(protocols).toContain("tcp")
  const isUdp = async () => (await page.evaluate<{ protocol: string }>(CHOSEN)).protocol === "udp"
  await until("UDP to be chosen", isUdp)
})

test("the start says for each candidate whether the gateway reaches itself there", async () => {
  const lines = () => gateway.log().filter(({ msg }) => msg.startsWith("WebRTC candidate"))
  const messages = await until("both lines", () => lines().length === 2 && lines().map(({ msg }) => msg))
  expect(messages).toEqual([
    `WebRTC candidate UDP 127.0.0.1:${gateway.mediaPort} answers`,
    `WebRTC candidate TCP 127.0.0.1:${gateway.mediaPort} answers`,
  ])
})
