import type { Browser, Page } from "playwright-core"
import { expect } from "vitest"
import { openPage } from "./chromium.ts"
import type { TestGateway } from "./gateway.ts"
import type { Scope } from "./scope.ts"
import { until } from "./wait.ts"

/** Opens the watch page of a live stream and waits for its first picture. */
export async function watchPage(
  scope: Scope,
  browser: Browser,
  gateway: TestGateway,
  stream: string,
): Promise<{ page: Page; errors: string[]; firstPictureMs: number }> {
  const { page, errors } = await openPage(scope, browser, `${gateway.httpUrl}/watch/${stream}`)
  const firstPictureMs = await until("the first picture", () =>
    page.evaluate<number | undefined>("harness.firstPictureMs()"),
  )
  return { page, errors, firstPictureMs }
}

/** The quickest of three page loads from the POST to the first picture: a busy machine may spoil one. */
export async function quickestFirstPictureMs(
  scope: Scope,
  browser: Browser,
  gateway: TestGateway,
  stream: string,
): Promise<number> {
  const times: number[] = []
  for (let attempt = 0; attempt < 3; attempt++) {
    const { page, firstPictureMs } = await watchPage(scope, browser, gateway, stream)
    await page.close()
    times.push(firstPictureMs)
  }
  return Math.min(...times)
}

/**
 * What still counts as «at once» on a busy machine: far less than the time between two keyframes. The 500 ms that are
 * promised are asked for by scripts/acceptance.
 */
export const AT_ONCE_MS = 1_500

/** The gateway still runs, answers, and has logged no bug. */
export async function expectHealthy(gateway: TestGateway): Promise<void> {
  expect((await fetch(`${gateway.httpUrl}/health`)).ok).toBe(true)
  expect(gateway.process.stderrLines).toEqual([])
  expect(gateway.log().filter(({ level }) => level >= ERROR_LEVEL)).toEqual([])
}

const ERROR_LEVEL = 50
