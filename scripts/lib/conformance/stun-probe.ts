import { createHmac, randomBytes } from "node:crypto"
import { createSocket } from "node:dgram"
import {
  BINDING,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  hasValidIntegrity,
  ICE_CONTROLLING,
  PRIORITY,
  parseStunMessage,
  serializeStunMessage,
  USERNAME,
} from "../../../src/ice/stun.ts"
import type { IceCredentials } from "./offers.ts"

/** An address that can be reached by UDP. */
export interface UdpAddress {
  readonly family: "udp4" | "udp6"
  readonly host: string
  readonly port: number
}

/** The UDP candidates of an answer that have an address, in their order. */
export function udpAddresses(candidates: readonly string[]): UdpAddress[] {
  return candidates.flatMap((candidate): UdpAddress[] => {
    const [, , protocol = "", , host = "", port = ""] = candidate.split(/ +/)
    if (protocol.toLowerCase() !== "udp" || /[g-z]/i.test(host)) return []
    return [{ family: host.includes(":") ? "udp6" : "udp4", host, port: Number(port) }]
  })
}

/**
 * Sends ICE connectivity checks (RFC 8445 section 7.2) from a new port to the UDP candidates; true where one is answered
 * with a success that the server's password signs.
 */
export async function checkIce(
  candidates: readonly string[],
  local: IceCredentials,
  remote: IceCredentials,
): Promise<boolean> {
  const answers = udpAddresses(candidates).map((address) => check(address, local, remote))
  return (await Promise.all(answers)).some(Boolean)
}

function check({ family, host, port }: UdpAddress, local: IceCredentials, remote: IceCredentials): Promise<boolean> {
  const key = Buffer.from(remote.pwd)
  const transactionId = randomBytes(12)
  const attributes = [
    { type: USERNAME, value: Buffer.from(`${remote.ufrag}:${local.ufrag}`) },
    { type: PRIORITY, value: Buffer.from("6e001eff", "hex") },
    { type: ICE_CONTROLLING, value: randomBytes(8) },
  ]
  const message = { method: BINDING, messageClass: CLASS_REQUEST, transactionId, attributes }
  const request = serializeStunMessage(message, { key, hmacSha1 })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = createSocket(family)
  const send = () => socket.send(request, port, host, () => undefined)
  socket.on("error", () => resolve(false))
  socket.on("message", (datagram) => {
    if (isSuccessFor(datagram, transactionId, key)) resolve(true)
  })
  send()
  const resending = setInterval(send, RESEND_MS)
  const timer = setTimeout(() => resolve(false), TIMEOUT_MS)
  return promise.finally(() => {
    clearInterval(resending)
    clearTimeout(timer)
    socket.close()
  })
}

function isSuccessFor(datagram: Uint8Array, transactionId: Uint8Array, key: Uint8Array): boolean {
  try {
    const message = parseStunMessage(datagram)
    if (message.messageClass !== CLASS_SUCCESS || Buffer.compare(message.transactionId, transactionId) !== 0)
      return false
    return hasValidIntegrity(datagram, message, key, hmacSha1)
  } catch {
    return false // a check of the server, or nothing that we know
  }
}

function hmacSha1(key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac("sha1", key).update(data).digest()
}

const RESEND_MS = 100
const TIMEOUT_MS = 800
