import { createHmac, randomBytes } from "node:crypto"
import { createSocket } from "node:dgram"
import type { SocketAddress } from "../../../src/ice/ip-address.ts"
import {
  BINDING,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  hasValidIntegrity,
  ICE_CONTROLLING,
  type ParsedStunMessage,
  PRIORITY,
  parseStunMessage,
  serializeStunMessage,
  serializeXorAddress,
  USE_CANDIDATE,
  USERNAME,
  XOR_MAPPED_ADDRESS,
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

async function check(address: UdpAddress, local: IceCredentials, remote: IceCredentials): Promise<boolean> {
  const { family, host, port } = address
  const { datagram, isAnsweredBy } = createCheck(local, remote)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = createSocket(family)
  const send = () => socket.send(datagram, port, host, () => undefined)
  socket.on("error", () => resolve(false))
  socket.on("message", (answer) => {
    if (isAnsweredBy(answer)) resolve(true)
  })
  send()
  const resending = setInterval(send, RESEND_MS)
  const timer = setTimeout(() => resolve(false), TIMEOUT_MS)
  const isAnswered = await promise
  clearInterval(resending)
  clearTimeout(timer)
  socket.close()
  return isAnswered
}

/** A connectivity check of a controlling client and the way to know its answer; `nominates` adds USE-CANDIDATE. */
export function createCheck(local: IceCredentials, remote: IceCredentials, nominates = false) {
  const key = Buffer.from(remote.pwd)
  const transactionId = randomBytes(12)
  const attributes = [
    { type: USERNAME, value: Buffer.from(`${remote.ufrag}:${local.ufrag}`) },
    { type: PRIORITY, value: Buffer.from("6e001eff", "hex") },
    { type: ICE_CONTROLLING, value: randomBytes(8) },
    ...(nominates ? [{ type: USE_CANDIDATE, value: Buffer.alloc(0) }] : []),
  ]
  const message = { method: BINDING, messageClass: CLASS_REQUEST, transactionId, attributes }
  const isAnsweredBy = (datagram: Uint8Array) => {
    const answer = parse(datagram)
    if (answer?.messageClass !== CLASS_SUCCESS || Buffer.compare(answer.transactionId, transactionId) !== 0)
      return false
    return hasValidIntegrity(datagram, answer, key, hmacSha1)
  }
  return { datagram: serializeStunMessage(message, { key, hmacSha1 }), isAnsweredBy }
}

/** The answer to a check that a server with full ICE sends; undefined where the datagram is none. */
export function answerCheck(datagram: Uint8Array, from: SocketAddress, local: IceCredentials): Uint8Array | undefined {
  const request = parse(datagram)
  if (request?.messageClass !== CLASS_REQUEST) return undefined
  const { method, transactionId } = request
  const attributes = [{ type: XOR_MAPPED_ADDRESS, value: serializeXorAddress(from, transactionId) }]
  const key = Buffer.from(local.pwd)
  return serializeStunMessage({ method, messageClass: CLASS_SUCCESS, transactionId, attributes }, { key, hmacSha1 })
}

function parse(datagram: Uint8Array): ParsedStunMessage | undefined {
  try {
    return parseStunMessage(datagram)
  } catch {
    return undefined // DTLS, or nothing that we know
  }
}

function hmacSha1(key: Uint8Array, data: Uint8Array): Uint8Array {
  return createHmac("sha1", key).update(data).digest()
}

const RESEND_MS = 100
const TIMEOUT_MS = 800
