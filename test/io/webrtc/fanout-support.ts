import { createSocket, type Socket } from "node:dgram"
import type { PacketFanout } from "../../../src/io/webrtc/fanout.ts"
import { NativeFanout } from "../../../src/io/webrtc/fanout-native.ts"
import { TypeScriptFanout } from "../../../src/io/webrtc/fanout-typescript.ts"
import type { SendDatagram } from "../../../src/io/webrtc/fanout-viewer.ts"
import { RemoteAddress } from "../../../src/io/webrtc/remote-address.ts"
import { KEYING_BYTES, type SrtpKeys, type SrtpProfile } from "../../../src/io/webrtc/srtp/keys.ts"
import { createUnprotector, type SrtpUnprotector } from "../../../src/io/webrtc/srtp/unprotect.ts"
import { UdpPort, type UdpPortOptions } from "../../../src/io/webrtc/udp-port.ts"
import { nativeSockets } from "../../../src/io/webrtc/udp-socket-native.ts"
import type { RtpBatch } from "../../../src/media/packet.ts"
import { NATIVE } from "../../support/native.ts"

/** An implementation that is tested: it sends from a port of its own to sockets on loopback. */
interface Implementation {
  readonly name: string
  openPort(): Promise<UdpPort>
  create(port: UdpPort, nowUs?: () => number): PacketFanout
}

const { addon } = NATIVE

/** One entry for each implementation; the native one where it can be compiled, see `fanout-native.test.ts`. */
export const IMPLEMENTATIONS: readonly Implementation[] = [
  {
    name: "TypeScript",
    openPort: () => openPort(undefined),
    create: (port, nowUs) => new TypeScriptFanout((d, to) => port.send(d, to), nowUs),
  },
  ...(addon === undefined
    ? []
    : [
        {
          name: "native",
          openPort: () => openPort(nativeSockets(addon)),
          create: (port: UdpPort, nowUs?: () => number) => {
            const send: SendDatagram = (datagram, to) => port.send(datagram, to)
            return new NativeFanout(addon, { sockets: port.descriptors, send, ...(nowUs && { nowUs }), threads: 2 })
          },
        },
      ]),
]

function openPort(openSocket: UdpPortOptions["openSocket"]): Promise<UdpPort> {
  const unused = () => {}
  const handlers = { stun: unused, dtls: unused, srtp: unused, onBug: unused }
  return UdpPort.open({ hosts: ["127.0.0.1"], port: 0, openSocket }, handlers)
}

/** All that the gateway speaks. */
export const PROFILES: SrtpProfile[] = ["AES128_CM_SHA1_80", "AEAD_AES_128_GCM"]

/** A viewer: a socket, its keys, and what arrived. */
export class Viewer {
  readonly socket: Socket
  readonly remote = new RemoteAddress()
  readonly keys: SrtpKeys
  readonly raw: Buffer[] = []
  readonly #unprotector: SrtpUnprotector
  #onPacket = () => {}

  private constructor(socket: Socket, keys: SrtpKeys) {
    this.socket = socket
    this.keys = keys
    this.#unprotector = createUnprotector(keys.local)
    this.remote.moveTo({ transport: "udp", family: 4, address: "127.0.0.1", port: socket.address().port })
    socket.on("message", (datagram) => {
      this.raw.push(datagram)
      this.#onPacket()
    })
  }

  static async open(profile: SrtpProfile, seed: number): Promise<Viewer> {
    const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 20 })
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve))
    const { key, salt } = KEYING_BYTES[profile]
    const master = { profile, key: new Uint8Array(key).fill(seed), salt: new Uint8Array(salt).fill(seed + 1) }
    return new Viewer(socket, { profile, local: master, remote: master })
  }

  /** Waits until so many packets have come in all. */
  async received(count: number): Promise<Buffer[]> {
    while (this.raw.length < count) {
      await new Promise<void>((resolve) => {
        this.#onPacket = resolve
      })
    }
    return this.raw
  }

  /** The next packets, decrypted and taken apart. */
  async packets(count: number): Promise<Received[]> {
    await this.received(count)
    return this.raw.splice(0, count).map((datagram) => parse(this.#unprotector.unprotect(datagram)))
  }
}

/** A packet, taken apart. */
export interface Received {
  marker: boolean
  payloadType: number
  sequenceNumber: number
  timestamp: number
  ssrc: number
  extension: string
  payload: string
}

/** Takes a decrypted packet apart. */
export function parse(packet: Uint8Array): Received {
  const bytes = Buffer.from(packet)
  const extensionBytes = bytes.readUInt8(0) & 0x10 ? 4 + 4 * bytes.readUInt16BE(14) : 0
  return {
    marker: bytes.readUInt8(1) >= 128,
    payloadType: bytes.readUInt8(1) & 127,
    sequenceNumber: bytes.readUInt16BE(2),
    timestamp: bytes.readUInt32BE(4),
    ssrc: bytes.readUInt32BE(8),
    extension: bytes.subarray(12, 12 + extensionBytes).toString("hex"),
    payload: bytes.subarray(12 + extensionBytes).toString("hex"),
  }
}

/** A batch whose packets have payloads that tell their number, at odd places in memory. */
export function batch(firstSequenceNumber: number, count = 1, timestamp = 3000): RtpBatch {
  const packets = Array.from({ length: count }, (_, i) => {
    const sequenceNumber = (firstSequenceNumber + i) & 0xffff
    const memory = Buffer.alloc(1200 + i, sequenceNumber & 0xff)
    return { sequenceNumber, marker: i === count - 1, payload: memory.subarray(sequenceNumber % 4) }
  })
  return { kind: "video", timestamp, ptsUs: 77_000, startsKeyframe: false, packets }
}

/** What a packet of a batch carries, in hexadecimal digits. */
export const payloadOf = (source: RtpBatch, index: number) =>
  Buffer.from(source.packets[index]?.payload ?? []).toString("hex")
