import { defineConfig } from "vitest/config"

const SLOW = ["test/scenario/**", "test/interop/**", "test/e2e/**"]

/**
 * Real gateways, browsers and encoders: one file at a time, or two cores make them wait for each other. They play in real
 * time, so a machine that is taken away for a moment can spoil a test: it gets a second try.
 */
const REAL_PROCESSES = { fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000, retry: 1 }

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/**/*.test.ts"], exclude: SLOW } },
      { test: { name: "scenario", include: ["test/scenario/**/*.test.ts"] } },
      { test: { name: "interop", include: ["test/interop/**/*.test.ts"], ...REAL_PROCESSES } },
      { test: { name: "e2e", include: ["test/e2e/**/*.test.ts"], ...REAL_PROCESSES } },
    ],
  },
})
