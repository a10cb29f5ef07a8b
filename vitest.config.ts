import { defineConfig } from "vitest/config"

const SLOW = ["test/scenario/**", "test/interop/**", "test/e2e/**"]

/**
 * Real gateways, browsers and encoders. They play in real time, so a machine that is taken away for a moment can spoil a test: it gets a
 * second try.
 */
const REAL_PROCESSES = { testTimeout: 60_000, hookTimeout: 60_000, retry: 1 }
/** Mostly they wait for time to pass, so two files at a time halve it. */
const TWO_FILES = { ...REAL_PROCESSES, maxWorkers: 2 }
/** What measures or looks at pictures has the machine for itself, or two cores make files wait for each other. */
const ONE_FILE = { ...REAL_PROCESSES, fileParallelism: false }

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/**/*.test.ts"], exclude: SLOW } },
      { test: { name: "scenario", include: ["test/scenario/**/*.test.ts"] } },
      { test: { name: "interop", include: ["test/interop/**/*.test.ts"], ...TWO_FILES } },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], ...ONE_FILE } },
    ],
  },
})
