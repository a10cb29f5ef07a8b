/**
 * Cost of the WebRTC hot path alone, within this process: µs to protect a packet with each profile, then CPU of this process (all threads) per
 * delivered packet, sockets included, without and with the header extensions that tell of the sending; TypeScript, and native where it is compiled. Usage: node scripts/bench/srtp.ts [viewers] [seconds]. Also runs under Bun and Deno.
 */
import { performance } from "node:perf_hooks"
import { loadNativeAddon } from "../../src/io/native/addon.ts"
import { nativeAead } from "../../src/io/webrtc/aead-native.ts"
import type { PacketFanout, TrackExtensions } from "../../src/io/webrtc/fanout.ts"
import { NativeFanout } from "../../src/io/webrtc/fanout-native.ts"
import { TypeScriptFanout } from "../../src/io/webrtc/fanout-typescript.ts"
import { RemoteAddress } from "../../src/io/webrtc/remote-address.ts"
import type { OpenAead } from "../../src/io/webrtc/srtp/gcm.ts"
import { KEYING_BYTES, type SrtpMaster, type SrtpProfile } from "../../src/io/webrtc/srtp/keys.ts"
import { PacketRing } from "../../src/io/webrtc/srtp/packet-ring.ts"
import { alignPayload, createProtector } from "../../src/io/webrtc/srtp/protect.ts"
import { createUnprotector } from "../../src/io/webrtc/srtp/unprotect.ts"
import { UdpPort } from "../../src/io/webrtc/udp-port.ts"
import { nativeSockets } from "../../src/io/webrtc/udp-socket-native.ts"
import type { RtpBatch } from "../../src/media/packet.ts"
import { openSink } from "../lib/bench/sink.ts"

const PAYLOAD_BYTES = 1188
const PACKETS_PER_FRAME = 17
const FRAMES_PER_SECOND = 25
const PROFILES: SrtpProfile[] = ["AES128_CM_SHA1_80", "AEAD_AES_128_GCM"]
const viewers = Number(process.argv[2] ?? 100)
const seconds = Number(process.argv[3] ?? 4)

function print(label: string, value: number, unit: string): void {
  process.stdout.write(`${label.padEnd(60)} ${value.toFixed(2).padStart(8)} ${unit}\n`)
}

function masterOf(profile: SrtpProfile): SrtpMaster {
  const { key, salt } = KEYING_BYTES[profile]
  return { profile, key: new Uint8Array(key).fill(3), salt: new Uint8Array(salt).fill(4) }
}

/** The best of ten rounds, as other processes only ever make it slower. */
function bestUs(rounds: number, count: number, action: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    for (let i = 0; i < count; i++) action()
    best = Math.min(best, ((performance.now() - start) * 1000) / count)
  }
  return best
}

function benchProtect(profile: SrtpProfile, openAead?: OpenAead): void {
  const ring = new PacketRing()
  let protector = createProtector(masterOf(profile))
  const unprotector = createUnprotector(masterOf(profile), openAead)
  const payload = alignPayload(new Uint8Array(PAYLOAD_BYTES))
  let sequenceNumber = 0
  const protectNext = (): Uint8Array => {
    const offset = ring.next()
    ring.bytes.set([0x80, 96, sequenceNumber >> 8, sequenceNumber, 0, 0, 0, 0, 0, 0, 0, 1], offset)
    sequenceNumber = (sequenceNumber + 1) & 0xffff
    return ring.bytes.subarray(offset, offset + protector.protect(ring, offset, 12, payload))
  }
  const protectUs = bestUs(10, 20_000, protectNext)
  protector = createProtector(masterOf(profile))
  sequenceNumber = 0
  const bothUs = bestUs(10, 20_000, () => unprotector.unprotect(protectNext()))
  if (openAead === undefined) print(`${profile} protect`, protectUs, "µs")
  print(`${profile} unprotect${openAead === undefined ? "" : ", native"}`, bothUs - protectUs, "µs")
}

function frameAt(frame: number): RtpBatch {
  const packets = Array.from({ length: PACKETS_PER_FRAME }, (_, i) => ({
    sequenceNumber: (frame * PACKETS_PER_FRAME + i) & 0xffff,
    marker: i === PACKETS_PER_FRAME - 1,
    payload: new Uint8Array(PAYLOAD_BYTES),
  }))
  return { kind: "video", timestamp: frame * 3600, ptsUs: frame * 40_000, startsKeyframe: false, packets }
}

const { addon } = loadNativeAddon()

function createFanout(name: "TypeScript" | "native", port: UdpPort): PacketFanout {
  const send = (datagram: Uint8Array, to: RemoteAddress) => port.send(datagram, to)
  if (name === "TypeScript" || addon === undefined) return new TypeScriptFanout(send)
  return new NativeFanout(addon, { sockets: port.descriptors, send })
}

async function benchFanout(
  name: "TypeScript" | "native",
  profile: SrtpProfile,
  extensions?: TrackExtensions,
): Promise<void> {
  const unused = () => {}
  const port = await UdpPort.open(
    { hosts: ["127.0.0.1"], port: 0, openSocket: addon && nativeSockets(addon) },
    { stun: unused, dtls: unused, srtp: unused, onBug: unused },
  )
  const sink = await openSink(viewers)
  const fanout = createFanout(name, port)
  const keys = { profile, local: masterOf(profile), remote: masterOf(profile) }
  for (let n = 0; n < viewers; n++) {
    const remote = new RemoteAddress()
    remote.moveTo({ transport: "udp", family: 4, address: "127.0.0.1", port: sink.ports[n] as number })
    const rtx = { ssrc: viewers + n + 1, payloadType: 97 }
    const tracks = [{ trackId: "video", ssrc: n + 1, payloadType: 96, rtx, ...(extensions && { extensions }) }]
    fanout.joinTrack(fanout.addViewer({ remote, keys, tracks }), "video", { sourceId: "lane", sequenceOffset: n })
  }
  for (let frame = 0; frame < 5; frame++) fanout.send("lane", frameAt(frame))
  const before = process.cpuUsage()
  const start = performance.now()
  const frames = seconds * FRAMES_PER_SECOND
  let longestMs = 0
  for (let frame = 5; frame < frames + 5; frame++) {
    const due = start + ((frame - 5) * 1000) / FRAMES_PER_SECOND
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())))
    const frameStart = performance.now()
    fanout.send("lane", frameAt(frame))
    longestMs = Math.max(longestMs, performance.now() - frameStart)
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
  const { user, system } = process.cpuUsage(before)
  const packets = frames * PACKETS_PER_FRAME * viewers
  const label = `${name}, ${profile}${extensions === undefined ? "" : ", extensions"}`
  print(`${label}: CPU per delivered packet`, (user + system) / packets, "µs")
  print(`${label}: longest frame for ${viewers} viewers`, longestMs, "ms")
  fanout.close()
  sink.close()
  await port.close()
}

for (const profile of PROFILES) benchProtect(profile)
if (addon !== undefined) benchProtect("AEAD_AES_128_GCM", nativeAead(addon))
for (const name of addon === undefined ? (["TypeScript"] as const) : (["TypeScript", "native"] as const)) {
  for (const profile of PROFILES) {
    await benchFanout(name, profile)
    await benchFanout(name, profile, { absSendTime: 2, transportCc: 3 })
  }
}
