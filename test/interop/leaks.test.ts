import { expect, test } from "vitest"
import { createIdentity, type DtlsIdentity } from "../../src/io/webrtc/identity.ts"
import { RawClient } from "../io/webrtc/raw-client.ts"
import { publishClip } from "../support/ffmpeg.ts"
import { clip } from "../support/media.ts"
import { type Holdings, type MeteredGateway, startMeteredGateway } from "../support/metered-gateway.ts"
import { testScope } from "../support/test-scope.ts"
import { until, within } from "../support/wait.ts"

const scope = testScope()

const CYCLES = 200
const WARM_UP_CYCLES = 40
/** Far less than 200 sessions would hold: each has several kilobytes of keys, tables and packets to send again. */
const MAX_HEAP_GROWTH_BYTES = 4_000_000
const MAX_EXTERNAL_GROWTH_BYTES = 4_000_000
const AT_ONCE = 4

test("of 200 viewers that come, watch and go, half of them without DELETE or a word of DTLS, nothing is left", async () => {
  const gateway = await startMeteredGateway(scope, {
    http: { host: "127.0.0.1", port: 0, requestsPerSecond: 10_000, requestBurst: 10_000 },
    rtmp: { host: "127.0.0.1", port: 0 },
    media: { host: ["127.0.0.1"], port: 0, idleTimeoutMs: 1_000 },
    access: { adminTokens: ["the-admin"] },
    log: { level: "silent" },
  })
  publishClip(scope, await clip("bbb"), `${gateway.urls.rtmp}/live/watched`)
  await until("the stream", async () => (await get(gateway, "/api/v1/streams/live/watched")).ok)
  const identity = await createIdentity()

  await watchAndGo(gateway, identity, WARM_UP_CYCLES)
  await noViewers(gateway)
  const before = await gateway.measure()
  await watchAndGo(gateway, identity, CYCLES)
  await noViewers(gateway)
  const { sessions } = (await (await get(gateway, "/api/v1/sessions")).json()) as { sessions: object[] }
  expect(sessions).toEqual([expect.objectContaining({ role: "publisher", protocol: "rtmp" })])
  let left: Holdings["resources"] = {}
  await until(
    "sockets and timers to be as before",
    async () => {
      left = (await gateway.measure()).resources
      return hasNoMore(left, before.resources)
    },
    { timeoutMs: 20_000, intervalMs: 500 },
  ).catch(() => expect(left).toEqual(before.resources))
  const after = await gateway.measure()
  expect(after.heapBytes - before.heapBytes).toBeLessThan(MAX_HEAP_GROWTH_BYTES)
  expect(after.externalBytes - before.externalBytes).toBeLessThan(MAX_EXTERNAL_GROWTH_BYTES)
})

/** Viewers, some at a time; every second one says DELETE, the others fall silent. */
async function watchAndGo(gateway: MeteredGateway, identity: DtlsIdentity, count: number): Promise<void> {
  let begun = 0
  const viewer = async () => {
    while (begun < count) {
      const saysGoodbye = begun++ % 2 === 0
      const { client, location } = await watch(gateway, identity)
      if (saysGoodbye) expect((await fetch(location, { method: "DELETE" })).status).toBe(200)
      client.close()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, viewer))
}

/** A viewer that has got its first packets. */
async function watch({ urls }: MeteredGateway, identity: DtlsIdentity) {
  const headers = { "content-type": "application/sdp" }
  const body = offer(identity.fingerprint)
  const response = await fetch(`${urls.http}/whep/live/watched`, { method: "POST", headers, body })
  const answer = await response.text()
  expect(response.status).toBe(201)
  const find = (pattern: RegExp) => pattern.exec(answer)?.[1] as string
  const client = await RawClient.open(Number(find(/a=candidate:\S+ 1 udp \d+ \S+ (\d+)/i)))
  await client.check(find(/a=ice-ufrag:(\S+)/), find(/a=ice-pwd:(\S+)/), { remoteUfrag: UFRAG })
  const packets = new Promise<void>((resolve) => {
    let count = 0
    client.onDatagram = (datagram) => isMedia(datagram) && ++count === FIRST_PACKETS && resolve()
  })
  client.openDtls("client", identity)
  await within(10_000, "a viewer's first packets", packets)
  client.onDatagram = undefined
  return { client, location: response.headers.get("location") as string }
}

function isMedia(datagram: Uint8Array): boolean {
  const first = datagram[0] ?? 0
  return first >= 128 && first <= 191
}

async function noViewers(gateway: MeteredGateway): Promise<void> {
  await until("no viewer to be left", async () => {
    const health = (await (await get(gateway, "/health")).json()) as { viewers: number }
    return health.viewers === 0
  })
}

/** HTTP keeps some connections open for the next request; viewers have none of their own. */
function hasNoMore(now: Holdings["resources"], before: Holdings["resources"]): boolean {
  return Object.entries(now).every(([type, count]) => {
    const spare = type === "TCPSocketWrap" ? AT_ONCE + 1 : 0
    return count <= (before[type] ?? 0) + spare
  })
}

function get({ urls }: MeteredGateway, path: string): Promise<Response> {
  return fetch(`${urls.http}${path}`, { headers: { authorization: "Bearer the-admin" } })
}

const UFRAG = "them"
const FIRST_PACKETS = 5

function offer(fingerprint: string): string {
  const transport = [
    "c=IN IP4 0.0.0.0",
    `a=ice-ufrag:${UFRAG}`,
    "a=ice-pwd:a-password-of-the-test-peer",
    `a=fingerprint:sha-256 ${fingerprint}`,
    "a=setup:active",
    "a=recvonly",
    "a=rtcp-mux",
  ]
  const lines = [
    ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"],
    ...["m=audio 9 UDP/TLS/RTP/SAVPF 111", ...transport, "a=mid:0", "a=rtpmap:111 opus/48000/2"],
    ...["m=video 9 UDP/TLS/RTP/SAVPF 96", ...transport, "a=mid:1", "a=rtpmap:96 H264/90000"],
    ...["a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli"],
    "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f;level-asymmetry-allowed=1",
  ]
  return `${lines.join("\r\n")}\r\n`
}
