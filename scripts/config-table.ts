import { readFileSync, writeFileSync } from "node:fs"
import { configTable, withConfigTable } from "../test/support/config-table.ts"

/** Writes the table of configuration keys into the README: scripts/config-table.ts [--print] */
const README = new URL("../README.md", import.meta.url)
if (process.argv.includes("--print")) process.stdout.write(configTable())
else writeFileSync(README, withConfigTable(readFileSync(README, "utf8")))
