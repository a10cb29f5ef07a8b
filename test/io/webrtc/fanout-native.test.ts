import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { PacketFanout, ViewerId } from "../../../src/io/webrtc/fanout.ts"
import { NativeFanout } from "../../../src/io/webrtc/fanout-native.ts"
import { TypeScriptFanout } from "../../../src/io/webrtc/fanout-typescript.ts"
import { RemoteAddress } from "../../../src/io/webrtc/remote-address.ts"
import { KEYING_BYTES, type SrtpProfile } from "../../../src/io/webrtc/srtp/keys.ts"
import { NATIVE } from "../../support/native.ts"
import { type Action, action, play, scheduledTrack } from "./fanout-schedule.ts"
import { batch, PROFILES } from "./fanout-support.ts"

const { addon, reason } = NATIVE

/** What each of two viewers is sent, and what is known of it at the end. */
function run(create: Creator, profile: SrtpProfile, first: number, actions: readonly Action[]): unknown {
  const remotes = [new RemoteAddress(), new RemoteAddress()] // no address: the datagrams come here
  const sent: string[][] = [[], []]
  const fanout = create((datagram, to) => sent[remotes.indexOf(to as RemoteAddress)]?.push(toHex(datagram)))
  const { key, salt } = KEYING_BYTES[profile]
  const ids = remotes.map((remote, i): ViewerId => {
    const local = { profile, key: new Uint8Array(key).fill(i + 1), salt: new Uint8Array(salt).fill(i + 5) }
    const tracks = [scheduledTrack(first, i === 0, first % 2 === 0), { trackId: "audio", ssrc: 9, payloadType: 111 }]
    return fanout.addViewer({ remote, keys: { profile, local, remote: local }, tracks })
  })
  fanout.joinTrack(ids[1] as ViewerId, "audio", { sourceId: "high" })
  play(fanout, ids, first, actions)
  if (fanout instanceof NativeFanout) fanout.drain()
  const stats = ids.flatMap((id) => ["video", "audio"].map((trackId) => fanout.stats(id, trackId)))
  fanout.close()
  return { sent, stats }
}

type Creator = (send: (datagram: Uint8Array, to: object) => void) => PacketFanout

const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

const isMissing = addon === undefined && process.env.CI !== "true"
test.skipIf(isMissing)(`the native fan-out is compiled and loads${isMissing ? `: ${reason}` : ""}`, () => {
  expect(reason).toBeUndefined()
})

describe.runIf(addon !== undefined).each(PROFILES)("the native fan-out with %s", (profile) => {
  test.each([0, 2])("sends the same bits as the TypeScript one, with %i threads", (threads) => {
    const load = addon as NonNullable<typeof addon>
    const native: Creator = (send) => new NativeFanout(load, { sockets: {}, send, nowUs: () => 7_000_000, threads })
    const reference: Creator = (send) => new TypeScriptFanout(send, () => 7_000_000)
    const actions = fc.array(action, { minLength: 5, maxLength: 80 })
    const first = fc.integer({ min: 0, max: 32_767 })
    fc.assert(
      fc.property(first, actions, (firstNumber, list) => {
        expect(run(native, profile, firstNumber, list)).toEqual(run(reference, profile, firstNumber, list))
      }),
      { numRuns: 60 },
    )
  })

  test("counts what cannot be sent", () => {
    const load = addon as NonNullable<typeof addon>
    const fanout = new NativeFanout(load, { sockets: {}, send: () => {}, threads: 1 })
    const { key, salt } = KEYING_BYTES[profile]
    const local = { profile, key: new Uint8Array(key), salt: new Uint8Array(salt) }
    const remote = new RemoteAddress()
    remote.moveTo({ transport: "udp", family: 6, address: "::1", port: 9 })
    const tracks = [scheduledTrack(0, true)]
    const id = fanout.addViewer({ remote, keys: { profile, local, remote: local }, tracks })
    fanout.joinTrack(id, "video", { sourceId: "lane" })
    fanout.send("lane", batch(1, 3))
    fanout.drain()
    expect(fanout.sendErrors).toBe(3)
    fanout.close()
  })
})
