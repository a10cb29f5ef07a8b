import { GatewayError } from "../errors.ts"
import type { AccessAction } from "./access.ts"
import { matchesPattern } from "./pattern.ts"

/** The claims of a JWT whose signature, times, issuer and audience are verified. */
export type Claims = Readonly<Record<string, unknown>>

/**
 * Whether the claims allow an action on a stream. `action` is "publish", "play" or a list of them. `stream` is a name within
 * `app`, a whole `app/stream` or a list of either; `app` is a name or a list. `*` is a wildcard as in `matchesPattern`. A
 * token that leaves out what it is for is for nothing, so a token that the same issuer made for another purpose opens nothing.
 */
export function claimsAllow(claims: Claims, action: AccessAction, stream: string): boolean {
  if (!textsOf(claims.action).includes(action)) return false
  const apps = claims.app === undefined ? undefined : textsOf(claims.app)
  return textsOf(claims.stream).some((name) => streamClaimFits(name, apps, stream))
}

/** Throws `access.denied` where the claims do not allow it. */
export function checkClaims(claims: Claims, action: AccessAction, stream: string): void {
  if (claimsAllow(claims, action, stream)) return
  throw new GatewayError(
    "access.denied",
    `the token does not allow to ${action} ${stream}: its claims app, stream and action must name that`,
  )
}

/** Who the bearer is: `sub` where the token has it, else the right that it gives. */
export function claimsIdentity(claims: Claims, action: AccessAction, stream: string): string {
  const { iss, sub } = claims
  return typeof sub === "string" && sub !== ""
    ? `jwt:${JSON.stringify([typeof iss === "string" ? iss : null, sub])}`
    : `jwt:${action} ${stream}`
}

function streamClaimFits(name: string, apps: readonly string[] | undefined, stream: string): boolean {
  const [app = ""] = stream.split("/", 1)
  if (apps !== undefined && !apps.some((pattern) => matchesPattern(pattern, app))) return false
  if (name === "*" || name.includes("/")) return matchesPattern(name, stream)
  return apps !== undefined && matchesPattern(name, stream.slice(app.length + 1))
}

function textsOf(claim: unknown): string[] {
  const items: unknown[] = Array.isArray(claim) ? claim : [claim]
  return items.filter((item) => typeof item === "string")
}
