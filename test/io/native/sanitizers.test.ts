import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { expect, test } from "vitest"
import { NATIVE } from "../../support/native.ts"

const SCRIPT = join(import.meta.dirname, "../../../scripts/lib/sanitize-native")

test.skipIf(NATIVE.addon === undefined)(
  "the native fan-out touches no memory that is not its own, while viewers come and go",
  { timeout: 120_000 },
  () => {
    const env = { ...process.env, NODE: process.execPath }
    const { status, stdout, stderr } = spawnSync(SCRIPT, { encoding: "utf8", env })
    expect(stderr).toBe("")
    expect(stdout).toMatch(/^\d+ datagrams came by UDP, \d+ by way of JavaScript\n$/)
    expect(status).toBe(0)
  },
)
