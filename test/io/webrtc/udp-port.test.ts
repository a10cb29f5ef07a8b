import { createSocket } from "node:dgram"
import { networkInterfaces } from "node:os"
import { afterEach, describe, expect, test } from "vitest"
import type { SocketAddress } from "../../../src/ice/ip-address.ts"
import type { DatagramHandlers } from "../../../src/io/webrtc/datagram.ts"
import { UdpPort } from "../../../src/io/webrtc/udp-port.ts"
import { openDgramSocket } from "../../../src/io/webrtc/udp-socket.ts"
import { nativeSockets } from "../../../src/io/webrtc/udp-socket-native.ts"
import { NATIVE } from "../../support/native.ts"

const ignore = () => {}
const HANDLERS: DatagramHandlers = { stun: ignore, dtls: ignore, srtp: ignore, onBug: ignore }
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"))
const closing: { close(): unknown }[] = []

afterEach(async () => {
  for (const one of closing.splice(0)) await one.close()
})

function send(address: string, port: number, datagram: Uint8Array): void {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4")
  socket.send(datagram, port, address, () => socket.close())
}

const SOCKETS = [
  { kind: "dgram", openSocket: openDgramSocket },
  ...(NATIVE.addon === undefined ? [] : [{ kind: "native", openSocket: nativeSockets(NATIVE.addon) }]),
]

describe.each(SOCKETS)("with $kind sockets", ({ openSocket }) => {
  async function open(hosts: string[], handlers: Partial<DatagramHandlers> = {}, port = 0): Promise<UdpPort> {
    const opened = await UdpPort.open({ hosts, port, openSocket }, { ...HANDLERS, ...handlers })
    closing.push(opened)
    return opened
  }

  test.skipIf(!hasIpv6)("IPv4 and IPv6 come in on the same port, and answers go out on the right socket", async () => {
    const source = Promise.withResolvers<SocketAddress>()
    const port = await open(["127.0.0.1", "::1"], { stun: (_, from) => source.resolve(from) })
    const client = createSocket("udp6")
    closing.push(client)
    const answer = new Promise<Buffer>((resolve) => client.once("message", resolve))
    client.send(Uint8Array.of(1, 2), port.port, "::1")
    const from = await source.promise
    expect(from).toMatchObject({ family: 6, address: "::1" })
    port.send(Uint8Array.of(9), from)
    expect(await answer).toEqual(Buffer.of(9))
  })

  test.each([
    { first: 0, kind: "stun" },
    { first: 3, kind: "stun" },
    { first: 20, kind: "dtls" },
    { first: 63, kind: "dtls" },
    { first: 128, kind: "srtp" },
    { first: 191, kind: "srtp" },
    { first: 255, kind: "miniSdp" },
  ] as const)("a first byte of $first means $kind", async ({ first, kind }) => {
    const got = Promise.withResolvers<Uint8Array>()
    const { port } = await open(["127.0.0.1"], { [kind]: got.resolve })
    send("127.0.0.1", port, Uint8Array.of(first, 7))
    expect([...(await got.promise)]).toEqual([first, 7])
  })

  test("a handler that throws is reported, and the port lives on", async () => {
    const bug = Promise.withResolvers<unknown>()
    const next = Promise.withResolvers<Uint8Array>()
    const broken = () => {
      throw new Error("made by the test")
    }
    const { port } = await open(["127.0.0.1"], { stun: broken, dtls: next.resolve, onBug: bug.resolve })
    send("127.0.0.1", port, Uint8Array.of(0))
    expect(await bug.promise).toMatchObject({ message: "made by the test" })
    send("127.0.0.1", port, Uint8Array.of(20))
    await next.promise
  })

  test("a datagram that cannot be sent is counted and nothing else", async () => {
    const port = await open(["127.0.0.1"])
    port.send(Uint8Array.of(1), { family: 6, address: "::1", port: 9 })
    port.send(Uint8Array.of(1), { family: 4, address: "127.0.0.1", port: 70_000 })
    expect(port.sendErrors).toBe(2)
  })

  test("a port that is taken and a host that is not ours are clear errors", async () => {
    const { port } = await open(["127.0.0.1"])
    const failed = expect.objectContaining({ code: "listen.failed" })
    await expect(UdpPort.open({ hosts: ["127.0.0.1"], port, openSocket }, HANDLERS)).rejects.toEqual(failed)
    await expect(UdpPort.open({ hosts: ["127.0.0.1", "192.0.2.1"], port: 0, openSocket }, HANDLERS)).rejects.toEqual(
      failed,
    )
  })

  test("datagrams that come all at once are handed over whole and in order", async () => {
    const got: number[][] = []
    const all = Promise.withResolvers<void>()
    const srtp = (datagram: Uint8Array) => {
      got.push([datagram.length, datagram[1] ?? -1, datagram.at(-1) ?? -1])
      if (got.length === 200) all.resolve()
    }
    const { port } = await open(["127.0.0.1"], { srtp })
    const client = createSocket("udp4")
    closing.push(client)
    const sent = Array.from({ length: 200 }, (_, i) => [20 + 7 * i, i, i])
    for (const [length = 0, i = 0] of sent) {
      const datagram = new Uint8Array(length).fill(i)
      datagram[0] = 128
      client.send(datagram, port, "127.0.0.1")
    }
    await all.promise
    expect(got).toEqual(sent)
  })
})
