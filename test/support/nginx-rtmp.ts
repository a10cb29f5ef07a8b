import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freeTcpPort } from "./ports.ts"
import { type RunningProcess, startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"
import { until } from "./wait.ts"

/** nginx with its RTMP module, on a port of the loopback interface. */
export interface NginxRtmp {
  readonly process: RunningProcess
  readonly port: number
  /** Address of a stream, `live/name`. */
  url(stream: string): string
}

/** Options of `startNginx`. */
export interface NginxOptions {
  /** To take that of one that is gone. */
  readonly port?: number
  /** More directives for the application `live`. */
  readonly directives?: string
}

/** Starts nginx with an application `live`; it ends with the scope. */
export async function startNginx(scope: Scope, options: NginxOptions = {}): Promise<NginxRtmp> {
  const port = options.port ?? (await freeTcpPort())
  const folder = await mkdtemp(join(tmpdir(), "nginx-rtmp-"))
  scope.defer(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, "nginx.conf")
  await writeFile(file, config(folder, port, options.directives ?? ""))
  const process = startProcess(scope, "/usr/sbin/nginx", ["-p", folder, "-c", file], { stopSignal: "SIGTERM" })
  const isListening = async () => process.stderrLines.length > 0 || (await accepts(port))
  await until("nginx to listen", isListening)
  if (process.stderrLines.length > 0) throw new Error(`nginx: ${process.stderrLines.join("\n")}`)
  return { process, port, url: (stream) => `rtmp://127.0.0.1:${port}/${stream}` }
}

async function accepts(port: number): Promise<boolean> {
  const { connect } = await import("node:net")
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(true))
    socket.on("error", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })
}

function config(folder: string, port: number, directives: string): string {
  return `
    load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
    daemon off;
    master_process off;
    pid ${folder}/nginx.pid;
    error_log ${folder}/error.log info;
    events { worker_connections 64; }
    rtmp {
      access_log off;
      server {
        listen 127.0.0.1:${port};
        application live { live on; ${directives} }
      }
    }`
}
