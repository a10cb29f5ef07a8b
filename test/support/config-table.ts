import { z } from "zod"
import { Config } from "../../src/config.ts"

/** The README's table of configuration keys, made from the schema. */
export function configTable(): string {
  const { properties } = z.toJSONSchema(Config, { io: "input", unrepresentable: "any" }) as Schema
  const rows = Object.entries(properties ?? {}).flatMap(([section, schema]) => tableRows(section, schema))
  return ["| key | default | what it is |", "| --- | --- | --- |", ...rows, ""].join("\n")
}

/** Puts the table between its marks in the README. */
export function withConfigTable(readme: string): string {
  return readme.replace(MARKED, (_, start: string, end: string) => `${start}\n${configTable()}${end}`)
}

interface Schema {
  readonly properties?: Record<string, Schema>
  readonly default?: unknown
  readonly description?: string
}

function tableRows(path: string, { properties, default: value, description }: Schema): string[] {
  if (properties === undefined) return [`| \`${path}\` | ${formatDefault(value)} | ${description} |`]
  return Object.entries(properties).flatMap(([key, schema]) => tableRows(`${path}.${key}`, schema))
}

function formatDefault(value: unknown): string {
  return value === undefined || String(value) === "" ? "none" : `\`${String(value)}\``
}

const MARKED = /(<!-- config table -->)[\s\S]*?(<!-- end of config table -->)/
