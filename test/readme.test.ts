import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { VERSION } from "../src/version.ts"
import { withConfigTable } from "./support/config-table.ts"

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8")

test("the README's table of configuration keys is that of the schema (scripts/config-table.ts writes it)", () => {
  const readme = read("README.md")
  expect(readme).toContain("`rtmp.port` | `1935`")
  expect(withConfigTable(readme)).toBe(readme)
})

test("the program and the package have the same version", () => {
  expect(JSON.parse(read("package.json"))).toMatchObject({ version: VERSION })
})
