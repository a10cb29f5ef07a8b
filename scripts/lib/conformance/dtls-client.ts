import { createSocket } from "node:dgram"
import { DtlsSession } from "../../../src/io/webrtc/dtls-session.ts"
import { createIdentity } from "../../../src/io/webrtc/identity.ts"
import { assume, demand } from "./check.ts"
import { candidatesOf } from "./checks/answer.ts"
import type { ProtocolContext } from "./context.ts"
import { createIce, createOffer } from "./offers.ts"
import { byPreference } from "./peer.ts"
import { findValue } from "./sdp-text.ts"
import { answerCheck, createCheck, udpAddresses } from "./stun-probe.ts"

/** A client that has done ICE and DTLS and nothing else. */
export interface DtlsConnection {
  readonly url: string
  /** Says goodbye by the alert close_notify, and goes. */
  hangUp(): void
}

/**
 * Connects by ICE and DTLS without a WebRTC library: libdatachannel does not always send close_notify. Throws `Unmet` where no
 * connection comes about.
 */
export async function connectDtls(context: ProtocolContext): Promise<DtlsConnection> {
  const identity = await createIdentity()
  const ice = createIce()
  const offer = createOffer(context.protocol, { ice, setup: "active", fingerprint: identity.fingerprint })
  const { url, answer } = await context.openAt(offer)
  const [address] = byPreference(udpAddresses(candidatesOf(answer)))
  assume(address !== undefined, "the answer has no UDP candidate with an address")
  const [algorithm = "", value = ""] = (findValue(answer, "fingerprint") ?? "").split(" ")
  const remote = { ufrag: findValue(answer, "ice-ufrag") ?? "", pwd: findValue(answer, "ice-pwd") ?? "" }

  const socket = createSocket(address.family)
  const send = (datagram: Uint8Array) => socket.send(datagram, address.port, address.host, () => undefined)
  const outcome = Promise.withResolvers<string>()
  const { datagram: check, isAnsweredBy } = createCheck(ice, remote, true)
  let isNominated = false
  const session = new DtlsSession(
    { identity, role: "client", fingerprints: [{ algorithm, value }] },
    {
      send,
      connected: () => outcome.resolve("connected"),
      failed: ({ message }) => outcome.resolve(message),
      closed: () => outcome.resolve("closed by the server"),
    },
  )
  socket.on("error", ({ message }) => outcome.resolve(message))
  socket.on("message", (datagram, from) => {
    if ((datagram[0] ?? 0) >= FIRST_DTLS_BYTE) session.push(datagram)
    else if (isAnsweredBy(datagram) && !isNominated) {
      isNominated = true
      session.start()
    } else {
      const reply = answerCheck(
        datagram,
        { family: from.family === "IPv6" ? 6 : 4, address: from.address, port: from.port },
        ice,
      )
      if (reply !== undefined) send(reply)
    }
  })
  const checking = setInterval(() => send(check), CHECK_INTERVAL_MS)
  const timer = setTimeout(() => outcome.resolve("no answer"), context.options.patience.connectMs)
  send(check)
  const reached = await outcome.promise
  clearInterval(checking)
  clearTimeout(timer)
  const hangUp = () => {
    session.close()
    setTimeout(() => socket.close(), LINGER_MS)
  }
  if (reached !== "connected") hangUp()
  demand(reached === "connected", `no connection: ${reached}`)
  return { url, hangUp }
}

/** RFC 7983. */
const FIRST_DTLS_BYTE = 20
const CHECK_INTERVAL_MS = 100
/** For the goodbye to get out. */
const LINGER_MS = 500
