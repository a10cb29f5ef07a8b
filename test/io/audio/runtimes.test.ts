import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { expect, test } from "vitest"
import { ROOT } from "../../support/paths.ts"

const SMOKE = join(import.meta.dirname, "smoke.ts")

test.each([
  { runtime: "node", args: [] },
  { runtime: "bun", args: [] },
  { runtime: "deno", args: ["run", "--allow-all", "--no-lock"] },
])("the worker transcodes both ways in $runtime", { timeout: 30_000 }, ({ runtime, args }) => {
  const command = join(ROOT, "node_modules/.bin", runtime)
  const output = execFileSync(command, [...args, SMOKE], { encoding: "utf8", timeout: 25_000 })
  expect(output).toBe("50 46\n")
})
