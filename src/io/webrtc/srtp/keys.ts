import { createCipheriv } from "node:crypto"

/** Protection profiles of RFC 5764 section 4.1.2 and RFC 7714 section 14.2 that the gateway speaks. */
export type SrtpProfile = "AES128_CM_SHA1_80" | "AEAD_AES_128_GCM"

/** Key and salt of one direction, as DTLS exports them: 16 bytes, and 14 (CM) or 12 (GCM). */
export interface SrtpMaster {
  readonly profile: SrtpProfile
  readonly key: Uint8Array
  readonly salt: Uint8Array
}

/** Both directions of one session. */
export interface SrtpKeys {
  readonly profile: SrtpProfile
  /** What we send with. */
  readonly local: SrtpMaster
  /** What the peer sends with. */
  readonly remote: SrtpMaster
}

/** What packets are protected with: cipher key 16 bytes, salt as long as the master salt, HMAC key 20 bytes (CM only). */
export interface SrtpSessionKeys {
  readonly profile: SrtpProfile
  readonly cipherKey: Uint8Array
  readonly salt: Uint8Array
  readonly authKey: Uint8Array
}

/** Length of key and salt that DTLS has to export for a profile. */
export const KEYING_BYTES: Readonly<Record<SrtpProfile, { readonly key: number; readonly salt: number }>> = {
  AES128_CM_SHA1_80: { key: 16, salt: 14 },
  AEAD_AES_128_GCM: { key: 16, salt: 12 },
}

/** Session keys for RTP packets. RFC 3711 section 4.3. */
export function deriveSrtpKeys(master: SrtpMaster): SrtpSessionKeys {
  return derive(master, 0)
}

/** Session keys for RTCP packets. RFC 3711 section 4.3.2. */
export function deriveSrtcpKeys(master: SrtpMaster): SrtpSessionKeys {
  return derive(master, 3)
}

/** The first of three labels: cipher key, HMAC key and salt have consecutive ones. */
function derive(master: SrtpMaster, firstLabel: number): SrtpSessionKeys {
  return {
    profile: master.profile,
    cipherKey: expand(master, firstLabel, 16),
    authKey: expand(master, firstLabel + 1, 20),
    salt: expand(master, firstLabel + 2, master.salt.length),
  }
}

/** AES-CM as pseudo-random function; a key is derived once a session, so the index is 0. A GCM salt is padded with zeros. */
function expand(master: SrtpMaster, label: number, length: number): Uint8Array {
  const iv = new Uint8Array(16)
  iv.set(master.salt)
  iv[7] = (iv[7] as number) ^ label
  return createCipheriv("aes-128-ctr", master.key, iv).update(new Uint8Array(length))
}
