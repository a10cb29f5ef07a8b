import { describe, expect, test } from "vitest"
import type { AccessControl, AccessGrant, AccessRequest, SessionOutcome } from "../../../src/access/access.ts"
import { GatewayError } from "../../../src/errors.ts"
import { hex } from "../../support/bytes.ts"
import { OPEN_ACCESS } from "../../support/open-access.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { RtmpClient } from "./client.ts"
import { startRtmpSetup } from "./setup.ts"

const scope = testScope()
const AUDIO = 8
const AUDIO_HEADER = hex("af 00 1210")

/** Access control whose answers the test gives. */
class SlowAccess implements AccessControl {
  readonly permitted = OPEN_ACCESS.permitted
  readonly requireAdmin = OPEN_ACCESS.requireAdmin
  readonly requests: AccessRequest[] = []
  readonly outcomes: SessionOutcome[] = []
  readonly #waiting: { readonly allow: (grant: AccessGrant) => void; readonly refuse: (error: unknown) => void }[] = []

  authorize(request: AccessRequest): Promise<AccessGrant> {
    this.requests.push(request)
    return new Promise((allow, refuse) => this.#waiting.push({ allow, refuse }))
  }

  asked(count: number): Promise<unknown> {
    return until(`${count} requests`, () => this.requests.length === count)
  }

  allow(): void {
    this.#waiting.shift()?.allow({ identity: undefined, ended: (outcome) => this.outcomes.push(outcome) })
  }

  refuse(error: unknown = new GatewayError("access.invalid", "the token is not valid here")): void {
    this.#waiting.shift()?.refuse(error)
  }
}

async function setUp() {
  const access = new SlowAccess()
  return { access, ...(await startRtmpSetup(scope, {}, access)) }
}

test("is asked with the token and without it in the name", async () => {
  const { access, server } = await setUp()
  const publisher = await RtmpClient.open(server.port, scope, "publish", "cam1/the-key?x=1")
  await access.asked(1)
  expect(access.requests[0]).toMatchObject({
    action: "publish",
    stream: "live/cam1",
    token: "the-key",
    protocol: "rtmp",
    remoteAddress: "127.0.0.1",
  })
  publisher.socket.destroy()
})

test("nothing begins before it has decided", async () => {
  const { access, server, registry } = await setUp()
  const publisher = await RtmpClient.open(server.port, scope, "publish", "cam1")
  await access.asked(1)
  publisher.metadata({ audiocodecid: 10 })
  publisher.command(0, "getStreamLength", 9, null, "cam1")
  await until("an answer to what came after", () => publisher.results().includes(9))
  expect(publisher.statusCodes()).toEqual([])
  expect(registry.list()).toEqual([])
  access.allow()
  await publisher.status("NetStream.Publish.Start")
  publisher.message(AUDIO, 0, AUDIO_HEADER)
  await until("the stream", () => registry.list()[0]?.name === "live/cam1")
})

test("media that does not wait for the decision ends the session and is told as an end", async () => {
  const { access, server, registry } = await setUp()
  const publisher = await RtmpClient.open(server.port, scope, "publish", "cam1")
  await access.asked(1)
  publisher.message(AUDIO, 0, AUDIO_HEADER)
  await publisher.closed
  access.allow()
  await until("the end", () => access.outcomes.length === 1)
  expect(publisher.statusCodes()).toEqual(["NetStream.Failed"])
  expect(registry.list()).toEqual([])
})

describe("a refusal", () => {
  test.each([
    { action: "publish", status: "NetStream.Publish.Denied" },
    { action: "play", status: "NetStream.Play.Failed" },
  ] as const)("to $action ends the session with $status and its reason in the log", async ({ action, status }) => {
    const { access, server, log, registry } = await setUp()
    const client = await RtmpClient.open(server.port, scope, action, "cam1?token=the-key")
    await access.asked(1)
    access.refuse()
    await client.closed
    expect(client.statusCodes()).toEqual([status])
    expect(registry.list()).toEqual([])
    expect(log).toEqual([expect.objectContaining({ level: 40, code: "access.invalid", stream: "live/cam1" })])
    expect(JSON.stringify(log)).not.toContain("the-key")
  })

  test("by a bug ends the session, says nothing to the peer and is logged", async () => {
    const { access, server, log } = await setUp()
    const client = await RtmpClient.open(server.port, scope, "publish", "cam1")
    await access.asked(1)
    access.refuse(new TypeError("oops"))
    await client.closed
    expect(client.statusCodes()).toEqual([])
    expect(log).toEqual([expect.objectContaining({ level: 50, err: expect.objectContaining({ message: "oops" }) })])
  })
})

describe("a request that is given up while it waits", () => {
  test("by deleteStream begins nothing, and the connection can go on", async () => {
    const { access, server, registry } = await setUp()
    const client = await RtmpClient.open(server.port, scope, "publish", "cam1")
    await access.asked(1)
    client.command(0, "deleteStream", 4, null, 1)
    client.command(0, "createStream", 5, null)
    client.command(2, "publish", 6, null, "cam2")
    await access.asked(2)
    access.allow()
    await until("the end of the first", () => access.outcomes.length === 1)
    expect(access.outcomes[0]).toMatchObject({ sessionId: access.requests[0]?.sessionId, durationMs: 0, bytes: 0 })
    expect(registry.list()).toEqual([])
    access.allow()
    await client.status("NetStream.Publish.Start")
    expect(registry.list().map(({ name }) => name)).toEqual(["live/cam2"])
  })

  test("and made again for another name counts as the second one only", async () => {
    const { access, server, registry } = await setUp()
    const client = await RtmpClient.open(server.port, scope, "publish", "cam1")
    await access.asked(1)
    client.command(1, "closeStream", 4, null)
    client.command(1, "publish", 5, null, "cam2")
    await access.asked(2)
    access.refuse()
    client.command(0, "getStreamLength", 9, null, "cam2")
    await until("an answer after the refusal of the first", () => client.results().includes(9))
    access.allow()
    await client.status("NetStream.Publish.Start")
    expect(client.statusCodes()).toEqual(["NetStream.Publish.Start"])
    expect(registry.list().map(({ name }) => name)).toEqual(["live/cam2"])
  })

  test("by closing the connection begins nothing", async () => {
    const { access, server, registry, log } = await setUp()
    const client = await RtmpClient.open(server.port, scope, "publish", "cam1")
    await access.asked(1)
    client.socket.end()
    await client.closed
    access.allow()
    await until("the end", () => access.outcomes.length === 1)
    expect(registry.list()).toEqual([])
    expect(log.filter(({ level }) => Number(level) >= 40)).toEqual([])
  })
})

test("a request that waits keeps the connection when the hub ends another publication on it", async () => {
  const { access, server, registry } = await setUp()
  const client = await RtmpClient.open(server.port, scope, "publish", "cam1")
  await access.asked(1)
  access.allow()
  await client.status("NetStream.Publish.Start")
  client.command(0, "createStream", 4, null)
  client.command(2, "publish", 5, null, "cam2")
  await access.asked(2)
  registry.list()[0]?.publisher?.end("ended by an administrator")
  await client.status("NetStream.Publish.Denied")
  access.allow()
  await until("the second publication", () => registry.list().some(({ name }) => name === "live/cam2"))
})

test("the end of a session is told with its totals", async () => {
  const { access, server } = await setUp()
  const publisher = await RtmpClient.open(server.port, scope, "publish", "cam1")
  await access.asked(1)
  access.allow()
  await publisher.status("NetStream.Publish.Start")
  publisher.message(AUDIO, 0, AUDIO_HEADER)
  const reader = await RtmpClient.open(server.port, scope, "play", "cam1")
  await access.asked(2)
  access.allow()
  await reader.status("NetStream.Play.Start")
  reader.socket.end()
  await until("the reader's end", () => access.outcomes.length === 1)
  publisher.command(0, "deleteStream", 4, null, 1)
  await until("the publisher's end", () => access.outcomes.length === 2)
  expect(access.outcomes).toEqual([
    expect.objectContaining({ sessionId: access.requests[1]?.sessionId, reason: "the peer closed the connection" }),
    expect.objectContaining({ sessionId: access.requests[0]?.sessionId, bytes: AUDIO_HEADER.length }),
  ])
})

test("a session that was allowed and could not begin is told as ended", async () => {
  const { access, server } = await setUp()
  const reader = await RtmpClient.open(server.port, scope, "play", "nobody")
  await access.asked(1)
  access.allow()
  await reader.closed
  expect(reader.statusCodes()).toEqual(["NetStream.Play.StreamNotFound"])
  expect(access.outcomes).toEqual([
    expect.objectContaining({ durationMs: 0, reason: expect.stringContaining("nobody") }),
  ])
})

test.each(["cam1 the-key", "cam1&token=the-key", "cam1:the-key", "cam1;the-key", "cam%31the-key"])(
  "a key that came into the name by mistake, as in %j, is not logged",
  async (name) => {
    const { server, log } = await setUp()
    const client = await RtmpClient.open(server.port, scope, "publish", name)
    await client.closed
    expect(log).toEqual([
      expect.objectContaining({ code: "stream.name", stream: expect.stringMatching(/^live\/cam1?…$/) }),
    ])
    expect(JSON.stringify(log)).not.toContain("the-key")
  },
)
