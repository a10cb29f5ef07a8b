import { join } from "node:path"
import type { ConfigInput } from "../../src/config.ts"
import { startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"
import { until } from "./wait.ts"

/** What a gateway's process holds, after its garbage is collected. */
export interface Holdings {
  /** How many sockets, timers and so on keep the process alive, by type. */
  readonly resources: Readonly<Record<string, number>>
  readonly heapBytes: number
  /** Memory of buffers and WebAssembly. */
  readonly externalBytes: number
}

/** A gateway in a process of its own that tells what it holds. */
export interface MeteredGateway {
  readonly urls: { readonly http: string; readonly rtmp: string }
  measure(): Promise<Holdings>
}

/** Starts a gateway whose memory, sockets and timers can be measured from outside. */
export async function startMeteredGateway(scope: Scope, config: ConfigInput): Promise<MeteredGateway> {
  const script = join(import.meta.dirname, "metered-gateway-process.ts")
  const gateway = startProcess(scope, process.execPath, ["--expose-gc", script, JSON.stringify(config)])
  const answers = () => gateway.stdoutLines.filter((line) => line.startsWith("{"))
  const urls = JSON.parse(await until("the gateway to start", () => answers()[0], { timeoutMs: 20_000 }))
  const measure = async () => {
    const count = answers().length
    gateway.child.stdin?.write("\n")
    return JSON.parse(await until("the gateway's holdings", () => answers()[count]))
  }
  return { urls, measure }
}
