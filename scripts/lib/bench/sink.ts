import { spawn } from "node:child_process"

/** Starts a process that takes all datagrams, so that the cost of receiving is not counted here. Runs under Node, Bun and Deno. */
export async function openSink(): Promise<{ port: number; close(): void }> {
  const code = `import("node:dgram").then(({ createSocket }) => {
    const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 })
    socket.on("message", () => {})
    socket.bind(0, "127.0.0.1", () => process.stdout.write(String(socket.address().port)))
  })`
  const child = spawn(process.execPath, ["Deno" in globalThis ? "eval" : "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const port = await new Promise<number>((resolve) => child.stdout.once("data", (text) => resolve(Number(text))))
  return { port, close: () => child.kill() }
}
