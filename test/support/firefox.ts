import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freeTcpPort } from "./ports.ts"
import { startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"
import { until } from "./wait.ts"

/** A page of a headless Firefox, driven by WebDriver BiDi. */
export interface FirefoxPage {
  /** Runs an expression in the page, awaits it where it is a promise, and returns its value by way of JSON. */
  evaluate<T>(expression: string): Promise<T>
}

/** Starts Debian's Firefox with a fake camera and microphone and opens a page; both end with the scope. */
export async function openFirefoxPage(scope: Scope, url: string): Promise<FirefoxPage> {
  const profile = mkdtempSync(join(tmpdir(), "whipstitch-firefox-"))
  scope.defer(() => rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }))
  const prefs = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});`)
  writeFileSync(join(profile, "user.js"), prefs.join("\n"))
  const port = await freeTcpPort()
  const args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", `${port}`]
  startProcess(scope, "firefox-esr", args)
  const socket = await until("Firefox to listen", () => connect(`ws://127.0.0.1:${port}/session`), {
    timeoutMs: 40_000,
    intervalMs: 200,
  })
  scope.defer(() => socket.close())
  const send = commands(socket)
  await send("session.new", { capabilities: {} })
  const { contexts } = await send<{ contexts: { context: string }[] }>("browsingContext.getTree", {})
  const context = contexts[0]?.context
  await send("browsingContext.navigate", { context, url, wait: "complete" })
  return {
    async evaluate(expression) {
      const { type, result, exceptionDetails } = await send<Evaluation>("script.evaluate", {
        expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value ?? null))`,
        target: { context },
        awaitPromise: true,
      })
      if (type !== "success") throw new Error(`in Firefox: ${exceptionDetails?.text}`)
      return JSON.parse(result?.value ?? "null")
    },
  }
}

interface Evaluation {
  readonly type: "success" | "exception"
  readonly result?: { readonly value: string }
  readonly exceptionDetails?: { readonly text: string }
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url)
  const opened = once(socket, "open")
  const failed = once(socket, "error").then(() => {
    throw new Error("not yet")
  })
  await Promise.race([opened, failed])
  return socket
}

type Send = <T>(method: string, params: object) => Promise<T>

/** Numbers the commands and finds the answer to each. */
function commands(socket: WebSocket): Send {
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>()
  socket.addEventListener("message", ({ data }) => {
    const { id, type, result, message } = JSON.parse(`${data}`)
    const command = waiting.get(id)
    waiting.delete(id)
    if (type === "error") command?.reject(new Error(message))
    else command?.resolve(result as never)
  })
  let count = 0
  return (method, params) =>
    new Promise((resolve, reject) => {
      waiting.set(++count, { resolve, reject })
      socket.send(JSON.stringify({ id: count, method, params }))
    })
}

const PREFERENCES = {
  "media.navigator.permission.disabled": true,
  "media.navigator.streams.fake": true,
  "media.autoplay.default": 0,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.gmp-manager.updateEnabled": false,
  "app.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
}
