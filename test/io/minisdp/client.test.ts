import { beforeAll, beforeEach, expect, test } from "vitest"
import { createGateway, type Gateway } from "../../../src/gateway.ts"
import { MiniSdpClient, type PlayedStream, type PlayOptions } from "../../../src/io/minisdp/client.ts"
import { createIdentity, type DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import type { PeerCloseReason } from "../../../src/io/webrtc/transport-peer.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { protectRtp } from "../webrtc/transport-fixture.ts"
import { opusOffer, RawPeer } from "./raw-peer.ts"

/** Our client against our gateway, where somebody publishes sound. */
const scope = testScope()
let identity: DtlsIdentity
let gateway: Gateway
beforeAll(async () => {
  identity = await createIdentity()
})
beforeEach(async () => {
  const local = { host: "127.0.0.1", port: 0 }
  gateway = await createGateway({
    http: local,
    rtmp: local,
    media: { host: ["127.0.0.1"], port: 0 },
    access: { adminTokens: ["an-admin-token"], playTokens: ["a-viewers-token"] },
    log: { level: "silent" },
  })
  scope.defer(() => gateway.close())
  await publish()
})

test.each(["lossless", "public"] as const)("plays by the %s form until it says goodbye", async (form) => {
  const { packet, closed, session } = await play({ form })
  expect(Array.from((await packet).subarray(-3))).toEqual([5, 6, 7])
  expect(session.media.map(({ codec }) => codec)).toContain("opus")
  expect(await viewers()).toBe(1)
  session.peer.close("enough")
  expect(await closed).toEqual({ type: "closedByUs", text: "enough" })
  await until("the gateway to see it", async () => (await viewers()) === 0)
})

test.each(["lossless", "public"] as const)("with a cookie of before, plays by the %s form", async (form) => {
  const first = await play()
  await first.packet
  first.session.peer.close("enough")
  expect(first.session.cookie).toHaveLength(16)
  const { packet } = await play({ form, cookie: first.session.cookie })
  expect(Array.from((await packet).subarray(-3))).toEqual([5, 6, 7])
})

test("with a cookie that is none of the gateway's, plays all the same", async () => {
  const { packet } = await play({ cookie: new Uint8Array(16) })
  expect(await packet).toBeDefined()
})

test("who goes before it has come leaves no session behind", async () => {
  const accepted = play({}, (session) => session.peer.close("changed its mind"))
  await accepted
  await until("the gateway to see it", async () => (await viewers()) === 0, { timeoutMs: 3_000 })
})

test.each([
  { path: "live/cam1?token=another-token", code: "access.denied" },
  { path: "live/nobody?token=a-viewers-token", code: "stream.not_live" },
])("$path is refused with $code", async ({ path, code }) => {
  await expect(play({}, undefined, path)).rejects.toMatchObject({ code })
})

async function play(
  changes: Partial<PlayOptions> = {},
  onAccepted: (session: Pick<PlayedStream, "peer" | "media">) => void = () => undefined,
  path = "live/cam1?token=a-viewers-token",
) {
  const packet = Promise.withResolvers<Uint8Array>()
  const closed = Promise.withResolvers<PeerCloseReason>()
  const session = await new MiniSdpClient().play(`minisdp://127.0.0.1:${gateway.ports.media}/${path}`, {
    identity,
    connectTimeoutMs: 5_000,
    idleTimeoutMs: 5_000,
    onBug: (error) => packet.reject(error),
    accepted: (opened) => {
      setImmediate(() => onAccepted(opened))
      return { rtp: packet.resolve, closed: closed.resolve }
    },
    ...changes,
  })
  scope.defer(async () => session.peer.close("test is over"))
  return { session, packet: packet.promise, closed: closed.promise }
}

/** Opus under live/cam1, a packet each 20 ms, until the test is over. */
async function publish(): Promise<void> {
  const peer = await RawPeer.open(gateway.ports.media, scope)
  const { sdp } = await peer.offer(opusOffer(identity, { direction: "sendonly" }))
  await peer.check(sdp)
  const keys = await peer.connect(identity)
  let sequenceNumber = 0
  const timer = setInterval(() => peer.raw.send(protectRtp(keys, sequenceNumber++)), 20)
  scope.defer(async () => clearInterval(timer))
}

async function viewers(): Promise<number> {
  const headers = { authorization: "Bearer an-admin-token" }
  const response = await fetch(`${gateway.urls.http}/api/v1/sessions`, { headers })
  const { sessions } = (await response.json()) as { sessions: { protocol: string }[] }
  return sessions.filter(({ protocol }) => protocol === "whep").length
}
