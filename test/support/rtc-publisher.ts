import { join } from "node:path"
import { type RunningProcess, startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"
import { until } from "./wait.ts"

/** A publisher made of the library that is in OBS, in a process of its own. */
export interface RtcPublisher {
  readonly process: RunningProcess
  readonly offer: string
  readonly answer: string
  /** URL of the session, as OBS would delete it. */
  readonly location: string
}

/** Publishes a test picture and a tone by WHIP the way OBS does (obs-publisher.ts), until the scope ends. */
export async function publishLikeObs(scope: Scope, url: string): Promise<RtcPublisher> {
  const publisher = startProcess(scope, process.execPath, [join(import.meta.dirname, "obs-publisher.ts"), url])
  const line = await until("the OBS-like publisher", () => publisher.stdoutLines[0] ?? publisher.child.exitCode)
  if (typeof line === "number") throw new Error(`the OBS-like publisher ended: ${publisher.stderrLines.join("\n")}`)
  return { process: publisher, ...JSON.parse(line) }
}
