/**
 * CPU and memory that an RTMP player costs the gateway, and nginx's RTMP module beside it: both get the same 3 Mbit/s stream from ffmpeg and
 * serve the same players, one after the other, several times. See scripts/bench/rtmp for the command line.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import { Scope } from "../../test/support/scope.ts"
import { median } from "../lib/bench/numbers.ts"
import { cpuSeconds, memoryKb } from "../lib/bench/process-cost.ts"
import { makeClip, publishClip } from "../lib/bench/publisher.ts"

const ROOT = join(import.meta.dirname, "../..")
const PORTS = { whipstitch: 19_350, nginx: 19_351 }

type Server = keyof typeof PORTS

/** What one server cost with all players connected. */
interface Round {
  readonly server: Server
  /** Thousandths of a core for each player. */
  readonly cpuPerPlayer: number
  readonly userShare: number
  readonly memoryPerPlayerKb: number
  /** Of the bitrate that was published, the share that the slowest player got. */
  readonly slowestShare: number
  readonly bitrateMbps: number
}

const { values } = parseArgs({
  options: {
    players: { type: "string", default: "500" },
    seconds: { type: "string", default: "10" },
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    json: { type: "string" },
  },
})
const players = Number(values.players)
const seconds = Number(values.seconds)
const servers = (Object.keys(PORTS) as Server[]).filter((server) => values.only === undefined || server === values.only)

const folder = mkdtempSync(join(tmpdir(), "whipstitch-bench-"))
const children: ChildProcess[] = []
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

await makeClip(new Scope())
const rounds: Round[] = []
for (let i = 0; i < Number(values.rounds); i++) {
  for (const server of servers) {
    const round = await measure(server)
    rounds.push(round)
    process.stdout.write(`${describe(round)}\n`)
  }
}
for (const server of servers) {
  const own = rounds.filter((round) => round.server === server)
  const cpu = median(own.map(({ cpuPerPlayer }) => cpuPerPlayer)) ?? 0
  const memory = median(own.map(({ memoryPerPlayerKb }) => memoryPerPlayerKb)) ?? 0
  process.stdout.write(
    `${server}: median ${cpu.toFixed(3)} thousandths of a core and ${memory.toFixed(0)} kB a player (${players} players)\n`,
  )
}
const [ours, theirs] = (["whipstitch", "nginx"] as const).map((server) =>
  median(rounds.filter((round) => round.server === server).map(({ cpuPerPlayer }) => cpuPerPlayer)),
)
if (ours !== undefined && theirs !== undefined && servers.length === 2) {
  process.stdout.write(`whipstitch / nginx-rtmp: ${(ours / theirs).toFixed(2)}\n`)
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ players, seconds, rounds }, null, 2)}\n`)
process.exit(0)

async function measure(server: Server): Promise<Round> {
  const process_ = await startServer(server)
  const scope = new Scope()
  publishClip(scope, `rtmp://127.0.0.1:${PORTS[server]}/live/bench`)
  await delay(4_000)
  const before = memoryKb(process_)
  const group = await startPlayers(PORTS[server], players)
  await delay(4_000) // the cached pictures are sent, and the just-in-time compiler has seen them
  const cpuBefore = cpuSeconds(process_)
  const first = await group.report()
  const startMs = performance.now()
  await delay(seconds * 1_000)
  const last = await group.report()
  const elapsedSeconds = (performance.now() - startMs) / 1_000
  const cpuAfter = cpuSeconds(process_)
  const after = memoryKb(process_)
  if (last.connected !== players) throw new Error(`${server}: ${players - last.connected} players were cut off`)
  const bytes = last.received.map((total, i) => total - (first.received[i] ?? 0))
  const average = bytes.reduce((sum, value) => sum + value, 0) / bytes.length
  await end(group.child)
  await scope.close()
  await end(process_)
  const user = cpuAfter.user - cpuBefore.user
  const total = user + cpuAfter.system - cpuBefore.system
  return {
    server,
    cpuPerPlayer: (total / elapsedSeconds / players) * 1_000,
    userShare: user / total,
    memoryPerPlayerKb: (after - before) / players,
    slowestShare: Math.min(...bytes) / average,
    bitrateMbps: (average * 8) / elapsedSeconds / 1e6,
  }
}

function describe({ server, cpuPerPlayer, userShare, memoryPerPlayerKb, slowestShare, bitrateMbps }: Round): string {
  return [
    server.padEnd(10),
    `${cpuPerPlayer.toFixed(3)} thousandths of a core a player`,
    `(${(userShare * 100).toFixed(0)} % of it user time)`,
    `${memoryPerPlayerKb.toFixed(0)} kB a player`,
    `${bitrateMbps.toFixed(2)} Mbit/s each`,
    `slowest ${(slowestShare * 100).toFixed(0)} %`,
  ].join("  ")
}

async function startServer(server: Server): Promise<ChildProcess> {
  const child = server === "nginx" ? startNginx() : startGateway()
  for (;;) {
    const socket = connect(PORTS[server], "127.0.0.1")
    const isOpen = await once(socket, "connect").then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isOpen) return child
    await delay(50)
  }
}

function startGateway(): ChildProcess {
  const flags = process.env.NODE_FLAGS?.split(" ") ?? ["--max-semi-space-size=4"] // as scripts/run does
  return start(process.execPath, [...flags, join(ROOT, "src/main.ts")], {
    WHIPSTITCH_HTTP__PORT: "0",
    WHIPSTITCH_MEDIA__PORT: "0",
    WHIPSTITCH_HTTP__HOST: "127.0.0.1",
    WHIPSTITCH_RTMP__HOST: "127.0.0.1",
    WHIPSTITCH_RTMP__PORT: String(PORTS.whipstitch),
    WHIPSTITCH_LOG__LEVEL: "warn",
  })
}

function startNginx(): ChildProcess {
  const config = join(folder, "nginx.conf")
  writeFileSync(
    config,
    `load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
rtmp { server { listen 127.0.0.1:${PORTS.nginx}; chunk_size 60000; access_log off; application live { live on; } } }
`,
  )
  return start("nginx", ["-p", folder, "-c", config])
}

async function startPlayers(port: number, count: number) {
  const child = start(process.execPath, [join(import.meta.dirname, "rtmp-players.ts"), String(port), String(count)])
  if (child.stdout === null) throw new Error("no standard output")
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => JSON.parse((await lines.next()).value ?? "{}") as { connected: number; received: number[] }
  await next()
  return {
    child,
    report: () => {
      child.stdin?.write("\n")
      return next()
    },
  }
}

function start(command: string, args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } })
  children.push(child)
  return child
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGTERM")
  const timer = setTimeout(() => child.kill("SIGKILL"), 3_000)
  await gone
  clearTimeout(timer)
}
