import { randomBytes } from "node:crypto"
import { createSocket } from "node:dgram"
import { connect, isIPv6 } from "node:net"
import { GatewayError } from "../../errors.ts"
import {
  BINDING,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  type HmacSha1,
  hasValidIntegrity,
  parseStunMessage,
  serializeStunMessage,
  USERNAME,
} from "../../ice/stun.ts"
import { FrameReader, serializeFrame } from "../../ice/tcp-framing.ts"
import type { LocalCandidate } from "../../sdp/serialize.ts"
import type { Logger } from "../log.ts"
import type { IceLogin } from "./ice-credentials.ts"

/** What came of a check that the gateway sent to itself. */
export interface CandidateCheck {
  readonly candidate: LocalCandidate
  readonly reachable: boolean
  /** Why not. */
  readonly error?: string
}

/** Sends a connectivity check to one of our own candidates and waits for the authentic answer, a second at most. Never rejects. */
export async function checkCandidate(
  candidate: LocalCandidate,
  login: IceLogin,
  hmacSha1: HmacSha1,
): Promise<CandidateCheck> {
  const key = new TextEncoder().encode(login.pwd)
  const attributes = [{ type: USERNAME, value: new TextEncoder().encode(`${login.ufrag}:selftest`) }]
  const message = { messageClass: CLASS_REQUEST, method: BINDING, transactionId: randomBytes(12), attributes }
  const probe: Probe = {
    request: serializeStunMessage(message, { key, hmacSha1 }),
    isAnswer: (datagram) => isAnswer(datagram, key, hmacSha1),
  }
  const error = await (candidate.protocol === "udp" ? askByUdp(candidate, probe) : askByTcp(candidate, probe))
  return error === undefined ? { candidate, reachable: true } : { candidate, reachable: false, error }
}

/** Logs at the start which candidates will be announced, and whether the gateway reaches itself there. Never rejects. */
export async function reportReachability(
  transport: { selfTest(): Promise<readonly CandidateCheck[]> },
  logger: Logger,
): Promise<void> {
  for (const { candidate, reachable, error } of await transport.selfTest()) {
    const { protocol, address, port } = candidate
    const where = `WebRTC candidate ${protocol.toUpperCase()} ${address.includes(":") ? `[${address}]` : address}:${port}`
    if (reachable) logger.info(`${where} answers`)
    else logger.warn({ reason: error }, `${where} does not answer from this machine: ${WHAT_TO_CHECK}`)
  }
}

interface Probe {
  readonly request: Uint8Array
  isAnswer(datagram: Uint8Array): boolean
}

/** Undefined when the answer came, else what went wrong. */
function askByUdp({ address, port }: LocalCandidate, { request, isAnswer }: Probe): Promise<string | undefined> {
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4").unref()
  return new Promise<string | undefined>((resolve) => {
    const send = () => socket.send(request, port, address, (error) => error && resolve(error.message))
    const repeats = setInterval(send, REPEAT_MS)
    const timer = setTimeout(() => resolve("no answer"), TIMEOUT_MS)
    socket.on("error", (error) => resolve(error.message))
    socket.on("message", (datagram: Uint8Array) => isAnswer(datagram) && resolve(undefined))
    socket.on("close", () => {
      clearInterval(repeats)
      clearTimeout(timer)
    })
    send()
  }).finally(() => socket.close())
}

function askByTcp({ address, port }: LocalCandidate, { request, isAnswer }: Probe): Promise<string | undefined> {
  const socket = connect({ host: address, port }).unref()
  const reader = new FrameReader()
  return new Promise<string | undefined>((resolve) => {
    const timer = setTimeout(() => resolve("no answer"), TIMEOUT_MS)
    socket.on("connect", () => socket.write(serializeFrame(request)))
    socket.on("error", (error) => resolve(error.message))
    socket.on("close", () => {
      clearTimeout(timer)
      resolve("the connection was closed")
    })
    socket.on("data", (chunk: Uint8Array) => {
      try {
        if (reader.push(chunk).some(isAnswer)) resolve(undefined)
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error
        resolve(error.message)
      }
    })
  }).finally(() => socket.destroy())
}

function isAnswer(datagram: Uint8Array, key: Uint8Array, hmacSha1: HmacSha1): boolean {
  try {
    const message = parseStunMessage(datagram)
    return message.messageClass === CLASS_SUCCESS && hasValidIntegrity(datagram, message, key, hmacSha1)
  } catch (error) {
    if (error instanceof GatewayError) return false
    throw error
  }
}

const WHAT_TO_CHECK =
  "check media.publicAddresses, the firewall and the port mapping; behind a NAT that does not turn packets back this is normal"
const TIMEOUT_MS = 1_000
const REPEAT_MS = 250
