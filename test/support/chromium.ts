import { join } from "node:path"
import { type Browser, type Page, chromium as playwright } from "playwright-core"
import { CHROMIUM } from "./paths.ts"
import type { Scope } from "./scope.ts"

/** Starts a headless Chromium with a fake camera and microphone that keeps off the network; it ends with the scope. */
export async function startChromium(scope: Scope, extraArgs: readonly string[] = []): Promise<Browser> {
  const browser = await playwright.launch({
    executablePath: CHROMIUM,
    args: [...FLAGS, ...extraArgs],
    ignoreDefaultArgs: ["--mute-audio"],
  })
  scope.defer(() => browser.close())
  return browser
}

/**
 * Opens a page of the gateway with what the folder browser/ holds in it. Uncaught errors of the page end up in the
 * returned list.
 */
export async function openPage(scope: Scope, browser: Browser, url: string): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage()
  scope.defer(() => page.close().catch(() => {}))
  const errors: string[] = []
  page.on("pageerror", (error) => errors.push(`${error}`))
  for (const script of ["harness.js", "whip-whep.js", "barcode.js", "counter.js", "clapper.js", "joins.js"]) {
    await page.addInitScript({ path: join(import.meta.dirname, "browser", script) })
  }
  await page.goto(url)
  return { page, errors }
}

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
  "--use-fake-device-for-media-stream=fps=30",
  "--use-fake-ui-for-media-stream",
  "--disable-background-timer-throttling",
  "--disable-renderer-backgrounding",
  "--disable-backgrounding-occluded-windows",
]
