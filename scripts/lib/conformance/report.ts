import type { Check } from "./check.ts"
import type { Result } from "./run.ts"

/** How many results there are of each kind. */
export type Totals = Record<Result["status"], number>

/** Counts results. */
export function count(results: readonly Result[]): Totals {
  const totals: Totals = { pass: 0, fail: 0, warn: 0, skip: 0 }
  for (const { status } of results) totals[status]++
  return totals
}

/** One line for a terminal: verdict, rule, level, source, title and what was seen. */
export function formatResult({ check, status, seen }: Result, isColored: boolean): string {
  const verdict = (status === "fail" ? "FAIL" : status).padEnd(4)
  const painted = isColored ? `\x1b[${COLORS[status]}m${verdict}\x1b[0m` : verdict
  const rule = ruleLabel(check).padStart(7)
  const where = `${check.protocol.toUpperCase()}  ${rule}  ${check.level.padEnd(6)}  ${check.section}`
  return `${painted}  ${where}  ${check.title}: ${seen.replace(/\s+/g, " ").trim()}`
}

/** The last line. */
export function formatTotals({ pass, fail, warn, skip }: Totals): string {
  return `${pass} passed, ${fail} failed, ${warn} warnings, ${skip} skipped`
}

/** All results for programs. */
export function toJson(results: readonly Result[]): string {
  const lines = results.map(({ check, status, seen }) => {
    const { id, protocol, rule, asRule, section, level, title } = check
    return { id: `${protocol}/${id}`, rule, asRule, section, level, title, status, seen }
  })
  return `${JSON.stringify({ totals: count(results), results: lines }, null, 2)}\n`
}

/** `33 (1)`: rule 33 of WHEP, which takes over rule 1 of WHIP. */
export function ruleLabel({ rule, asRule }: Pick<Check, "rule" | "asRule">): string {
  return asRule === undefined ? `${rule}` : `${rule} (${asRule})`
}

const COLORS = { pass: 32, fail: 31, warn: 33, skip: 90 }
