import { ALL_CHECKS } from "./checks/all.ts"

/** The checks as a Markdown table, for docs/conformance.md: a row for each, those of WHIP and WHEP in one where both have it. */
export function checkTable(): string {
  const shared = new Set(ALL_CHECKS.filter(({ asRule }) => asRule !== undefined).map(({ id }) => id))
  const rows = ALL_CHECKS.filter(({ asRule }) => asRule === undefined).map((check) => {
    const { id, rule, protocol, section, level, title, needs, isUnseen } = check
    const isShared = shared.has(id) && protocol === "whip"
    const kind = isUnseen ? "not observable" : needs === "peer" ? "media" : "HTTP"
    const rules = isShared ? `${rule}, 33` : `${rule}`
    const protocols = isShared ? "both" : protocol.toUpperCase()
    return `| ${[rules, protocols, level, section, title.replaceAll("|", "\\|"), `\`${id}\``, kind].join(" | ")} |`
  })
  return [HEADER, ...rows, ""].join("\n")
}

const HEADER = `| rule | for | level | section | what must be so | check | seen by |
| --- | --- | --- | --- | --- | --- | --- |`
