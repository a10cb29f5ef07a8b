import { z } from "zod"
import { Config } from "../../src/config.ts"

/** The README's table of configuration keys, made from the schema. */
export function configTable(): string {
  const sections = z.toJSONSchema(Config, { io: "input", unrepresentable: "any" }).properties as Sections
  const rows = Object.entries(sections).flatMap(([section, { properties }]) =>
    Object.entries(properties).map(([key, { default: value, description }]) => {
      return `| \`${section}.${key}\` | ${formatDefault(value)} | ${description} |`
    }),
  )
  return ["| key | default | what it is |", "| --- | --- | --- |", ...rows, ""].join("\n")
}

/** Puts the table between its marks in the README. */
export function withConfigTable(readme: string): string {
  return readme.replace(MARKED, (_, start: string, end: string) => `${start}\n${configTable()}${end}`)
}

type Sections = Record<string, { properties: Record<string, { default: unknown; description: string }> }>

function formatDefault(value: unknown): string {
  return value === undefined ? "none" : `\`${String(value)}\``
}

const MARKED = /(<!-- config table -->)[\s\S]*?(<!-- end of config table -->)/
