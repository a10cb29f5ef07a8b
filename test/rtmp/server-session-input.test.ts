import fc from "fast-check"
import { expect, test } from "vitest"
import { concat } from "../../src/media/bytes.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { RtmpServerSession } from "../../src/rtmp/server-session.ts"
import { CONNECT, CREATE_STREAM, command, data, HANDSHAKE, PLAY, PUBLISH, VIDEO } from "./peer.ts"

test("any split of the input gives the same events", () => {
  const metadata = data("@setDataFrame", "onMetaData", { width: 640 })
  const inputs = [
    [HANDSHAKE, CONNECT, command(0, "releaseStream", 2, null, "cam1"), CREATE_STREAM, PUBLISH],
    [metadata, VIDEO, VIDEO, command(0, "deleteStream", 5, null, 1), VIDEO],
  ].map(concat) as [Uint8Array, Uint8Array]
  const run = (step: number) => {
    const session = new RtmpServerSession(RTMP_SERVER_DEFAULTS, new Uint8Array(8), 0)
    const pushAll = (input: Uint8Array) =>
      Array.from({ length: Math.ceil(input.length / step) }, (_, i) =>
        session.push(input.subarray(i * step, (i + 1) * step), 0),
      )
    return [...pushAll(inputs[0]).flat(), ...session.acceptPublish(1), ...pushAll(inputs[1]).flat()]
  }
  const whole = run(1_000_000)
  expect(whole.at(-1)).toMatchObject({ type: "close" })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_000 }), (step) => {
      expect(run(step)).toEqual(whole)
    }),
    { numRuns: 30 },
  )
})

test("no input makes it throw", () => {
  const aggregate = serializeMessage({ typeId: 22, timestampMs: 0, streamId: 1, payload: Uint8Array.of(9, 0, 0) }, 128)
  const parts = [
    aggregate,
    CONNECT,
    CREATE_STREAM,
    PUBLISH,
    PLAY,
    VIDEO,
    data("onMetaData"),
    command(0, "deleteStream", 0, null, 1),
  ]
  const part = fc.oneof(fc.constantFrom(...parts), fc.uint8Array({ maxLength: 30 }))
  const property = fc.property(fc.array(part, { maxLength: 12 }), fc.boolean(), (inputs, accept) => {
    const session = new RtmpServerSession(RTMP_SERVER_DEFAULTS, new Uint8Array(8), 0)
    for (const input of [HANDSHAKE, ...inputs]) {
      for (const event of session.push(input, 0)) {
        if (event.type === "publishRequested" && accept) session.acceptPublish(event.streamId)
        if (event.type === "playRequested" && accept) session.acceptPlay(event.streamId)
      }
    }
  })
  fc.assert(property)
})
