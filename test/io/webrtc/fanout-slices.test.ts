import { setImmediate as nextTurn } from "node:timers/promises"
import { beforeEach, expect, test } from "vitest"
import { TypeScriptFanout } from "../../../src/io/webrtc/fanout-typescript.ts"
import { RemoteAddress } from "../../../src/io/webrtc/remote-address.ts"
import { KEYING_BYTES, type SrtpMaster } from "../../../src/io/webrtc/srtp/keys.ts"
import type { RtpBatch } from "../../../src/media/packet.ts"

/** With slices of no time at all each viewer has a turn of its own. */
let sent: { readonly ssrc: number; readonly sequenceNumber: number }[]
let fanout: TypeScriptFanout
/** The SSRC with which sending fails. */
let fails = 0

beforeEach(() => {
  sent = []
  fanout = new TypeScriptFanout(
    (datagram) => {
      const view = new DataView(datagram.buffer, datagram.byteOffset)
      const ssrc = view.getUint32(8)
      if (ssrc === fails) throw new Error("no buffer")
      sent.push({ ssrc, sequenceNumber: view.getUint16(2) })
    },
    undefined,
    0,
  )
})

test("viewers who do not fit into a turn get the batch in the next ones, others do not wait for them", async () => {
  for (const ssrc of [1, 2, 3]) join(ssrc)
  fanout.send("lane", batch(7))
  expect(ssrcs()).toEqual([1])
  await nextTurn()
  expect(ssrcs()).toEqual([1, 2])
  await nextTurn()
  expect(ssrcs()).toEqual([1, 2, 3])
  await nextTurn()
  expect(sent).toHaveLength(3)
})

test("each gets all batches in their order, also those that come while the one before is under way", async () => {
  for (const ssrc of [1, 2, 3]) join(ssrc)
  for (const n of [1, 2, 3, 4]) fanout.send("lane", batch(n))
  await turns()
  for (const ssrc of [1, 2, 3]) expect(numbersOf(ssrc)).toEqual([1, 2, 3, 4])
})

test("who joins later gets what is sent from then on, whoever still waits for what came before", async () => {
  for (const ssrc of [1, 2]) join(ssrc)
  fanout.send("lane", batch(1))
  join(3)
  fanout.send("lane", batch(2))
  await turns()
  expect(numbersOf(2)).toEqual([1, 2])
  expect(numbersOf(3)).toEqual([2])
})

test("whatever is done with a viewer, it has all that was sent before", () => {
  const ids = [1, 2, 3, 4, 5].map(join)
  fanout.send("lane", batch(1))
  expect(fanout.stats(ids[1] as number, "video")?.packetCount).toBe(1)
  fanout.removeViewer(ids[2] as number)
  fanout.sendTo(ids[3] as number, "video", batch(2), { sequenceOffset: 0 })
  expect(fanout.resend(ids[4] as number, "video", [1])).toBe(1)
  expect(ssrcs()).toEqual([1, 2, 3, 4, 4, 5, 5])
})

test("nothing comes after the end", async () => {
  for (const ssrc of [1, 2, 3]) join(ssrc)
  fanout.send("lane", batch(1))
  fanout.close()
  await turns()
  expect(ssrcs()).toEqual([1])
})

test("an error with one viewer is thrown by the next batch, and the others have the one before", async () => {
  const [first] = [1, 2, 3].map(join)
  fails = 2
  fanout.send("lane", batch(1))
  await turns()
  expect(ssrcs()).toEqual([1, 3])
  fails = 0
  expect(() => fanout.send("lane", batch(2))).toThrow("no buffer")
  fanout.removeViewer(first as number)
  fanout.send("lane", batch(3))
  await turns()
  expect(numbersOf(2)).toEqual([2, 3])
})

test("what waits is bounded: a machine that is too slow sends all of it at once", () => {
  for (const ssrc of [1, 2, 3]) join(ssrc)
  for (let n = 1; n <= 65; n++) fanout.send("lane", batch(n))
  for (const ssrc of [1, 2, 3]) expect(numbersOf(ssrc)).toHaveLength(65)
})

function join(ssrc: number): number {
  const remote = new RemoteAddress()
  const keys = { profile: "AES128_CM_SHA1_80", local: MASTER, remote: MASTER } as const
  const viewerId = fanout.addViewer({ remote, keys, tracks: [{ trackId: "video", ssrc, payloadType: 96 }] })
  fanout.joinTrack(viewerId, "video", { sourceId: "lane", sequenceOffset: 0 })
  return viewerId
}

function batch(sequenceNumber: number): RtpBatch {
  const packets = [{ sequenceNumber, marker: true, payload: Uint8Array.of(1, 2, 3, 4) }]
  return { kind: "video", timestamp: 3_000 * sequenceNumber, ptsUs: 0, startsKeyframe: false, packets }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 30; i++) await nextTurn()
}

function ssrcs(): number[] {
  return sent.map(({ ssrc }) => ssrc)
}

function numbersOf(viewerSsrc: number): number[] {
  return sent.filter(({ ssrc }) => ssrc === viewerSsrc).map(({ sequenceNumber }) => sequenceNumber)
}

const { key, salt } = KEYING_BYTES.AES128_CM_SHA1_80
const MASTER: SrtpMaster = {
  profile: "AES128_CM_SHA1_80",
  key: new Uint8Array(key).fill(3),
  salt: new Uint8Array(salt).fill(4),
}
