import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { LOSSLESS_FORM } from "../../src/io/minisdp/forms.ts"
import { type OfferCarrier, openPlaySession } from "../../src/io/minisdp/play-session.ts"
import { UdpCarrier } from "../../src/io/minisdp/udp-carrier.ts"
import { createIdentity } from "../../src/io/webrtc/identity.ts"
import { decodeLossless, encodeLossless } from "../../src/minisdp/lossless/envelope.ts"
import { runFfmpeg } from "../../test/support/ffmpeg.ts"
import { startGateway } from "../../test/support/gateway.ts"
import { Scope } from "../../test/support/scope.ts"
import { liveStream } from "../../test/support/streams.ts"
import { startTcpRelay, startUdpRelay } from "../lib/delay-relay.ts"
import { httpCarrier, type OfferForm, SDP_FORM } from "../lib/http-carrier.ts"

/**
 * How long it takes from the offer to the first decrypted media packet, with four ways to signal and one and the same client for ICE,
 * DTLS and SRTP: over loopback, and through a relay that holds everything back for some time each way. HTTP without TLS, on a connection of its own
 * each time, as for a player that comes for the first time. The ways take turns, so that whatever else the machine does meets all alike.
 */
interface Route {
  readonly name: string
  readonly httpPort: number
  readonly mediaPort: number
}

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "200" },
    delay: { type: "string", default: "50" },
    json: { type: "string" },
  },
})
const count = Number(values.count)
const delayMs = Number(values.delay)
const STREAM = "bench/rtt"
const WARM_UPS = 5
const MINI_SDP_HTTP_FORM: OfferForm = {
  contentType: "application/x-minisdp",
  encode: (sdp) => encodeLossless({ ...EMPTY, sdp }),
  decode: (body) => decodeLossless(body).sdp,
}
const EMPTY = {
  type: "offer",
  seq: 0,
  status: 0,
  immSend: false,
  streamUrl: "",
  cookie: new Uint8Array(0),
  sessionId: "",
} as const

const scope = new Scope()
const identity = await createIdentity()
try {
  const gateway = await startGateway(scope, {
    settings: { HTTP__REQUEST_BURST: "100000", MINISDP__REQUEST_BURST: "100000" },
  })
  const picture = ["-f", "lavfi", "-i", "testsrc=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=sample_rate=48000"]
  const codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-c:a", "aac"]
  runFfmpeg(scope, ["-re", ...picture, ...codecs, "-f", "flv", gateway.rtmpUrl(STREAM)])
  await liveStream(gateway, STREAM)
  const udpRelay = await startUdpRelay(gateway.mediaPort, delayMs)
  const tcpRelay = await startTcpRelay(gateway.httpPort, delayMs)
  scope.defer(async () => {
    udpRelay.close()
    tcpRelay.close()
  })
  const routes: Route[] = [
    { name: "loopback", httpPort: gateway.httpPort, mediaPort: gateway.mediaPort },
    { name: `${delayMs} ms each way`, httpPort: tcpRelay.port, mediaPort: udpRelay.port },
  ]
  const results = []
  for (const route of routes) results.push(...(await measureRoute(route)))
  print(table(results))
  print(JSON.stringify(results))
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`)
} finally {
  await scope.close()
}

interface Result {
  readonly route: string
  readonly way: string
  readonly count: number
  readonly medianMs: number
  readonly p95Ms: number
}

async function measureRoute(route: Route): Promise<Result[]> {
  let cookie: Uint8Array = new Uint8Array(0)
  let seq = 0
  const udp = (shown: Uint8Array) => {
    const gateway = { transport: "udp", family: 4, address: "127.0.0.1", port: route.mediaPort } as const
    seq = (seq % 0xffff) + 1
    const carrier = new UdpCarrier({
      form: LOSSLESS_FORM,
      gateway,
      host: "127.0.0.1",
      streamUrl: STREAM,
      seq,
      cookie: shown,
    })
    return { carrier, done: () => (cookie = carrier.cookie.length > 0 ? carrier.cookie : cookie) }
  }
  const http = (form: OfferForm) => ({ carrier: throughRelay(route, form), done: () => undefined })
  const ways = [
    { name: "HTTP, SDP", open: () => http(SDP_FORM) },
    { name: "HTTP, MiniSDP", open: () => http(MINI_SDP_HTTP_FORM) },
    { name: "UDP, MiniSDP", open: () => udp(new Uint8Array(0)) },
    { name: "UDP, MiniSDP, 0-RTT", open: () => udp(cookie) },
  ]
  const times = new Map<string, number[]>(ways.map(({ name }) => [name, []]))
  for (let round = -WARM_UPS; round < count; round++) {
    for (const { name, open } of ways) {
      const { carrier, done } = open()
      const durationMs = await firstPacketMs(carrier)
      done()
      if (round >= 0) times.get(name)?.push(durationMs)
    }
  }
  return ways.map(({ name }) => {
    const sorted = (times.get(name) ?? []).sort((a, b) => a - b)
    const at = (share: number) => Number((sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN).toFixed(1))
    return { route: route.name, way: name, count: sorted.length, medianMs: at(0.5), p95Ms: at(0.95) }
  })
}

/** From before the socket is opened to the first RTP packet; the session is ended then. */
async function firstPacketMs(carrier: OfferCarrier): Promise<number> {
  const arrived = Promise.withResolvers<number>()
  const startedMs = performance.now()
  const { peer } = await openPlaySession(
    {
      identity,
      connectTimeoutMs: 5_000,
      idleTimeoutMs: 5_000,
      accepted: () => ({
        rtp: () => arrived.resolve(performance.now() - startedMs),
        closed: (reason) => arrived.reject(new Error(`ended before media: ${JSON.stringify(reason)}`)),
      }),
      onBug: (error) => arrived.reject(error),
    },
    carrier,
  )
  const durationMs = await arrived.promise
  peer.close("measured")
  return durationMs
}

/** The gateway announces its own port; the way to it is the relay's. */
function throughRelay({ httpPort, mediaPort }: Route, form: OfferForm): OfferCarrier {
  const carrier = httpCarrier(new URL(`http://127.0.0.1:${httpPort}/whep/${STREAM}`), form)
  return {
    ...carrier,
    exchange: async (offer, peer) => {
      const { sdp } = await carrier.exchange(offer, peer)
      return { sdp: sdp.replace(/^(a=candidate:.* 127\.0\.0\.1) \d+ typ host/gm, `$1 ${mediaPort} typ host`) }
    },
  }
}

function table(results: readonly Result[]): string {
  const rows = results.map(({ route, way, count: n, medianMs, p95Ms }) =>
    [route.padEnd(18), way.padEnd(20), String(n).padStart(5), cell(medianMs), cell(p95Ms)].join("  "),
  )
  return ["route               way                   count   median ms      p95 ms", ...rows].join("\n")
}

function cell(ms: number): string {
  return ms.toFixed(1).padStart(10)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
