import { createHmac } from "node:crypto"
import type { HmacSha256 } from "../../rtmp/handshake-digest.ts"

/** HMAC-SHA256 for the digest form of the handshake. */
export const hmacSha256: HmacSha256 = (key, data) => createHmac("sha256", key).update(data).digest()
