import { createRequire } from "node:module"
import fc from "fast-check"
import { beforeAll, expect, test, vi } from "vitest"
import { DtlsSession } from "../../../src/io/webrtc/dtls-session.ts"
import { createIdentity, type DtlsIdentity } from "../../../src/io/webrtc/identity.ts"

let identity: DtlsIdentity

beforeAll(async () => {
  identity = await createIdentity()
})

interface Wire {
  datagrams: Uint8Array[]
  session: DtlsSession
  outcome: string
}

function open(role: "server" | "client"): Wire {
  const fingerprints = [{ algorithm: "sha-256", value: identity.fingerprint }]
  const wire: Wire = {
    datagrams: [],
    outcome: "",
    session: new DtlsSession(
      { identity, role, fingerprints },
      {
        send: (datagram) => wire.datagrams.push(Uint8Array.from(datagram)),
        connected: () => {
          wire.outcome = "connected"
        },
        failed: ({ code }) => {
          wire.outcome = code
        },
        closed: () => {
          wire.outcome = "closed"
        },
      },
    ),
  }
  return wire
}

/** Lets werift's promises run; none of them waits for a timer unless something was lost. */
const breathe = () => new Promise((resolve) => setImmediate(resolve))

/** Carries datagrams to and fro until neither side has anything to say; `change` may touch those of the attacker's side. */
async function run(
  attacker: Wire,
  victim: Wire,
  change: (datagram: Uint8Array, number: number) => Uint8Array,
): Promise<void> {
  let number = 0
  attacker.session.start()
  victim.session.start()
  for (let round = 0; round < 8; round++) {
    await breathe()
    for (const datagram of attacker.datagrams.splice(0)) victim.session.push(change(datagram, number++))
    await breathe()
    for (const datagram of victim.datagrams.splice(0)) attacker.session.push(datagram)
  }
  attacker.session.close()
  victim.session.close()
}

test.each(["server", "client"] as const)("two of them connect, whichever is the %s", async (role) => {
  const [one, other] = [open(role), open(role === "server" ? "client" : "server")]
  await run(one, other, (datagram) => datagram)
  expect(other.outcome).toBe("connected")
})

test("both sides agree by the X25519 that takes the place of werift's", async () => {
  const curve = createRequire(createRequire(import.meta.url).resolve("werift"))("tweetnacl")
  const keyPair = vi.spyOn(curve.box, "keyPair")
  const scalarMult = vi.spyOn(curve, "scalarMult")
  const [server, client] = [open("server"), open("client")]
  await run(client, server, (datagram) => datagram)
  expect(server.outcome).toBe("connected")
  expect(keyPair).toHaveBeenCalledTimes(2)
  expect(scalarMult).toHaveBeenCalledTimes(2)
})

test.each(["server", "client"] as const)(
  "a %s survives any change to the handshake, and never connects with a changed one",
  async (role) => {
    const change = fc.record({
      number: fc.integer({ min: 0, max: 7 }),
      at: fc.integer({ min: 0, max: 600 }),
      flip: fc.integer({ min: 1, max: 255 }),
    })
    const survives = async ({ number, at, flip }: { number: number; at: number; flip: number }) => {
      const victim = open(role)
      let isChanged = false
      await run(open(role === "server" ? "client" : "server"), victim, (datagram, index) => {
        // The first ClientHello and the record headers are nobody's to protect; bytes behind them are.
        const isCovered = index === number && index > 0 && at >= 13 && at < datagram.length && datagram[0] === 22
        if (index !== number || at >= datagram.length) return datagram
        isChanged = isCovered
        return datagram.map((byte, i) => (i === at ? byte ^ flip : byte))
      })
      expect(["", "connected", "dtls.handshake", "dtls.peer"]).toContain(victim.outcome)
      if (isChanged) expect(victim.outcome).not.toBe("connected")
    }
    await fc.assert(fc.asyncProperty(change, survives), { numRuns: 60 })
  },
)

test("any datagrams at all leave it standing", async () => {
  const record = fc
    .record({
      type: fc.constantFrom(20, 21, 22, 23, 24),
      epoch: fc.constantFrom(0, 0, 1),
      body: fc.uint8Array({ maxLength: 60 }),
    })
    .map(({ type, epoch, body }) =>
      Uint8Array.of(type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1, 0, body.length, ...body),
    )
  const survives = async (datagrams: Uint8Array[]) => {
    const { session } = open("server")
    for (const datagram of datagrams) session.push(datagram)
    await breathe()
    session.close()
  }
  await fc.assert(fc.asyncProperty(fc.array(record, { maxLength: 6 }), survives), { numRuns: 100 })
})

test("a handshake takes two round trips: the first ClientHello is answered, not asked for again with a cookie", async () => {
  const client = open("client")
  const server = open("server")
  client.session.start()
  for (const expected of [{ sent: CLIENT_HELLO }, { sent: CLIENT_KEY_EXCHANGE }]) {
    await breathe()
    const flight = client.datagrams.splice(0)
    expect(flight.map((datagram) => datagram[13])).toContain(expected.sent)
    for (const datagram of flight) server.session.push(datagram)
    await breathe()
    for (const datagram of server.datagrams.splice(0)) client.session.push(datagram)
  }
  await breathe()
  expect([client.outcome, server.outcome]).toEqual(["connected", "connected"])
  client.session.close()
  server.session.close()
})

test("a ClientHello that comes again, as its answer was lost, is answered again with the same messages", async () => {
  const client = open("client")
  const server = open("server")
  client.session.start()
  await breathe()
  const [hello] = client.datagrams.splice(0) as [Uint8Array]
  server.session.push(hello)
  await breathe()
  const lost = server.datagrams.splice(0)
  server.session.push(hello)
  await breathe()
  expect(server.datagrams.map((datagram) => datagram.subarray(13))).toEqual(
    lost.map((datagram) => datagram.subarray(13)),
  )
  client.session.close()
  server.session.close()
})

/** First byte of a handshake message, right behind the record's header. */
const CLIENT_HELLO = 1
const CLIENT_KEY_EXCHANGE = 16
