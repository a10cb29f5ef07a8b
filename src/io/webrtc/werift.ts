import { speedUpX25519 } from "./x25519.ts"

/** Everything that is used of werift; nothing else imports it. */
export {
  type Address,
  CipherContext,
  DtlsClient,
  DtlsServer,
  type DtlsSocket,
  HashAlgorithm,
  NamedCurveAlgorithm,
  ProtectionProfileAeadAes128Gcm,
  ProtectionProfileAes128CmHmacSha1_80,
  SignatureAlgorithm,
  type SignatureHash,
  type Transport,
} from "werift"

speedUpX25519()
