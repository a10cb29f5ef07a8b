import { GatewayError } from "../errors.ts"
import type { AccessAction, AccessControl, AccessGrant, AccessRequest, SessionOutcome } from "./access.ts"
import { type Claims, checkClaims, claimsAllow, claimsIdentity } from "./claims.ts"
import { type AccessRule, type Credentials, requirementFor } from "./rules.ts"
import { MAX_TOKEN_CHARACTERS, type SecretHasher, TokenSet } from "./token-set.ts"

/** Verifies signature, times, issuer and audience of a JWT. Throws `access.invalid` and `access.unavailable`. */
export type VerifyJwt = (token: string) => Promise<Claims>

/** The user's own service, which is asked and told by HTTP. */
export interface AccessCallbacks {
  /** Throws `access.required`, `access.invalid`, `access.denied` and `access.unavailable`. */
  ask(request: AccessRequest): Promise<{ readonly identity: string | undefined }>
  /** Never throws and never blocks. */
  tellDone(request: AccessRequest, identity: string | undefined, outcome: SessionOutcome): void
}

/** What an `AccessPolicy` decides by. */
export interface AccessPolicyOptions {
  /** Complete, see `completeRules`. */
  readonly rules: readonly AccessRule[]
  readonly adminTokens: readonly string[]
  readonly hasher: SecretHasher
  /** Left out, no JWT is accepted. */
  readonly verifyJwt: VerifyJwt | undefined
  readonly callbacks: AccessCallbacks
}

/** Decides by rules: tokens and JWT first, then the callback, so that nobody without credentials can keep it busy. */
export class AccessPolicy implements AccessControl {
  readonly #options: AccessPolicyOptions
  readonly #tokenSets = new Map<Credentials, TokenSet>()
  readonly #adminTokens: TokenSet

  constructor(options: AccessPolicyOptions) {
    const { rules, adminTokens, hasher } = options
    this.#options = options
    this.#adminTokens = new TokenSet(adminTokens, hasher)
    for (const needs of rules.flatMap(({ publish, play }) => [publish, play])) {
      if (typeof needs === "object") this.#tokenSets.set(needs, new TokenSet(needs.tokens ?? [], hasher))
    }
  }

  async authorize(request: AccessRequest): Promise<AccessGrant> {
    const { action, stream, token } = request
    const { rules, callbacks, hasher } = this.#options
    const needs = requirementFor(rules, action, stream)
    if (needs === "nobody") throw new GatewayError("access.denied", `nobody may ${action} ${stream}`)
    if (token !== undefined && token.length > MAX_TOKEN_CHARACTERS) throw wrongToken()
    let identity: string | undefined
    if (needs !== "anyone" && needsToken(needs)) identity = await this.#identify(needs, request)
    else if (token !== undefined) identity = await hasher.identity(token)
    if (needs !== "anyone" && needs.callback) identity = (await callbacks.ask(request)).identity ?? identity
    let isOver = false
    return {
      identity,
      ended: (outcome) => {
        if (isOver) return
        isOver = true
        callbacks.tellDone(request, identity, outcome)
      },
    }
  }

  async permitted(action: AccessAction, token: string | undefined): Promise<(stream: string) => boolean> {
    const { rules } = this.#options
    const isTooLong = token !== undefined && token.length > MAX_TOKEN_CHARACTERS
    const shown = isTooLong ? undefined : token
    if (shown !== undefined && (await this.#adminTokens.has(shown))) return () => true
    const claims = shown === undefined ? undefined : await this.#verifiedClaims(action, shown)
    const holds = new Set<Credentials>()
    for (const [needs, tokens] of this.#tokenSets)
      if (shown !== undefined && (await tokens.has(shown))) holds.add(needs)
    return (stream) => {
      const needs = requirementFor(rules, action, stream)
      if (typeof needs === "string") return needs === "anyone"
      if (needs.callback) return false
      return holds.has(needs) || (needs.jwt === true && claims !== undefined && claimsAllow(claims, action, stream))
    }
  }

  async requireAdmin(token: string | undefined): Promise<void> {
    if (this.#options.adminTokens.length === 0) {
      throw new GatewayError("access.denied", "the administrative API is off: set access.adminTokens to use it")
    }
    if (token === undefined) throw missingToken("administer the gateway")
    if (token.length > MAX_TOKEN_CHARACTERS || !(await this.#adminTokens.has(token))) throw wrongToken()
  }

  async #identify(needs: Credentials, { action, stream, token }: AccessRequest): Promise<string> {
    if (token === undefined) throw missingToken(`${action} ${stream}`)
    const { hasher, verifyJwt } = this.#options
    if (await this.#tokenSets.get(needs)?.has(token)) return hasher.identity(token)
    if (!needs.jwt || verifyJwt === undefined) throw wrongToken()
    const claims = await verifyJwt(token)
    checkClaims(claims, action, stream)
    return claimsIdentity(claims, action, stream)
  }

  /** Undefined where the token is no good JWT, or nobody can tell at the moment. */
  async #verifiedClaims(action: AccessAction, token: string): Promise<Claims | undefined> {
    const { rules, verifyJwt } = this.#options
    if (!rules.some(({ [action]: needs }) => typeof needs === "object" && needs.jwt)) return undefined
    try {
      return await verifyJwt?.(token)
    } catch (error) {
      if (error instanceof GatewayError) return undefined
      throw error
    }
  }
}

function needsToken({ tokens, jwt }: Credentials): boolean {
  return tokens !== undefined || jwt === true
}

function missingToken(purpose: string): GatewayError {
  return new GatewayError(
    "access.required",
    `a token is needed to ${purpose}: send it as "Authorization: Bearer TOKEN" or append ?token=TOKEN to the address; in RTMP the address is rtmp://HOST/APP/NAME/TOKEN`,
  )
}

function wrongToken(): GatewayError {
  return new GatewayError("access.invalid", "the token is not valid here")
}
