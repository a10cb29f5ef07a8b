import type { ProtocolContext } from "./context.ts"

/** The two protocols that the suite knows. */
export type Protocol = "whip" | "whep"

/** How much a rule binds, RFC 2119; SHALL counts as MUST, RECOMMENDED as SHOULD. */
export type Level = "MUST" | "SHOULD" | "MAY"

/** One thing that a server does or does not do. */
export interface Check {
  /** Unique with the protocol, for example `get-endpoint`. */
  readonly id: string
  readonly protocol: Protocol
  /** Number of the rule, docs/conformance.md. */
  readonly rule: number
  /** The rule of WHIP that rule 33 takes over for WHEP. */
  readonly asRule?: number
  /** Where the rule stands, for example `RFC 9725 4.2`. */
  readonly section: string
  readonly level: Level
  readonly title: string
  /** `peer` needs a WebRTC peer that sends and receives media. */
  readonly needs: "http" | "peer"
  /** Before anything is published; other checks of WHEP need a live stream. */
  readonly isIdle?: boolean
  /** Nothing that a client could see; listed so that nobody thinks it was checked. */
  readonly isUnseen?: boolean
  /** Returns what was seen; throws `Unmet` where the rule is broken and `NotApplicable` where it cannot be judged. */
  run(context: ProtocolContext): Promise<string>
}

/** What the text of a rule needs beside its number. */
type CheckText = Pick<Check, "id" | "rule" | "level" | "title" | "run"> &
  Partial<Pick<Check, "needs" | "isIdle" | "isUnseen">> & { readonly section: string }

/** A rule of WHIP alone; `section` is that of RFC 9725. */
export function whipCheck(text: CheckText): Check {
  return { needs: "http", ...text, protocol: "whip", section: named(text.section, "RFC 9725") }
}

/** A rule of WHEP alone; `section` is that of draft-ietf-wish-whep. */
export function whepCheck(text: CheckText): Check {
  return { needs: "http", ...text, protocol: "whep", section: named(text.section, "WHEP") }
}

/** A rule that both protocols have, WHEP by rule 33. */
export function sharedCheck({ whepSection, ...text }: CheckText & { readonly whepSection: string }): Check[] {
  const whep = { ...whepCheck({ ...text, section: whepSection }), rule: 33, asRule: text.rule }
  return [whipCheck(text), whep]
}

/** A section number belongs to the protocol's own text; anything else names its source itself. */
function named(section: string, document: string): string {
  return /^\d/.test(section) ? `${document} ${section}` : section
}

/** A rule that the server breaks; the message says what was seen. */
export class Unmet extends Error {}

/** A rule that cannot be judged here; the message says why. */
export class NotApplicable extends Error {}

/** Throws `Unmet` with what was seen, unless the condition holds. */
export function demand(condition: unknown, seen: string): asserts condition {
  if (!condition) throw new Unmet(seen)
}

/** Throws `NotApplicable` unless the condition holds. */
export function assume(condition: unknown, why: string): asserts condition {
  if (!condition) throw new NotApplicable(why)
}
