/**
 * One step of SHA-1: mixes a block of 16 big-endian words into a state of five. Only for the outer half of an HMAC, whose message
 * is a single block: there a call into native code costs three times as much. FIPS 180-4 section 6.1.2.
 */
export function sha1Block(state: Int32Array, block: Int32Array): void {
  const w = SCHEDULE
  for (let t = 0; t < 16; t++) w[t] = block[t] as number
  for (let t = 16; t < 80; t++) {
    const x = (w[t - 3] as number) ^ (w[t - 8] as number) ^ (w[t - 14] as number) ^ (w[t - 16] as number)
    w[t] = (x << 1) | (x >>> 31)
  }
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  let e = state[4] as number
  for (let t = 0; t < 80; t++) {
    let f: number
    if (t < 20) f = ((b & c) | (~b & d)) + 0x5a827999
    else if (t < 40) f = (b ^ c ^ d) + 0x6ed9eba1
    else if (t < 60) f = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
    else f = (b ^ c ^ d) + 0xca62c1d6
    const mixed = (((a << 5) | (a >>> 27)) + f + e + (w[t] as number)) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = mixed
  }
  state[0] = ((state[0] as number) + a) | 0
  state[1] = ((state[1] as number) + b) | 0
  state[2] = ((state[2] as number) + c) | 0
  state[3] = ((state[3] as number) + d) | 0
  state[4] = ((state[4] as number) + e) | 0
}

/** The state that every SHA-1 begins with. */
export const SHA1_INITIAL = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0)

const SCHEDULE = new Int32Array(80)
