import { join } from "node:path"
import { ROOT } from "./paths.ts"
import { freeMediaPort, freeTcpPort } from "./ports.ts"
import { type RunningProcess, startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"
import { until } from "./wait.ts"

/** The runtimes that the gateway supports. */
export type Runtime = "node" | "bun" | "deno"

/** One line of the gateway's log. */
export type LogLine = Record<string, unknown> & { readonly level: number; readonly msg: string }

/** A gateway in a process of its own, on free ports of the loopback interface. */
export interface TestGateway {
  readonly process: RunningProcess
  readonly httpUrl: string
  readonly httpPort: number
  readonly rtmpPort: number
  readonly mediaPort: number
  /** `rtmp://…/live/name` for a stream's name, `live/name`. */
  rtmpUrl(stream: string): string
  /** All lines of the log so far. */
  log(): LogLine[]
}

/** Options of `startGateway`. */
export interface GatewayOptions {
  readonly runtime?: Runtime
  /** Configuration by section and key, as environment variables give it: `{ RTMP__IDLE_TIMEOUT_MS: "500" }`. */
  readonly settings?: Record<string, string>
}

/**
 * Starts `src/main.ts` and waits until it is healthy, once more where another program was quicker to take a port that had been free. Throws with
 * the end of its output when it is not.
 */
export async function startGateway(scope: Scope, options: GatewayOptions = {}): Promise<TestGateway> {
  return tryToStart(scope, options).catch((error: Error) => {
    if (!error.message.includes("another program uses it")) throw error
    return tryToStart(scope, options)
  })
}

async function tryToStart(scope: Scope, { runtime = "node", settings = {} }: GatewayOptions): Promise<TestGateway> {
  const [httpPort, rtmpPort, mediaPort] = [await freeTcpPort(), await freeTcpPort(), await freeMediaPort()]
  const overrides = {
    HTTP__HOST: "127.0.0.1",
    HTTP__PORT: `${httpPort}`,
    RTMP__HOST: "127.0.0.1",
    RTMP__PORT: `${rtmpPort}`,
    MEDIA__HOST: "127.0.0.1",
    MEDIA__PORT: `${mediaPort}`,
    LOG__FORMAT: "json",
    ...settings,
  }
  const env = { ...process.env }
  for (const [key, value] of Object.entries(overrides)) env[`WHIPSTITCH_${key}`] = value
  const [command, ...args] = COMMANDS[runtime]
  const gateway = startProcess(scope, command, [...args, "src/main.ts"], { cwd: ROOT, env })
  const httpUrl = `http://127.0.0.1:${httpPort}`
  const healthy = async () => {
    if (gateway.child.exitCode !== null) return "ended" as const
    return (await fetch(`${httpUrl}/health`)).ok && ("healthy" as const)
  }
  const state = await until(`the gateway under ${runtime}`, healthy, { timeoutMs: 20_000 }).catch((error) => `${error}`)
  if (state !== "healthy") {
    const output = [...gateway.stdoutLines, ...gateway.stderrLines].slice(-30).join("\n")
    throw new Error(`the gateway under ${runtime} did not start: ${state}\n${output}`)
  }
  return {
    process: gateway,
    httpUrl,
    httpPort,
    rtmpPort,
    mediaPort,
    rtmpUrl: (stream) => `rtmp://127.0.0.1:${rtmpPort}/${stream}`,
    log: () => gateway.stdoutLines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line)),
  }
}

const COMMANDS: Record<Runtime, [string, ...string[]]> = {
  node: [process.execPath, "--max-semi-space-size=4"], // as scripts/run does
  bun: [join(ROOT, "node_modules/.bin/bun"), "run"],
  deno: [join(ROOT, "node_modules/.bin/deno"), "run", "--allow-all", "--no-lock", "--cached-only"],
}
