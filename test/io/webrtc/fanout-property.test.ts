import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { TypeScriptFanout } from "../../../src/io/webrtc/fanout-typescript.ts"
import { RemoteAddress } from "../../../src/io/webrtc/remote-address.ts"
import { GCM_TAG_BYTES, GcmCipher } from "../../../src/io/webrtc/srtp/gcm.ts"
import { deriveSrtpKeys, KEYING_BYTES, type SrtpMaster, type SrtpProfile } from "../../../src/io/webrtc/srtp/keys.ts"
import { CmKeystream } from "../../../src/io/webrtc/srtp/keystream.ts"
import { type Action, action, MAGIC, play, SSRC, scheduledTrack } from "./fanout-schedule.ts"
import { PROFILES } from "./fanout-support.ts"

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
      const opened = Buffer.alloc(packet.length - headerBytes - GCM_TAG_BYTES)
      const isAuthentic = cipher.open(packet.subarray(0, headerBytes), packet.subarray(headerBytes), opened, 0)
      return isAuthentic ? opened : undefined
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

function run(profile: SrtpProfile, hasRtx: boolean, first: number, actions: readonly Action[]): void {
  const { key, salt } = KEYING_BYTES[profile]
  const master = { profile, key: new Uint8Array(key).fill(1), salt: new Uint8Array(salt).fill(2) }
  const auditor = new Auditor(master)
  let nowUs = 0
  const fanout = new TypeScriptFanout(
    (datagram) => auditor.inspect(datagram, hasRtx),
    () => nowUs++,
  )
  const keys = { profile, local: master, remote: master }
  const id = fanout.addViewer({ remote: new RemoteAddress(), keys, tracks: [scheduledTrack(first, hasRtx)] })
  play(fanout, [id], first, actions)
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
