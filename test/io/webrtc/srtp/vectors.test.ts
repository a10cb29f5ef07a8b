import { createHmac } from "node:crypto"
import { expect, test } from "vitest"
import { PAD_BYTES, PacketHmac, tagWords } from "../../../../src/io/webrtc/srtp/hmac.ts"
import { deriveSrtpKeys } from "../../../../src/io/webrtc/srtp/keys.ts"
import { CmKeystream } from "../../../../src/io/webrtc/srtp/keystream.ts"
import { PacketRing } from "../../../../src/io/webrtc/srtp/packet-ring.ts"
import { alignPayload, createProtectorFromSessionKeys } from "../../../../src/io/webrtc/srtp/protect.ts"
import { createSrtcpCipher } from "../../../../src/io/webrtc/srtp/srtcp.ts"
import { createUnprotectorFromSessionKeys } from "../../../../src/io/webrtc/srtp/unprotect.ts"
import { AEADS } from "../../../support/aeads.ts"
import { hex, toHex } from "../../../support/bytes.ts"

test("derives the keys of RFC 3711 appendix B.3", () => {
  const keys = deriveSrtpKeys({
    profile: "AES128_CM_SHA1_80",
    key: hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
    salt: hex("0EC675AD498AFEEBB6960B3AABE6"),
  })
  expect(toHex(keys.cipherKey)).toBe("c61e7a93744f39ee10734afe3ff7a087")
  expect(toHex(keys.salt)).toBe("30cbbc08863d8c85d49db34a9ae1")
  expect(toHex(keys.authKey)).toBe("cebe321f6ff7716b6fd4ab49af256a156d38baa4")
})

test("makes the keystream of RFC 3711 appendix B.2, which has SSRC and index 0", () => {
  const keystream = new CmKeystream(hex("2B7E151628AED2A6ABF7158809CF4F3C"), hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"))
  const bytes = keystream.generateOne(0, 0, 0, 0xff02 * 16)
  expect(toHex(bytes.subarray(0, 48))).toBe(
    "e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0",
  )
  expect(toHex(bytes.subarray(0xfeff * 16, 0xff02 * 16))).toBe(
    "ec8cdf7398607cb0f2d21675ea9ea1e4362b7c3c6773516318a077d7fc5073ae6a2cc3787889374fbeb4c81b17ba6c44",
  )
})

test("its HMAC-SHA1 is that of node:crypto, for every length around the block size", () => {
  const key = hex("000102030405060708090a0b0c0d0e0f10111213")
  const hmac = new PacketHmac(key)
  for (let length = 0; length < 200; length++) {
    const bytes = new Uint8Array(PAD_BYTES + 200).fill(length, PAD_BYTES)
    hmac.digest(bytes, new Uint32Array(bytes.buffer), 0, PAD_BYTES + length)
    const tag = createHmac("sha1", key)
      .update(bytes.subarray(PAD_BYTES, PAD_BYTES + length))
      .digest("hex")
    expect(Array.from(tagWords, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("")).toBe(tag)
  }
})

const GCM_KEYS = {
  profile: "AEAD_AES_128_GCM",
  cipherKey: hex("000102030405060708090a0b0c0d0e0f"),
  salt: hex("517569642070726f2071756f"),
  authKey: new Uint8Array(0),
} as const

test.each(AEADS)("protects and unprotects the RTP packet of RFC 7714 section 16.1, by $name", ({ openAead }) => {
  const header = hex("8040f17b 8041f8d3 5501a0b2")
  const payload = hex("47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573")
  const expected =
    hex(`8040f17b 8041f8d3 5501a0b2 f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf
    8833899d7f27beb16a9152cf765ee4390cce`)
  const ring = new PacketRing(1)
  const offset = ring.next()
  ring.bytes.set(header, offset)
  const length = createProtectorFromSessionKeys(GCM_KEYS).protect(ring, offset, header.length, alignPayload(payload))
  expect(toHex(ring.bytes.subarray(offset, offset + length))).toBe(toHex(expected))
  const plain = createUnprotectorFromSessionKeys(GCM_KEYS, openAead).unprotect(expected)
  expect(toHex(plain)).toBe(toHex(header) + toHex(payload))
})

test.each(AEADS)("protects and unprotects the RTCP packet of RFC 7714 section 17.1, by $name", ({ openAead }) => {
  const plain = hex(`81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
    deadbeef deadbeef deadbeef deadbeef deadbeef`)
  const expected = hex(`81c8000d 4d617273 63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b46
    86303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade 800005d4`)
  const cipher = createSrtcpCipher(GCM_KEYS, openAead)
  expect(toHex(cipher.seal(plain, 0x5d4))).toBe(toHex(expected))
  expect(cipher.open(expected, 0x4d617273, 0x5d4)).toEqual(plain)
})
