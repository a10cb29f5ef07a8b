import { X509Certificate } from "node:crypto"
import { fingerprintOf } from "./dtls-verify.ts"
import { CipherContext, HashAlgorithm, NamedCurveAlgorithm, SignatureAlgorithm, type SignatureHash } from "./werift.ts"

/** The certificate that every DTLS session of the process shows, and its key. */
export interface DtlsIdentity {
  readonly certPem: string
  readonly keyPem: string
  readonly signatureHash: SignatureHash
  /** sha-256, as `a=fingerprint` writes it: upper-case pairs with colons. */
  readonly fingerprint: string
}

/** Makes a self-signed ECDSA P-256 certificate; takes about 10 ms. */
export async function createIdentity(): Promise<DtlsIdentity> {
  const { certPem, keyPem, signatureHash } = await CipherContext.createSelfSignedCertificateWithKey(
    { signature: SignatureAlgorithm.ecdsa_3, hash: HashAlgorithm.sha256_4 },
    NamedCurveAlgorithm.secp256r1_23,
  )
  const fingerprint = fingerprintOf(new X509Certificate(certPem).raw, "sha256")
  return { certPem, keyPem, signatureHash, fingerprint }
}
