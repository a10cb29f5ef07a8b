import { expect, test } from "vitest"
import { GatewayError } from "../../../src/errors.ts"
import type { PlayedStream, PlayOptions } from "../../../src/io/minisdp/client.ts"
import { MiniSdpSource } from "../../../src/io/pull/minisdp-source.ts"
import type { DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import type { OutgoingPeer } from "../../../src/io/webrtc/outgoing-peer.ts"
import type { WebRtcPeerEvents } from "../../../src/io/webrtc/transport-peer.ts"
import { gatewayErrorCode } from "../../support/errors.ts"
import { until } from "../../support/wait.ts"
import { edgeSetup, NAME } from "./setup.ts"

/** What the source makes of a client's session; the media itself is for test/interop/pull.test.ts. */
const URL_WITH_TOKEN = "minisdp://origin:8000/live/cam9?token=secret"

test("a cookie is shown once, and only where there was a connection with the one before", async () => {
  const { source, edge, shown, sessions } = setUp()
  for (const isConnected of [true, false, true]) {
    const attempt = edge.attempt()
    const result = source.fetch(attempt).catch((error: GatewayError) => error.code)
    const events = await until("a session", () => sessions.pop())
    if (isConnected) events.connected?.({} as never)
    expect(attempt.isLive()).toBe(isConnected)
    events.closed?.({ type: "silent", idleMs: 1_000 })
    expect(await result).toEqual(isConnected ? expect.any(String) : "stream.not_live")
  }
  expect(shown).toEqual([[], [1], []])
})

test("the end of a pull ends the session and the stream", async () => {
  const { source, edge, sessions, closed } = setUp()
  const attempt = edge.attempt()
  const result = source.fetch(attempt)
  const events = await until("a session", () => sessions.pop())
  events.connected?.({} as never)
  attempt.end("nobody watches")
  expect(closed).toEqual(["nobody watches"])
  expect(edge.registry.get(NAME)).toBeUndefined()
  events.closed?.({ type: "closedByUs", text: "nobody watches" })
  await result
})

test("what the client throws goes on, and neither log nor origin have the token", async () => {
  const edge = edgeSetup()
  const client = { play: () => Promise.reject(new GatewayError("access.denied", "no")) }
  const source = new MiniSdpSource(URL_WITH_TOKEN, { ...options(edge), client })
  await expect(source.fetch(edge.attempt())).rejects.toMatchObject({ code: "access.denied" })
  expect(source.origin).toBe("minisdp://origin:8000/live/cam9")
  expect(edge.log()).not.toContain("secret")
})

test("an address that is none is refused", () => {
  const edge = edgeSetup()
  const client = { play: () => Promise.reject(new Error("not asked")) }
  expect(gatewayErrorCode(() => new MiniSdpSource("minisdp://origin", { ...options(edge), client }))).toBe(
    "config.invalid",
  )
})

function setUp() {
  const edge = edgeSetup()
  const shown: number[][] = []
  const sessions: WebRtcPeerEvents[] = []
  const closed: string[] = []
  const play = async (_url: string, { cookie, accepted }: PlayOptions): Promise<PlayedStream> => {
    shown.push([...(cookie ?? [])])
    const peer = {
      id: `peer ${shown.length}`,
      remote: { address: "192.0.2.1", port: 8000, transport: "udp" },
      stats: { receivedBytes: 0 },
      sendRtcp: () => {},
      close: (reason: string) => closed.push(reason),
    } as unknown as OutgoingPeer
    sessions.push(accepted({ peer, media: [] }))
    return { peer, media: [], cookie: Uint8Array.of(shown.length) }
  }
  const source = new MiniSdpSource(URL_WITH_TOKEN, { ...options(edge), client: { play } })
  return { source, edge, shown, sessions, closed }
}

function options({ registry, options: { nowMs } }: ReturnType<typeof edgeSetup>) {
  return {
    identity: {} as DtlsIdentity,
    registry,
    nowMs,
    maxBitrateBps: 1e6,
    connectTimeoutMs: 1_000,
    idleTimeoutMs: 1_000,
    onBug: (error: unknown) => {
      throw error
    },
  }
}
