import { createRequire } from "node:module"
import { describe, expect, test } from "vitest"
import "../../../src/io/webrtc/werift.ts"
import { agreeX25519, generateX25519 } from "../../../src/io/webrtc/x25519.ts"
import { hex, toHex } from "../../support/bytes.ts"

describe("X25519", () => {
  test("agrees on the secret of RFC 7748 section 6.1", () => {
    expect(toHex(agreeX25519(hex(BOB_SECRET), hex(ALICE_PUBLIC)))).toBe(SHARED)
  })

  test("is what werift's handshakes use", () => {
    const curve = createRequire(createRequire(import.meta.url).resolve("werift"))("tweetnacl")
    expect(curve.box.keyPair).toBe(generateX25519)
    expect(curve.scalarMult).toBe(agreeX25519)
  })

  test("both sides of new keys get the same secret", () => {
    const [a, b] = [generateX25519(), generateX25519()]
    expect(a.secretKey.buffer.byteLength).toBe(32)
    expect(agreeX25519(a.secretKey, b.publicKey)).toEqual(agreeX25519(b.secretKey, a.publicKey))
  })

  test.each([
    ["that makes the secret zero", new Uint8Array(32)],
    ["that is too short", new Uint8Array(31)],
    ["that is too long", new Uint8Array(33)],
  ])("refuses a key %s", (_, publicKey) => {
    expect(() => agreeX25519(generateX25519().secretKey, publicKey)).toThrow()
  })
})

const BOB_SECRET = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"
const ALICE_PUBLIC = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
const SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
