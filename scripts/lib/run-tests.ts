import { spawn } from "node:child_process"
import { mkdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"

/** What one step of the run counted. */
interface Counts {
  passed: number
  failed: number
  skipped: number
}

const ROOT = join(import.meta.dirname, "../..")
const REPORTS = join(ROOT, ".cache/log")
const KNOWN_PARTS = ["check", "unit", "scenario", "interop", "e2e"]

const parts = process.argv.slice(2)
const unknown = parts.filter((part) => !KNOWN_PARTS.includes(part))
if (unknown.length > 0) {
  process.stderr.write(`unknown: ${unknown.join(" ")} (there are ${KNOWN_PARTS.join(", ")})\n`)
  process.exit(2)
}

mkdirSync(REPORTS, { recursive: true })
const totals: Counts = { passed: 0, failed: 0, skipped: 0 }
for (const part of parts) {
  for (const counts of part === "check" ? await runChecks() : [await runProject(part)]) {
    totals.passed += counts.passed
    totals.failed += counts.failed
    totals.skipped += counts.skipped
  }
}
if (totals.passed === 0 && totals.failed === 0) totals.failed = 1 // a run that tested nothing has not passed
const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : ""
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed${skipped}\n`)
process.exitCode = totals.failed > 0 ? 1 : 0

/** The compiler, also for what runs in browsers, and the linter: one check each. */
async function runChecks(): Promise<Counts[]> {
  const commands = [
    ["tsc", "node_modules/typescript/bin/tsc"],
    ["tsc of the player", "node_modules/typescript/bin/tsc", "-p", "src/player"],
    ["tsc of the player's tests", "node_modules/typescript/bin/tsc", "-p", "test/player"],
    ["biome", "node_modules/@biomejs/biome/bin/biome", "check"],
  ]
  const results: Counts[] = []
  for (const [name, ...command] of commands) {
    const ok = (await run(command)) === 0
    process.stdout.write(`${ok ? "✓" : "✗"} ${name}\n`)
    results.push({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 })
  }
  return results
}

/** One vitest project. A project without a test file counts nothing; one that breaks before it counts is one failure. */
async function runProject(project: string): Promise<Counts> {
  const report = join(REPORTS, `vitest-${project}.json`)
  rmSync(report, { force: true })
  process.stdout.write(`\n— ${project} —\n`)
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--project", project, "--passWithNoTests"]
  const code = await run([...vitest, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`])
  const counts = readReport(report)
  if (code !== 0 && counts.failed === 0) counts.failed = 1
  return counts
}

/** The counts in vitest's JSON report. */
function readReport(path: string): Counts {
  try {
    const report = JSON.parse(readFileSync(path, "utf8"))
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + failedToLoad(report),
      skipped: report.numPendingTests + report.numTodoTests,
    }
  } catch {
    return { passed: 0, failed: 1, skipped: 0 }
  }
}

/** Test files that broke before any of their tests ran; vitest's totals leave them out. */
function failedToLoad(report: { testResults: { status: string; assertionResults: unknown[] }[] }): number {
  return report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length
}

/** Runs a script under this Node and gives its exit code. */
function run(command: string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] })
    child.on("close", (code) => resolve(code ?? 1))
  })
}
