import { createPublicKey } from "node:crypto"
import { createRemoteJWKSet, customFetch, errors, type JWK, type JWTVerifyGetKey, jwtVerify } from "jose"
import type { VerifyJwt } from "../../access/access-policy.ts"
import { GatewayError } from "../../errors.ts"
import { fetchKeySet, unavailable } from "./key-set.ts"

/** Signature algorithms that can be accepted, RFC 7518 section 3.1 and RFC 8037. */
export type JwtAlgorithm = "HS256" | "RS256" | "PS256" | "ES256" | "EdDSA"

/** How tokens are verified; exactly one of the three keys is set. */
export interface JwtOptions {
  readonly secret?: string | undefined
  /** PEM or JWK. */
  readonly publicKey?: string | undefined
  readonly jwksUrl?: string | undefined
  /** Left out, all that fit the key. */
  readonly algorithms?: readonly JwtAlgorithm[] | undefined
  readonly issuer?: readonly string[] | undefined
  readonly audience?: readonly string[] | undefined
  readonly clockToleranceMs: number
  readonly jwksTimeoutMs: number
  readonly jwksCacheMaxMs: number
  readonly jwksCooldownMs: number
}

/** Told why a key set could not be had. */
export type OnKeySetProblem = (reason: string) => void

/** Prepares the verification of JWTs (RFC 7519). Throws `config.invalid` for a key that cannot be used. */
export function createJwtVerifier(options: JwtOptions, onProblem: OnKeySetProblem): VerifyJwt {
  const { algorithms, getKey } = keyOf(options, onProblem)
  const { issuer, audience, clockToleranceMs } = options
  const verification = {
    algorithms,
    requiredClaims: ["exp"],
    clockTolerance: clockToleranceMs / 1000,
    ...(issuer !== undefined && { issuer: [...issuer] }),
    ...(audience !== undefined && { audience: [...audience] }),
  }
  return async (token) => {
    try {
      return (await jwtVerify(token, getKey, verification)).payload
    } catch (error) {
      throw refusal(error)
    }
  }
}

interface VerificationKey {
  readonly algorithms: JwtAlgorithm[]
  readonly getKey: JWTVerifyGetKey
}

/** The algorithms come from the kind of key alone, so that no token can have a public key taken for a secret. */
function keyOf(options: JwtOptions, onProblem: OnKeySetProblem): VerificationKey {
  const { secret, publicKey, jwksUrl } = options
  if (secret !== undefined) {
    const key = new TextEncoder().encode(secret)
    return { algorithms: accepted(["HS256"], options), getKey: async () => key }
  }
  if (publicKey !== undefined) {
    const key = readPublicKey(publicKey)
    return { algorithms: accepted(algorithmsOf(key), options), getKey: async () => key }
  }
  const remote = createRemoteJWKSet(new URL(jwksUrl ?? ""), {
    timeoutDuration: options.jwksTimeoutMs,
    cacheMaxAge: options.jwksCacheMaxMs,
    cooldownDuration: options.jwksCooldownMs,
    [customFetch]: fetchKeySet(onProblem),
  })
  return { algorithms: accepted(["RS256", "PS256", "ES256", "EdDSA"], options), getKey: remote }
}

function accepted(fitting: readonly JwtAlgorithm[], { algorithms }: JwtOptions): JwtAlgorithm[] {
  const both = fitting.filter((algorithm) => algorithms?.includes(algorithm) ?? true)
  if (both.length > 0) return both
  throw new GatewayError("config.invalid", `access.jwt.algorithms: the key can only verify ${fitting.join(", ")}`)
}

function readPublicKey(text: string): JWK {
  try {
    const source = text.trim().replaceAll("\\n", "\n")
    const key = source.startsWith("{")
      ? createPublicKey({ key: JSON.parse(source) as JWK, format: "jwk" })
      : createPublicKey(source)
    return key.export({ format: "jwk" })
  } catch (cause) {
    throw new GatewayError("config.invalid", "access.jwt.publicKey: this is no public key in PEM or JWK form", {
      cause,
    })
  }
}

function algorithmsOf({ kty, crv }: JWK): JwtAlgorithm[] {
  if (kty === "RSA") return ["RS256", "PS256"]
  if (kty === "EC" && crv === "P-256") return ["ES256"]
  if (kty === "OKP" && crv === "Ed25519") return ["EdDSA"]
  throw new GatewayError("config.invalid", "access.jwt.publicKey: the key must be RSA, EC with P-256, or Ed25519")
}

/** What jose throws, in words that tell the bearer what to do and nothing of the token. */
function refusal(error: unknown): GatewayError {
  const invalid = (message: string) => new GatewayError("access.invalid", message, { cause: error })
  if (error instanceof GatewayError) return error
  if (error instanceof errors.JWTExpired) return invalid("the token has expired: get a new one")
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "nbf") return invalid("the token is not valid yet")
    if (error.claim === "exp") return invalid("the token says no time at which it expires (exp)")
    return invalid(`the token's claim ${error.claim} is not the one that this gateway accepts`)
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return invalid("the token is signed by an algorithm not accepted here")
  if (error instanceof errors.JWKSNoMatchingKey)
    return invalid("the token is signed by a key that the issuer does not name")
  if (error instanceof errors.JWKSMultipleMatchingKeys) return invalid("the token's header must name its key (kid)")
  if (error instanceof errors.JWKSInvalid) return unavailable(error)
  // Whatever else jose says of a token, and what WebCrypto says of a key that does not fit.
  return invalid("the token is not valid here")
}
