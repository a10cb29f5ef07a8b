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
