import { randomBytes } from "node:crypto"
import type { AccessControl } from "../../access/access.ts"
import { AccessPolicy } from "../../access/access-policy.ts"
import { completeRules, type SimpleAccess } from "../../access/rules.ts"
import { SecretHasher } from "../../access/token-set.ts"
import type { Logger } from "../log.ts"
import { type CallbackOptions, HttpCallbacks, type OnCallbackProblem } from "./callbacks.ts"
import { createJwtVerifier, type JwtOptions } from "./jwt.ts"

/** The section `access` of the configuration. */
export interface AccessOptions extends SimpleAccess {
  readonly adminTokens: readonly string[]
  readonly jwt?: JwtOptions | undefined
  readonly callbacks: CallbackOptions
}

/** Access control with all that it works by. */
export interface GatewayAccess extends AccessControl {
  /** Resolves when the service of the callbacks has been told of all that has ended. */
  close(): Promise<void>
}

/** Sets up access control. Throws `config.invalid` for a key that cannot be used. */
export function createAccess(options: AccessOptions, logger: Logger): GatewayAccess {
  const { jwt } = options
  const callbacks = new HttpCallbacks(options.callbacks, callbackProblems(logger))
  const onKeySetProblem = (reason: string) =>
    logger.warn({ reason }, "the key set of access.jwt.jwksUrl cannot be had; tokens are refused until it can")
  const policy = new AccessPolicy({
    rules: completeRules(options),
    adminTokens: options.adminTokens,
    hasher: new SecretHasher(randomBytes(32)),
    verifyJwt: jwt === undefined ? undefined : createJwtVerifier(jwt, onKeySetProblem),
    callbacks,
  })
  return Object.assign(policy, { close: () => callbacks.close() })
}

/** Logs callbacks that failed, at most one line a second. */
function callbackProblems(logger: Logger): OnCallbackProblem {
  let failed = 0
  let loggedAtMs = Number.NEGATIVE_INFINITY
  return (callback, reason) => {
    failed++
    if (performance.now() - loggedAtMs < 1_000) return
    loggedAtMs = performance.now()
    logger.warn(
      { callback: `access.callbacks.${callback}`, reason, failed },
      "no answer that can be used from a callback",
    )
    failed = 0
  }
}
