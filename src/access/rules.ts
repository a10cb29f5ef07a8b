import type { AccessAction } from "./access.ts"
import { matchesPattern } from "./pattern.ts"

/** What an action needs: tokens and JWT are alternatives, a callback must agree in addition. */
export type Requirement = "anyone" | "nobody" | Credentials

/** Credentials that an action needs; at least one of the three is set. */
export interface Credentials {
  readonly tokens?: readonly string[] | undefined
  readonly jwt?: true | undefined
  readonly callback?: true | undefined
}

/** Who may do what with the streams that a pattern names. */
export interface AccessRule {
  /** See `matchesPattern`. */
  readonly stream: string
  readonly publish: Requirement
  readonly play: Requirement
}

/** What a stream's publishing or playing needs by the first rule that names it; nobody may where none does. */
export function requirementFor(rules: readonly AccessRule[], action: AccessAction, stream: string): Requirement {
  return rules.find((rule) => matchesPattern(rule.stream, stream))?.[action] ?? "nobody"
}

/** The parts of the configuration that stand for a rule. */
export interface SimpleAccess {
  readonly publishTokens: readonly string[]
  readonly playTokens: readonly string[]
  readonly rules: readonly AccessRule[]
  readonly jwt?: unknown
  readonly callbacks: { readonly onPublish?: string | undefined; readonly onPlay?: string | undefined }
}

/**
 * The rules with one more for all that they do not name, made of `publishTokens`, `playTokens`, `jwt` and `callbacks`.
 * Where none of those is set, everyone may without rules, and nobody with rules.
 */
export function completeRules(access: SimpleAccess): AccessRule[] {
  const { rules, callbacks, jwt } = access
  const needs = (tokens: readonly string[], callback: string | undefined): Requirement => {
    if (tokens.length === 0 && jwt === undefined && callback === undefined) {
      return rules.length === 0 ? "anyone" : "nobody"
    }
    return {
      ...(tokens.length > 0 && { tokens }),
      ...(jwt !== undefined && { jwt: true }),
      ...(callback !== undefined && { callback: true }),
    }
  }
  const rest: AccessRule = {
    stream: "*",
    publish: needs(access.publishTokens, callbacks.onPublish),
    play: needs(access.playTokens, callbacks.onPlay),
  }
  return [...rules, rest]
}
