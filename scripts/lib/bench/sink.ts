import { spawn } from "node:child_process"

/**
 * Starts a process that takes all datagrams on so many ports, so that the cost of receiving is not counted here. Runs under Node, Bun and Deno.
 */
export async function openSink(count = 1): Promise<{ port: number; ports: readonly number[]; close(): void }> {
  const code = `import("node:dgram").then(async ({ createSocket }) => {
    const ports = []
    for (let i = 0; i < ${count}; i++) {
      const socket = createSocket({ type: "udp4", recvBufferSize: 4 << 20 })
      socket.on("message", () => {})
      await new Promise((resolve) => socket.bind(0, "127.0.0.1", resolve))
      ports.push(socket.address().port)
    }
    process.stdout.write(ports.join(" "))
  })`
  const child = spawn(process.execPath, ["Deno" in globalThis ? "eval" : "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const text = await new Promise<unknown>((resolve) => child.stdout.once("data", resolve))
  const ports = String(text).split(" ").map(Number)
  return { port: ports[0] as number, ports, close: () => child.kill() }
}
