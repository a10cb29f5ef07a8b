import { createSocket, type Socket } from "node:dgram"
import { once } from "node:events"
import { type AddressInfo, connect, createServer } from "node:net"

/** A relay to a port of this machine through which everything takes longer. */
export interface DelayRelay {
  readonly port: number
  close(): void
}

/** Passes datagrams to a UDP port and back, each `delayMs` later; every client gets a socket of its own. */
export async function startUdpRelay(targetPort: number, delayMs: number): Promise<DelayRelay> {
  const front = createSocket("udp4")
  const backs = new Map<number, Socket>()
  front.on("message", (datagram, client) => {
    let back = backs.get(client.port)
    if (!back) {
      back = createSocket("udp4")
      backs.set(client.port, back)
      back.on("message", (answer) => later(delayMs, () => front.send(answer, client.port, LOOPBACK)))
    }
    const socket = back
    later(delayMs, () => socket.send(datagram, targetPort, LOOPBACK))
  })
  front.bind(0, LOOPBACK)
  await once(front, "listening")
  let isClosed = false
  return {
    port: front.address().port,
    close: () => {
      isClosed = true
      front.close()
      for (const back of backs.values()) back.close()
    },
  }

  function later(ms: number, action: () => void): void {
    setTimeout(() => isClosed || action(), ms)
  }
}

/**
 * The same for TCP. The system accepts a connection at once, which no network does: so what the client sends first waits for the round
 * trip that SYN and SYN-ACK would have taken.
 */
export async function startTcpRelay(targetPort: number, delayMs: number): Promise<DelayRelay> {
  const server = createServer((client) => {
    const openAtMs = performance.now() + 2 * delayMs
    const target = connect(targetPort, LOOPBACK).setNoDelay()
    client.setNoDelay()
    client.on("data", (chunk) => {
      const leftMs = Math.max(0, openAtMs - performance.now())
      setTimeout(() => target.write(chunk), leftMs + delayMs)
    })
    target.on("data", (chunk) => setTimeout(() => client.write(chunk), delayMs))
    // A connection that is closed on one side has nothing to say to this bench any more.
    client.on("close", () => target.destroy()).on("error", () => undefined)
    target.on("close", () => setTimeout(() => client.destroy(), 2 * delayMs)).on("error", () => undefined)
  })
  server.listen(0, LOOPBACK)
  await once(server, "listening")
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

const LOOPBACK = "127.0.0.1"
