import fc from "fast-check"
import { beforeEach, describe, expect, test } from "vitest"
import { RtpHeader, SrtcpSession as WeriftSrtcp, SrtpSession as WeriftSrtp } from "werift"
import type { OpenAead } from "../../../../src/io/webrtc/srtp/gcm.ts"
import { KEYING_BYTES, type SrtpKeys, type SrtpProfile } from "../../../../src/io/webrtc/srtp/keys.ts"
import { PacketRing } from "../../../../src/io/webrtc/srtp/packet-ring.ts"
import { alignPayload, createProtector, type SrtpProtector } from "../../../../src/io/webrtc/srtp/protect.ts"
import { SrtcpSession } from "../../../../src/io/webrtc/srtp/srtcp.ts"
import { createUnprotector, type SrtpUnprotector } from "../../../../src/io/webrtc/srtp/unprotect.ts"
import { AEADS } from "../../../support/aeads.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../../../support/errors.ts"

const SSRC = 0x89abcdef
const ring = new PacketRing(64)
const counting = (length: number, first: number) => Uint8Array.from({ length }, (_, i) => first + i)

describe.each<{ profile: SrtpProfile; weriftProfile: 1 | 7; name: string; openAead?: OpenAead }>([
  { profile: "AES128_CM_SHA1_80", weriftProfile: 1, name: "TypeScript" },
  ...AEADS.map((aead) => ({ profile: "AEAD_AES_128_GCM" as const, weriftProfile: 7 as const, ...aead })),
])("$profile by $name", ({ profile, weriftProfile, openAead }) => {
  const { key, salt } = KEYING_BYTES[profile]
  const ours = { profile, key: counting(key, 0x10), salt: counting(salt, 0x40) }
  const theirs = { profile, key: counting(key, 0x70), salt: counting(salt, 0xa0) }
  const keys: SrtpKeys = { profile, local: ours, remote: theirs }
  const mirrored: SrtpKeys = { profile, local: theirs, remote: ours }
  const weriftConfig = {
    profile: weriftProfile,
    keys: {
      localMasterKey: Buffer.from(theirs.key),
      localMasterSalt: Buffer.from(theirs.salt),
      remoteMasterKey: Buffer.from(ours.key),
      remoteMasterSalt: Buffer.from(ours.salt),
    },
  }
  let protector: SrtpProtector
  let unprotector: SrtpUnprotector

  beforeEach(() => {
    protector = createProtector(ours)
    unprotector = createUnprotector(ours, openAead)
  })

  function header(sequenceNumber: number, withExtension = false): Uint8Array {
    const bytes = new Uint8Array(withExtension ? 20 : 12)
    const view = new DataView(bytes.buffer)
    view.setUint16(0, withExtension ? 0x9060 : 0x8060)
    view.setUint16(2, sequenceNumber)
    view.setUint32(4, 90_000)
    view.setUint32(8, SSRC)
    if (withExtension) view.setUint32(12, 0xbede0001)
    return bytes
  }

  /** A packet of its own memory, as it came from the network. */
  function protect(sequenceNumber: number, payload = counting(100, sequenceNumber), withExtension = false): Uint8Array {
    const offset = ring.next()
    const head = header(sequenceNumber, withExtension)
    ring.bytes.set(head, offset)
    const length = protector.protect(ring, offset, head.length, alignPayload(payload))
    return ring.bytes.slice(offset, offset + length)
  }

  test("werift reads what we write, at every length and alignment, with and without a header extension", () => {
    const werift = new WeriftSrtp(weriftConfig)
    const memory = counting(2000, 3)
    for (let n = 0; n < 150; n++) {
      const payload = memory.subarray(n % 5, (n % 5) + 1 + ((n * 37) % 1500))
      const packet = protect(n, payload, n % 2 === 0)
      expect(new Uint8Array(werift.decrypt(Buffer.from(packet)).subarray(n % 2 === 0 ? 20 : 12))).toEqual(payload)
    }
  })

  test("we read what werift writes", () => {
    const werift = new WeriftSrtp(weriftConfig)
    const receiver = createUnprotector(theirs, openAead)
    for (let sequenceNumber = 65_500; sequenceNumber < 65_600; sequenceNumber++) {
      const head = RtpHeader.deSerialize(Buffer.from(header(sequenceNumber & 0xffff)))
      const packet = werift.encrypt(Buffer.from(counting(333, sequenceNumber)), head)
      expect(receiver.unprotect(packet).subarray(12)).toEqual(Buffer.from(counting(333, sequenceNumber)))
    }
  })

  test("packets come through in any order and with any loss below half the numbers, across several wraps", () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: 1, max: 30_000 }), fc.constant(1)), {
      minLength: 1,
      maxLength: 40,
    })
    const survives = (gaps: number[]) => {
      protector = createProtector(ours)
      unprotector = createUnprotector(ours, openAead)
      let sequenceNumber = 60_000
      for (const gap of gaps) {
        sequenceNumber += gap
        const late = protect((sequenceNumber - 1) & 0xffff, Uint8Array.of(1))
        const packet = protect(sequenceNumber & 0xffff, Uint8Array.of(2))
        expect(unprotector.unprotect(packet).at(-1)).toBe(2)
        if (gap > 1) expect(unprotector.unprotect(late).at(-1)).toBe(1)
      }
    }
    fc.assert(fc.property(steps, survives))
  })

  test("a resend from before a wrap is encrypted like the original", () => {
    const original = protect(65_535)
    protect(0)
    expect(protect(65_535)).toEqual(original)
  })

  test("a packet is accepted once", () => {
    const packet = protect(7)
    unprotector.unprotect(packet.slice())
    expect(gatewayErrorCode(() => unprotector.unprotect(packet))).toBe("srtp.packet")
  })

  test("a packet older than the window is refused, one within it is not", () => {
    const [old, recent] = [protect(0), protect(1)]
    unprotector.unprotect(protect(1024))
    expect(gatewayErrorCode(() => unprotector.unprotect(old))).toBe("srtp.packet")
    expect(unprotector.unprotect(recent)).toHaveLength(112)
  })

  test("a changed bit anywhere is noticed, and moves nothing", () => {
    unprotector.unprotect(protect(1))
    const packet = protect(2)
    for (let at = 0; at < packet.length; at++) {
      const changed = packet.slice()
      changed[at] = (changed[at] as number) ^ 0x01
      expect(gatewayErrorCode(() => unprotector.unprotect(changed))).toBe("srtp.packet")
    }
    expect(unprotector.unprotect(packet)).toHaveLength(112)
  })

  test("no bytes make unprotect throw anything but a GatewayError", () => {
    const start = fc.constantFrom(0x80, 0x90, 0x8f, 0x9f)
    const packet = fc
      .tuple(start, fc.uint8Array({ maxLength: 80 }))
      .map(([first, rest]) => Uint8Array.of(first, ...rest))
    fc.assert(fc.property(packet, (bytes) => void allowGatewayErrors(() => unprotector.unprotect(bytes))))
    const srtcp = new SrtcpSession(keys, openAead)
    fc.assert(fc.property(packet, (bytes) => void allowGatewayErrors(() => srtcp.unprotect(bytes))))
  })

  describe("SRTCP", () => {
    const report = (length: number) => Uint8Array.of(0x81, 200, 0, 6, ...counting(length - 4, 9))

    test("werift reads what we write, and we read what werift writes", () => {
      const werift = new WeriftSrtcp(weriftConfig)
      const session = new SrtcpSession(keys, openAead)
      for (let length = 8; length < 100; length += 4) {
        const compound = report(length)
        expect(new Uint8Array(werift.decrypt(Buffer.from(session.protect(compound))))).toEqual(compound)
        expect(session.unprotect(werift.encrypt(Buffer.from(compound)))).toEqual(compound)
      }
    })

    test("a packet is accepted once, and not at all with a changed bit or unencrypted", () => {
      const packet = new SrtcpSession(mirrored, openAead).protect(report(28))
      const session = new SrtcpSession(keys, openAead)
      for (let at = 0; at < packet.length; at++) {
        const changed = packet.slice()
        changed[at] = (changed[at] as number) ^ 0x80
        expect(gatewayErrorCode(() => session.unprotect(changed))).toBe("srtp.packet")
      }
      expect(session.unprotect(packet)).toEqual(report(28))
      expect(gatewayErrorCode(() => session.unprotect(packet))).toBe("srtp.packet")
    })
  })
})
