import { execFile, execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { openSink } from "./sink.ts"

/** What is sent, as much as the gateway sends. */
export interface Bursts {
  readonly viewers: number
  readonly seconds: number
  /** To each viewer. */
  readonly packetsPerSecond: number
  readonly bytes: number
}

/** Compiles burst-floor.cc; undefined without a compiler. */
export function compileBurstFloor(): string | undefined {
  const folder = join(import.meta.dirname, "../../../.cache/bench")
  const program = join(folder, "burst-floor")
  mkdirSync(folder, { recursive: true })
  try {
    execFileSync("g++", ["-std=c++17", "-O2", "-o", program, join(import.meta.dirname, "burst-floor.cc")])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw error
  }
  return program
}

/** µs of CPU that the system takes for each datagram from a program that does nothing but send them, in bursts as those of pictures and sound. */
export async function measureBurstFloor(program: string, bursts: Bursts): Promise<number> {
  const { viewers, seconds, packetsPerSecond, bytes } = bursts
  const sink = await openSink(viewers)
  try {
    const args = [seconds, packetsPerSecond, bytes, ...sink.ports].map(String)
    const { stdout } = await promisify(execFile)(program, args)
    return Number(stdout)
  } finally {
    sink.close()
  }
}
