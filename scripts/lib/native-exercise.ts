/**
 * Puts the native fan-out through its paces, for a build with sanitizers: node scripts/lib/native-exercise.ts ADDON. Viewers of both profiles, by UDP and by
 * way of JavaScript, come, move and go while threads send, with batches of all sizes; at the end packets must have arrived.
 */
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { createRequire } from "node:module"
import { setImmediate as nextTurn } from "node:timers/promises"
import type { NativeAddon } from "../../src/io/native/addon.ts"
import { nativeAead } from "../../src/io/webrtc/aead-native.ts"
import type { Thinning, ViewerId } from "../../src/io/webrtc/fanout.ts"
import { NativeFanout } from "../../src/io/webrtc/fanout-native.ts"
import { RemoteAddress } from "../../src/io/webrtc/remote-address.ts"
import { KEYING_BYTES, type SrtpProfile } from "../../src/io/webrtc/srtp/keys.ts"
import type { RtpBatch } from "../../src/media/packet.ts"

const ROUNDS = 400
const PROFILES: readonly SrtpProfile[] = ["AES128_CM_SHA1_80", "AEAD_AES_128_GCM"]
const LEVELS: readonly Thinning[] = ["none", "disposable", "untilKeyframe", "keyframes"]

const addon = createRequire(import.meta.url)(process.argv[2] as string) as NativeAddon
const receiver = createSocket({ type: "udp4", recvBufferSize: 1 << 20 })
let received = 0
let forwarded = 0
receiver.on("message", () => received++)
receiver.bind(0, "127.0.0.1")
await once(receiver, "listening")
const { port } = receiver.address()
const ipv4 = addon.openSocket(4, "127.0.0.1", 0)
if (ipv4 < 0 || addon.openSocket(4, "no address", 0) >= 0) throw new Error("sockets do not open as they should")
let echoed = 0
const socket = new addon.Socket(ipv4, () => {
  echoed += (socket.receive().length - 1) / 3
})

/** The same numbers each time. */
let seed = 1
function random(below: number): number {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
  return (seed >>> 8) % below
}

function batchAt(round: number): RtpBatch {
  const packets = Array.from({ length: random(90) }, (_, i) => {
    const extensions = [{ name: "playoutDelay" as const, value: new Uint8Array(1 + random(16)) }]
    const payload = new Uint8Array(random(8) === 0 ? random(1900) : 1000)
    return { sequenceNumber: (round * 80 + i) & 0xffff, marker: false, payload, ...(random(3) === 0 && { extensions }) }
  })
  const isDisposable = random(3) === 0 && { isDisposable: true as const }
  return { kind: "video", timestamp: round, ptsUs: round, startsKeyframe: random(5) === 0, packets, ...isDisposable }
}

for (const threads of [3, 0]) {
  const fanout = new NativeFanout(addon, { sockets: { ipv4 }, send: () => forwarded++, threads })
  const viewers: { readonly id: ViewerId; readonly remote: RemoteAddress }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const profile = PROFILES[round % 2] as SrtpProfile
    const { key, salt } = KEYING_BYTES[profile]
    const local = { profile, key: new Uint8Array(key), salt: new Uint8Array(salt) }
    const extensions = { mid: { id: 1, value: "v" }, absSendTime: 2, transportCc: 3, passed: { playoutDelay: 4 } }
    const rtx = random(2) === 0 && { rtx: { ssrc: 2, payloadType: 97 } }
    const tracks = [{ trackId: "video", ssrc: 1, payloadType: 96, extensions, ...rtx }]
    const remote = new RemoteAddress()
    remote.moveTo({ transport: "udp", family: 4, address: "127.0.0.1", port })
    const id = fanout.addViewer({ remote, keys: { profile, local, remote: local }, tracks })
    viewers.push({ id, remote })
    fanout.joinTrack(id, "video", { sourceId: "lane" })
    const batch = batchAt(round)
    fanout.send("lane", batch)
    const any = viewers[random(viewers.length)] as (typeof viewers)[number]
    any.remote.moveTo({ transport: "udp", family: 4, address: "127.0.0.1", port: random(4) === 0 ? 0 : port })
    fanout.resend(
      any.id,
      "video",
      Array.from({ length: 40 }, () => random(0x10000)),
    )
    fanout.resend(
      any.id,
      "video",
      [fanout.stats(any.id, "video")?.nextSequenceNumber ?? 0].map((next) => (next - 1) & 0xffff),
    )
    fanout.setThinning(any.id, "video", LEVELS[random(4)] as Thinning)
    if (random(4) === 0) fanout.leaveTrack(any.id, "video")
    if (random(4) === 0) fanout.sendTo(any.id, "video", batch, { sequenceOffset: random(0x10000) })
    if (viewers.length > 12) fanout.removeViewer((viewers.splice(random(12), 1)[0] as (typeof viewers)[number]).id)
    receiver.send(new Uint8Array(random(3000)), socket.port(), "127.0.0.1")
    if (round % 20 === 0) await nextTurn()
  }
  if (threads === 0) fanout.drain()
  fanout.close()
  fanout.send("lane", batchAt(0))
  fanout.drain()
}
const aead = nativeAead(addon)(new Uint8Array(16))
for (const length of [0, 1, 100, 1500]) {
  const [nonce, header, sealed] = [new Uint8Array(12), new Uint8Array(random(30)), new Uint8Array(length + 16)]
  aead.seal(nonce, header, new Uint8Array(length), sealed, 0)
  const isForged = aead.open(new Uint8Array(12).fill(1), header, Uint8Array.from(sealed), sealed.slice(), 0)
  if (isForged || !aead.open(nonce, header, sealed, sealed, 0)) throw new Error("AES-GCM does not open what it sealed")
}
socket.send(Uint8Array.of(1), 4, "127.0.0.1", port)
while (echoed === 0) await nextTurn()
socket.close()
socket.close()
receiver.close()
process.stdout.write(`${received} datagrams came by UDP, ${forwarded} by way of JavaScript\n`)
process.exitCode = received > 0 && forwarded > 0 ? 0 : 1
