import type { ChildProcess } from "node:child_process"
import { readFileSync } from "node:fs"

/** CPU time that a process has taken with all its threads, in seconds. */
export interface CpuSeconds {
  readonly user: number
  readonly system: number
}

/** Of the process with all its threads, in steps of 10 ms: proc_pid_stat(5). */
export function cpuSeconds({ pid }: ChildProcess): CpuSeconds {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return { user: Number(fields[11]) / TICKS_PER_SECOND, system: Number(fields[12]) / TICKS_PER_SECOND }
}

/** Memory of a process in kilobytes, with its part of what it shares with others: proc_pid_smaps(5). */
export function memoryKb({ pid }: ChildProcess): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1])
}

const TICKS_PER_SECOND = 100
