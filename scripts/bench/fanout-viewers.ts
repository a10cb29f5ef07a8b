/**
 * WHEP viewers of `scripts/bench/fanout`: node scripts/bench/fanout-viewers.ts URL COUNT. They join one after the other; then a line of JSON
 * is printed, and another one for each line on standard input. They leave when that ends.
 */
import { createInterface } from "node:readline"
import { createIdentity } from "../../src/io/webrtc/identity.ts"
import { WhepClient } from "../lib/bench/whep-client.ts"

/** What the viewers of one process have got so far. */
export interface ViewersReport {
  /** Of each viewer. */
  readonly packets: readonly number[]
  readonly bytes: number
  readonly lost: number
  readonly decrypted: number
  readonly damaged: number
  /** From the POST to the first packet, of each viewer. */
  readonly firstPacketMs: readonly number[]
}

const [url = "", count = "0"] = process.argv.slice(2)
const identity = await createIdentity()
const clients: WhepClient[] = []

for (let i = 0; i < Number(count); i++) clients.push(await WhepClient.join({ url, identity, decrypts: i === 0 }))
report()
createInterface({ input: process.stdin }).on("line", report).on("close", leave)
process.on("SIGTERM", leave)

function leave(): void {
  for (const client of clients.splice(0)) client.close()
  setTimeout(() => process.exit(0), 50) // the goodbyes go out
}

function report(): void {
  const sum = (pick: (client: WhepClient) => number) => clients.reduce((total, client) => total + pick(client), 0)
  const line: ViewersReport = {
    packets: clients.map(({ counts }) => counts.packets),
    bytes: sum(({ counts }) => counts.bytes),
    lost: sum(({ lost }) => lost),
    decrypted: sum(({ counts }) => counts.decrypted),
    damaged: sum(({ counts }) => counts.damaged),
    firstPacketMs: clients.map(({ firstPacketMs }) => firstPacketMs),
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
