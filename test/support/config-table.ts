import { z } from "zod"
import { Config } from "../../src/config.ts"

/** The README's table of configuration keys, made from the schema. */
export function configTable(): string {
  const { properties } = z.toJSONSchema(Config, { io: "input", unrepresentable: "any" }) as Schema
  // The schema leaves out the defaults of what is written in more than one way.
  const defaults = Config.parse({}) as Record<string, unknown>
  const rows = Object.entries(properties ?? {}).flatMap(([key, schema]) => tableRows(key, schema, defaults[key]))
  return ["| key | default | what it is |", "| --- | --- | --- |", ...rows, ""].join("\n")
}

/** Puts the table between its marks in the README. */
export function withConfigTable(readme: string): string {
  return readme.replace(MARKED, (_, start: string, end: string) => `${start}\n${configTable()}${end}`)
}

interface Schema {
  readonly properties?: Record<string, Schema>
  readonly description?: string
}

function tableRows(path: string, { properties, description }: Schema, value: unknown): string[] {
  if (properties === undefined) return [`| \`${path}\` | ${formatDefault(value)} | ${description} |`]
  const defaults = (value ?? {}) as Record<string, unknown>
  return Object.entries(properties).flatMap(([key, schema]) => tableRows(`${path}.${key}`, schema, defaults[key]))
}

function formatDefault(value: unknown): string {
  return value === undefined || String(value) === "" ? "none" : `\`${String(value)}\``
}

const MARKED = /(<!-- config table -->)[\s\S]*?(<!-- end of config table -->)/
