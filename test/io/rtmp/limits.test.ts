import { expect, test } from "vitest"
import { GatewayError } from "../../../src/errors.ts"
import { parseUserControl, USER_CONTROL } from "../../../src/rtmp/message.ts"
import { OPEN_ACCESS } from "../../support/open-access.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { RtmpClient } from "./client.ts"
import { startRtmpSetup } from "./setup.ts"

const scope = testScope()
const USER_CONTROL_MESSAGE = 4

test("a reader that does not answer a ping is ended, also when there is nothing to send to it", async () => {
  const { server, log } = await startRtmpSetup(scope, { pingIntervalMs: 50, pingTimeoutMs: 50 })
  const publisher = await RtmpClient.open(server.port, scope, "publish", "cam1")
  await publisher.status("NetStream.Publish.Start")
  const reader = await RtmpClient.open(server.port, scope, "play", "cam1")
  await reader.closed
  expect(events(reader)).toContain(USER_CONTROL.pingRequest)
  expect(log.filter(({ code }) => code === "rtmp.timeout").map(({ msg }) => msg)).toContain(
    "RTMP error: no answer to a ping",
  )
})

test("readers are told that their publisher is lost, and that it is back", async () => {
  const { server, registry } = await startRtmpSetup(scope)
  const open = async () => {
    const publisher = await RtmpClient.open(server.port, scope, "publish", "cam1")
    return publisher.status("NetStream.Publish.Start")
  }
  const publisher = await open()
  const reader = await RtmpClient.open(server.port, scope, "play", "cam1")
  await reader.status("NetStream.Play.Start")
  publisher.socket.destroy()
  await until("the loss", () => events(reader).includes(USER_CONTROL.streamDry))
  expect(registry.list()).toHaveLength(1)
  await open()
  await reader.status("NetStream.Play.PublishNotify")
})

test("an address that connects too often is cut, with one line in the log", async () => {
  const { server, log } = await startRtmpSetup(scope, { connectionsPerSecond: 1, connectionBurst: 2 })
  const clients = Array.from({ length: 6 }, () => new RtmpClient(server.port, scope))
  await Promise.all(clients.slice(2).map(({ closed }) => closed))
  expect(log).toEqual([expect.objectContaining({ code: "session.limit", level: 40 })])
})

test("an address that asks too often to publish is refused", async () => {
  const { server, registry } = await startRtmpSetup(scope, { connectionsPerSecond: 1, connectionBurst: 3 })
  const first = await RtmpClient.open(server.port, scope, "publish", "cam1")
  await first.status("NetStream.Publish.Start")
  const second = await RtmpClient.open(server.port, scope, "publish", "cam2")
  await second.status("NetStream.Publish.BadName")
  expect(registry.list().map(({ name }) => name)).toEqual(["live/cam1"])
})

test("a key in the place of the name is not logged when it is refused", async () => {
  const refusing = {
    ...OPEN_ACCESS,
    authorize: () =>
      Promise.reject(new GatewayError("access.required", "a token is needed to publish live/the-secret-key")),
  }
  const { server, log } = await startRtmpSetup(scope, {}, refusing)
  const publisher = await RtmpClient.open(server.port, scope, "publish", "the-secret-key")
  await publisher.closed
  expect(log).toEqual([
    expect.objectContaining({ stream: "live/the-…", msg: expect.stringContaining("publish live/the-…") }),
  ])
  expect(JSON.stringify(log)).not.toContain("secret")
})

test("when the gateway closes, a peer that can is sent to the other server first and taken care of until it goes", async () => {
  const { server } = await startRtmpSetup(scope, { reconnectUrl: "rtmp://other:1935" })
  const publisher = new RtmpClient(server.port, scope)
  await publisher.connect({ capsEx: 1 })
  publisher.begin("publish", "cam1")
  await publisher.status("NetStream.Publish.Start")
  const handedOver = server.handOver(10_000)
  await publisher.status("NetConnection.Connect.ReconnectRequest")
  publisher.command(0, "getStreamLength", 9, null, "cam1")
  await until("an answer", () => publisher.results().includes(9))
  await expect(new RtmpClient(server.port, scope).connected).rejects.toThrow("ECONNREFUSED")
  publisher.socket.destroy()
  await handedOver
})

test("peers that cannot be sent elsewhere are not waited for", async () => {
  const { server } = await startRtmpSetup(scope, { reconnectUrl: "rtmp://other:1935" })
  const publisher = await RtmpClient.open(server.port, scope, "publish", "cam1")
  await publisher.status("NetStream.Publish.Start")
  await server.handOver(10_000)
  expect(publisher.statusCodes()).not.toContain("NetConnection.Connect.ReconnectRequest")
})

test("a peer that does not read what it is answered is cut before that grows", async () => {
  const { server, log } = await startRtmpSetup(scope, { readerQueueMaxBytes: 1_000 })
  const deaf = new RtmpClient(server.port, scope)
  await deaf.connect()
  deaf.socket.pause()
  let isClosed = false
  void deaf.closed.then(() => {
    isClosed = true
  })
  await until("the end", async () => {
    for (let i = 0; i < 2_000; i++) deaf.command(0, "fly", 7, null)
    await new Promise((resolve) => setImmediate(resolve))
    return isClosed
  })
  expect(log.filter(({ level }) => level === 50)).toEqual([])
})

/** The user control events that a client got. */
function events(client: RtmpClient): number[] {
  return client.messages
    .filter(({ typeId }) => typeId === USER_CONTROL_MESSAGE)
    .map(({ payload }) => parseUserControl(payload).eventType)
}
