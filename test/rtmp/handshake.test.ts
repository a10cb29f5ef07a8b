import { expect, test } from "vitest"
import { concat } from "../../src/media/bytes.ts"
import { ServerHandshake } from "../../src/rtmp/handshake.ts"
import { toHex } from "../support/bytes.ts"
import { gatewayErrorCode } from "../support/errors.ts"

const c1 = Uint8Array.from({ length: 1_536 }, (_, i) => i & 0xff)
const input = concat([Uint8Array.of(3), c1, c1, Uint8Array.of(0xaa, 0xbb)])

test.each([1, 7, 1_536, 1_537, 3_073, input.length])(
  "answers C0 and C1 and hands over what follows C2, %i bytes at a time",
  (step) => {
    const handshake = new ServerHandshake(Uint8Array.of(1, 2, 3))
    const sent: Uint8Array[] = []
    const rest: Uint8Array[] = []
    for (let at = 0; at < input.length; at += step) {
      const result = handshake.push(input.subarray(at, at + step))
      if (result.send !== undefined) sent.push(result.send)
      if (result.rest !== undefined) {
        rest.push(result.rest, input.subarray(at + step))
        break
      }
    }
    expect(sent).toHaveLength(1)
    const [answer] = sent as [Uint8Array]
    expect(answer).toHaveLength(1 + 1_536 + 1_536)
    expect(toHex(answer.subarray(0, 13))).toBe("03 00000000 00000000 01020301".replaceAll(" ", ""))
    expect(answer.subarray(1_537)).toEqual(c1)
    expect(toHex(concat(rest))).toBe("aabb")
  },
)

test.each([
  { name: "HTTP", first: 0x47 },
  { name: "TLS", first: 0x16 },
  { name: "encrypted RTMP", first: 6 },
])("refuses $name with the first byte", ({ first }) => {
  expect(gatewayErrorCode(() => new ServerHandshake(new Uint8Array()).push(Uint8Array.of(first)))).toBe(
    "rtmp.handshake",
  )
})
