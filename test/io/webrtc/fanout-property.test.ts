import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { TypeScriptFanout } from "../../../src/io/webrtc/fanout-typescript.ts"
import { RemoteAddress } from "../../../src/io/webrtc/remote-address.ts"
import { GcmCipher } from "../../../src/io/webrtc/srtp/gcm.ts"
import { deriveSrtpKeys, KEYING_BYTES, type SrtpMaster, type SrtpProfile } from "../../../src/io/webrtc/srtp/keys.ts"
import { CmKeystream } from "../../../src/io/webrtc/srtp/keystream.ts"
import type { PassedExtension } from "../../../src/media/header-extension.ts"
import type { LanePacket, RtpBatch } from "../../../src/media/packet.ts"
import { PROFILES } from "./fanout-support.ts"

/** Every payload is this and then its own number. */
const MAGIC = Buffer.from("whipstitch")
const SOURCES = ["high", "low"] as const
const LEVELS = ["none", "disposable", "untilKeyframe", "keyframes"] as const
const DISPOSABLE = { isDisposable: true } as const
const SSRC = 7
const RTX_SSRC = 8

type Decrypt = (packet: Buffer, headerBytes: number, rollover: number) => Buffer | undefined

/** Decrypts with a rollover counter that is only tried; undefined where it is not that one. */
function decryptorFor(master: SrtpMaster): Decrypt {
  const { profile, cipherKey, salt } = deriveSrtpKeys(master)
  const keystream = new CmKeystream(cipherKey, salt)
  const cipher = new GcmCipher(cipherKey, salt)
  return (packet, headerBytes, rollover) => {
    const ssrc = packet.readUInt32BE(8)
    const number = packet.readUInt16BE(2)
    if (profile === "AEAD_AES_128_GCM") {
      cipher.setNonce(ssrc, rollover, number, 2)
      const opened = cipher.open(packet.subarray(0, headerBytes), packet.subarray(headerBytes))
      return opened && Buffer.from(opened)
    }
    const sealed = packet.subarray(headerBytes, -10)
    const key = keystream.generateOne(ssrc, rollover, number, sealed.length)
    const payload = Buffer.from(sealed.map((byte, i) => byte ^ (key[i] as number)))
    return payload.includes(MAGIC) ? payload : undefined
  }
}

/** Looks at all that one viewer is sent. */
class Auditor {
  readonly #decrypt: Decrypt
  readonly #byIndex = new Map<string, string>()
  /** What the viewer has under each number now. */
  readonly #payloads = new Map<number, string>()
  #rollover = 0
  #nextTransportNumber = 0

  constructor(master: SrtpMaster) {
    this.#decrypt = decryptorFor(master)
  }

