/**
 * Players that do nothing but take: node scripts/bench/rtmp-players.ts PORT COUNT. Prints a line of JSON, once all are connected and then for
 * each line on standard input: how many are connected and what they got so far.
 */
import { connect } from "node:net"
import { createInterface } from "node:readline"
import { concat } from "../../src/media/bytes.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import { commandMessage } from "../../src/rtmp/message.ts"

const [port = 0, count = 0] = process.argv.slice(2).map(Number)

/** All that a player ever says: none waits for answers. */
const dialogue = concat([
  Uint8Array.of(3),
  new Uint8Array(2 * 1_536),
  ...[
    commandMessage(0, "connect", 1, [{ app: "live", tcUrl: `rtmp://127.0.0.1:${port}/live`, fpad: false }]),
    commandMessage(0, "createStream", 2, [null]),
    commandMessage(1, "play", 3, [null, "bench"]),
  ].map((message) => serializeMessage(message, 128)),
])

const received = new Float64Array(count)
const buffer = new Uint8Array(256 * 1024)
let connected = 0

for (let i = 0; i < count; i++) {
  const onread = {
    buffer,
    callback: (bytes: number) => {
      received[i] = (received[i] as number) + bytes
      return true
    },
  }
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, onread }, () => {
      connected++
      socket.write(dialogue)
      resolve()
    })
    socket.on("error", reject)
    socket.on("close", () => connected--)
  })
}

function report(): void {
  process.stdout.write(`${JSON.stringify({ connected, received: [...received] })}\n`)
}

report()
createInterface({ input: process.stdin })
  .on("line", report)
  .on("close", () => process.exit(0))
