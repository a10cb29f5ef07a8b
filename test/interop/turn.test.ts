import { beforeAll, expect, test } from "vitest"
import { iceServersFor } from "../../src/io/webrtc/turn-credentials.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { HAS_COTURN, startCoturn } from "../support/coturn.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"

const group = groupScope()
const scope = testScope()
let gateway: TestGateway

beforeAll(async () => {
  gateway = await startGateway(group)
})

/** Makes every peer connection of the page reach the world through the relay alone. */
const RELAY_ONLY = `(iceServers) => {
  const Direct = window.RTCPeerConnection
  window.RTCPeerConnection = class extends Direct {
    constructor() {
      super({ iceServers, iceTransportPolicy: "relay" })
    }
  }
}`

/** The chosen pair, once the connection stands. */
const SELECTED_PAIR = `(async () => {
  const stats = [...(await session.pc.getStats()).values()]
  const transport = stats.find(({ type }) => type === "transport")
  const pair = stats.find(({ id }) => id === transport.selectedCandidatePairId)
  const candidate = (id) => stats.find((report) => report.id === id)
  const [local, remote] = [candidate(pair.localCandidateId), candidate(pair.remoteCandidateId)]
  return { localType: local.candidateType, relayProtocol: local.relayProtocol, remotePort: remote.port }
})()`

test.skipIf(!HAS_COTURN).each(["udp", "tcp"])(
  "rule 28: a browser that may only relay watches through coturn by %s, with credentials that end by themselves",
  async (protocol) => {
    const coturn = await startCoturn(scope)
    publishClip(scope, await clip("bbb"), gateway.rtmpUrl(`live/relayed-${protocol}`))
    await liveStream(gateway, `live/relayed-${protocol}`)
    const browser = await startChromium(scope)
    const { page, errors } = await openPage(scope, browser, gateway.httpUrl)
    const urls = [`turn:127.0.0.1:${coturn.port}?transport=${protocol}`]
    const [server] = iceServersFor([{ urls, secret: coturn.secret, ttlSeconds: 600 }], Date.now(), "viewer")
    const { url, ...login } = server as NonNullable<typeof server>
    await page.evaluate(`(${RELAY_ONLY})(${JSON.stringify([{ urls: url, ...login }])})`)
    const whep = `${gateway.httpUrl}/whep/live/relayed-${protocol}`
    await page.evaluate(`harness.watch(${JSON.stringify(whep)})`)
    expect(await page.evaluate(SELECTED_PAIR)).toEqual({
      localType: "relay",
      relayProtocol: protocol,
      remotePort: gateway.mediaPort,
    })
    expect((await page.evaluate<{ frames: number }>("harness.countFrames(2)")).frames).toBeGreaterThan(20)
    expect(errors).toEqual([])
  },
)

test.skipIf(!HAS_COTURN)("rule 28: coturn refuses credentials whose time is over", async () => {
  const coturn = await startCoturn(scope)
  const servers = [{ urls: [`turn:127.0.0.1:${coturn.port}`], secret: coturn.secret, ttlSeconds: 60 }]
  const [server] = iceServersFor(servers, Date.now() - 120_000, "viewer")
  const browser = await startChromium(scope)
  const { page } = await openPage(scope, browser, gateway.httpUrl)
  const { url, ...login } = server as NonNullable<typeof server>
  const outcome = await page.evaluate(`(async () => {
    const config = { iceServers: [${JSON.stringify({ urls: url, ...login })}], iceTransportPolicy: "relay" }
    const pc = new RTCPeerConnection(config)
    pc.createDataChannel("x")
    const seen = { candidates: 0, errorCode: 0 }
    pc.addEventListener("icecandidate", ({ candidate }) => candidate?.candidate && seen.candidates++)
    const error = new Promise((resolve) => pc.addEventListener("icecandidateerror", resolve))
    await pc.setLocalDescription()
    seen.errorCode = (await error).errorCode
    pc.close()
    return seen
  })()`)
  expect(outcome).toEqual({ candidates: 0, errorCode: 401 })
})