  inspect(datagram: Uint8Array, hasRtx: boolean): void {
    const packet = Buffer.from(datagram)
    const hasExtension = (packet.readUInt8(0) & 0x10) !== 0
    const headerBytes = hasExtension ? 16 + 4 * packet.readUInt16BE(14) : 12
    const ssrc = packet.readUInt32BE(8)
    const number = packet.readUInt16BE(2)
    const [rollover, payload] = this.#open(packet, headerBytes)
    const index = `${ssrc} ${rollover} ${number}`
    const bytes = packet.toString("hex")
    expect(this.#byIndex.get(index) ?? bytes).toBe(bytes)
    if (hasRtx) {
      expect(this.#byIndex.has(index)).toBe(false)
      expect(packet.readUInt16BE(21)).toBe(this.#nextTransportNumber++ & 0xffff)
    }
    this.#byIndex.set(index, bytes)
    if (ssrc === SSRC) this.#payloads.set(number, payload.toString("hex"))
    else expect(payload.subarray(2).toString("hex")).toBe(this.#payloads.get(payload.readUInt16BE(0)))
  }

  #open(packet: Buffer, headerBytes: number): [number, Buffer] {
    const { length } = packet
    for (const rollover of [this.#rollover, this.#rollover + 1, this.#rollover - 1, 0]) {
      const payload = rollover < 0 ? undefined : this.#decrypt(packet, headerBytes, rollover)
      if (payload === undefined) continue
      this.#rollover = Math.max(this.#rollover, rollover)
      return [rollover, payload]
    }
    throw new Error(`a packet of ${length} bytes has an index that no receiver expects`)
  }
}

const source = fc.constantFrom(...SOURCES)
const number = fc.integer({ min: 0, max: 0xffff })
/** The right one mostly, as only then packets are sent at all. */
const offset = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: number })
const action = fc.oneof(
  fc.record({
    type: fc.constant("send" as const),
    source,
    count: fc.integer({ min: 1, max: 6 }),
    skip: fc.nat(3),
    kind: fc.constantFrom("keyframe" as const, "disposable" as const, "picture" as const),
  }),
  fc.record({ type: fc.constant("sendOld" as const), source, behind: fc.nat(12), isOther: fc.boolean() }),
  fc.record({ type: fc.constant("join" as const), source, offset, shift: fc.nat(10_000) }),
  fc.record({ type: fc.constant("leave" as const) }),
  fc.record({ type: fc.constant("replay" as const), source, behind: fc.nat(8), offset, timestamp: fc.nat(90_000) }),
  fc.record({ type: fc.constant("joinReplayed" as const), source }),
  fc.record({ type: fc.constant("thin" as const), level: fc.constantFrom(...LEVELS) }),
  fc.record({ type: fc.constant("resend" as const), behind: fc.array(fc.integer({ min: -3, max: 30 })) }),
)

type Action = typeof action extends fc.Arbitrary<infer One> ? One : never

/** A lane whose packets can be had late, twice and with another content. */
class TestLane {
  #next: number
  #made: number
  readonly batches: RtpBatch[] = []

  constructor(firstSequenceNumber: number, firstPayload: number) {
    this.#next = firstSequenceNumber
    this.#made = firstPayload
  }

  make(count: number, skip: number, kind: "keyframe" | "disposable" | "picture"): RtpBatch {
    this.#next += skip
    const packets = Array.from({ length: count }, () => this.#packet(this.#next++ & 0xffff))
    return this.#batch(packets, 1000 + this.#next, kind)
  }

  /** A packet that was given out already or left out, or another one under its number. */
  old(behind: number, isOther: boolean): RtpBatch {
    const sequenceNumber = (this.#next - 1 - behind) & 0xffff
    const known = this.batches.find(({ packets }) => packets.some((one) => one.sequenceNumber === sequenceNumber))
    const before = known?.packets.find((one) => one.sequenceNumber === sequenceNumber)
    if (isOther || known === undefined || before === undefined) {
      return this.#batch([this.#packet(sequenceNumber)], known?.timestamp ?? 900 + this.#next)
    }
    return this.#batch([before], known.timestamp)
  }

  #batch(packets: LanePacket[], timestamp: number, kind?: "keyframe" | "disposable" | "picture"): RtpBatch {
    const facts = { timestamp, ptsUs: timestamp, startsKeyframe: kind === "keyframe" }
    const batch = { kind: "video", ...facts, packets, ...(kind === "disposable" && DISPOSABLE) } as const
    this.batches.push(batch)
    return batch
  }

  #packet(sequenceNumber: number): LanePacket {
    const payload = Buffer.concat([MAGIC, Buffer.of(0, 0, 0, 0)])
    payload.writeUInt32BE(++this.#made, MAGIC.length)
    const extensions: PassedExtension[] = [{ name: "playoutDelay", value: payload.subarray(-3) }]
    return { sequenceNumber, marker: this.#made % 3 === 0, payload, ...(this.#made % 2 === 0 && { extensions }) }
  }
}

function run(profile: SrtpProfile, hasRtx: boolean, first: number, actions: readonly Action[]): void {
  const { key, salt } = KEYING_BYTES[profile]
  const master = { profile, key: new Uint8Array(key).fill(1), salt: new Uint8Array(salt).fill(2) }
  const auditor = new Auditor(master)
  let nowUs = 0
  const fanout = new TypeScriptFanout(
    (datagram) => auditor.inspect(datagram, hasRtx),
    () => nowUs++,
  )
  const extensions = { mid: { id: 1, value: "v" }, absSendTime: 2, transportCc: 3, passed: { playoutDelay: 4 } }
  const track = { trackId: "video", ssrc: SSRC, payloadType: 96, firstSequenceNumber: first, extensions }
  const rtx = hasRtx && { rtx: { ssrc: RTX_SSRC, payloadType: 97 } }
  const keys = { profile, local: master, remote: master }
  const id = fanout.addViewer({ remote: new RemoteAddress(), keys, tracks: [{ ...track, ...rtx }] })
  const lanes = { high: new TestLane(65_530, 0), low: new TestLane(first, 1_000_000) }
  let replayedOffset = 0
  const next = () => fanout.stats(id, "video")?.nextSequenceNumber ?? 0
  for (const one of actions) {
    if (one.type === "send") fanout.send(one.source, lanes[one.source].make(one.count, one.skip, one.kind))
    else if (one.type === "thin") fanout.setThinning(id, "video", one.level)
    else if (one.type === "sendOld") fanout.send(one.source, lanes[one.source].old(one.behind, one.isOther))
    else if (one.type === "leave") fanout.leaveTrack(id, "video")
    else if (one.type === "join") {
      const sequenceOffset = one.offset === undefined ? {} : { sequenceOffset: one.offset }
      fanout.joinTrack(id, "video", { sourceId: one.source, timestampShift: one.shift, ...sequenceOffset })
    } else if (one.type === "joinReplayed") {
      fanout.joinTrack(id, "video", { sourceId: one.source, sequenceOffset: replayedOffset })
    } else if (one.type === "replay") {
      const batch = lanes[one.source].batches.at(-1 - one.behind)
      if (batch === undefined) continue
      replayedOffset = one.offset ?? (next() - (batch.packets[0]?.sequenceNumber ?? 0)) & 0xffff
      fanout.sendTo(id, "video", batch, { sequenceOffset: replayedOffset, timestamp: one.timestamp })
    } else {
      const numbers = one.behind.map((behind) => (next() - 1 - behind) & 0xffff)
      fanout.resend(id, "video", numbers)
    }
  }
}

describe.each(PROFILES)("whatever a publisher, a viewer and the gateway do, with %s", (profile) => {
  test.each([true, false])("no index of an SSRC stands for two packets, with RTX: %s", (hasRtx) => {
    const actions = fc.array(action, { minLength: 5, maxLength: 80 })
    const first = fc.integer({ min: 0, max: 32_767 })
    fc.assert(
      fc.property(first, actions, (firstNumber, list) => run(profile, hasRtx, firstNumber, list)),
      { numRuns: 300 },
    )
  })
})
