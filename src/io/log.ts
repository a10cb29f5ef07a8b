import { createHash } from "node:crypto"
import { type DestinationStream, type Logger, pino } from "pino"

export type { Logger } from "pino"

/** How the log is written. */
export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent"
  /** `text` is for people, `json` for collectors; `auto` takes text on a terminal. */
  readonly format: "auto" | "text" | "json"
}

/** Opens the log on standard output; secrets and session descriptions are kept out of it. */
export function createLogger({ level, format }: LogOptions): Logger {
  const isText = format === "text" || (format === "auto" && process.stdout.isTTY === true)
  const options = { level, base: null, redact: { paths: SECRET_PATHS, censor: "[redacted]" } }
  return isText
    ? pino(
        options,
        textDestination((text) => process.stdout.write(text)),
      )
    : pino(options)
}

/** A session's public name, for log and API: its id itself would let a reader end a WebRTC session. */
export function sessionLabel(id: string): string {
  return createHash("sha256").update(id).digest("base64url").slice(0, 12)
}

/** A pino destination that turns each JSON line into one that is pleasant to read. */
export function textDestination(write: (text: string) => void): DestinationStream {
  return { write: (line) => write(formatLine(line)) }
}

function formatLine(line: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>
  const clock = new Date(Number(time)).toTimeString().slice(0, 8)
  const parts = [clock, LEVEL_NAMES[Number(level)] ?? String(level), String(msg ?? "")]
  for (const [name, value] of Object.entries(fields)) parts.push(`${name}=${formatValue(value)}`)
  const stack = typeof err === "object" && err !== null && "stack" in err ? `\n${String(err.stack)}` : ""
  return `${parts.join(" ")}${stack}\n`
}

function formatValue(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return text.includes(" ") && typeof value === "string" ? JSON.stringify(text) : text
}

const LEVEL_NAMES: Record<number, string> = { 20: "debug", 30: "info ", 40: "warn ", 50: "ERROR" }
const SECRET_PATHS = ["token", "*.token", "key", "*.key", "sdp", "*.sdp", "authorization", "*.authorization"]
