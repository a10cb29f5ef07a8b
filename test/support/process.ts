import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import type { Scope } from "./scope.ts"
import { within } from "./wait.ts"

/** A process that a test has started; it ends with the scope. */
export interface RunningProcess {
  readonly child: ChildProcess
  /** What it wrote to standard error, by line. */
  readonly stderrLines: string[]
  /** What it wrote to standard output, by line; stays empty where `stdout` is "raw". */
  readonly stdoutLines: string[]
  /** Resolves when it has ended and all its output is there; the number of its exit, or the name of the signal. */
  readonly exited: Promise<number | string>
  /** Asks it to end, and kills it when it has not after `timeoutMs`. */
  stop(timeoutMs?: number): Promise<number | string>
}

/** Options of `startProcess`. */
export interface ProcessOptions extends SpawnOptions {
  /** `lines` collects standard output as text, `raw` leaves it to the caller. */
  readonly stdout?: "lines" | "raw"
  /** Signal that `stop` sends first. */
  readonly stopSignal?: NodeJS.Signals
}

/** Starts a program whose life ends with the scope. */
export function startProcess(
  scope: Scope,
  command: string,
  args: readonly string[],
  { stdout = "lines", stopSignal = "SIGTERM", ...options }: ProcessOptions = {},
): RunningProcess {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options })
  child.stdin?.on("error", () => {}) // a process that ends while it is being written to is seen through `exited`
  const exited = new Promise<number | string>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code, signal) => resolve(code ?? signal ?? "unknown"))
  })
  exited.catch(() => {}) // whoever waits for it gets the error
  const isRunning = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined
  const stop = async (timeoutMs = 5_000) => {
    if (isRunning()) child.kill(stopSignal)
    return within(timeoutMs, `${command} to end`, exited).catch(() => {
      if (isRunning()) child.kill("SIGKILL")
      return exited
    })
  }
  scope.defer(() => stop().catch(() => {}))
  const stdoutLines = stdout === "lines" ? collectLines(child.stdout) : []
  return { child, stderrLines: collectLines(child.stderr), stdoutLines, exited, stop }
}

/** A growing list of a stream's lines; the oldest go when there are very many. */
function collectLines(stream: Readable | null): string[] {
  const lines: string[] = []
  if (stream === null) return lines
  createInterface({ input: stream }).on("line", (line) => {
    lines.push(line)
    if (lines.length > MAX_LINES) lines.splice(0, MAX_LINES / 2)
  })
  return lines
}

const MAX_LINES = 20_000
