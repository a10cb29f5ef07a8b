import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freeMediaPort } from "./ports.ts"
import { startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"
import { until } from "./wait.ts"

const TURNSERVER = "/usr/bin/turnserver"

/** Tests that need Debian's coturn are skipped without it. */
export const HAS_COTURN = existsSync(TURNSERVER)

/** A TURN server of the test. */
export interface Coturn {
  readonly port: number
  /** Shared with the gateway, which makes time-limited credentials from it. */
  readonly secret: string
  /** What it logged so far. */
  log(): readonly string[]
}

/** Starts coturn on the loopback interface, where it relays to loopback addresses too; it ends with the scope. */
export async function startCoturn(scope: Scope): Promise<Coturn> {
  const port = await freeMediaPort()
  const secret = "whipstitch-test-secret"
  const folder = mkdtempSync(join(tmpdir(), "whipstitch-coturn-"))
  scope.defer(() => rmSync(folder, { recursive: true, force: true }))
  const flags = ["--use-auth-secret", "--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls", "--verbose", "-n"]
  const values = {
    "listening-ip": "127.0.0.1",
    "relay-ip": "127.0.0.1",
    "listening-port": `${port}`,
    "static-auth-secret": secret,
    realm: "whipstitch.test",
    "log-file": "stdout",
    pidfile: join(folder, "pid"),
    userdb: join(folder, "db"),
  }
  const options = Object.entries(values).map(([key, value]) => `--${key}=${value}`)
  const server = startProcess(scope, TURNSERVER, [...flags, ...options], { cwd: folder })
  const log = () => server.stdoutLines
  await until("coturn to listen", () => log().some((line) => line.includes("UDP listener opened on")))
  return { port, secret, log }
}
