import { expect, test } from "vitest"
import type { TimedAudio, TranscoderConfig } from "../../../src/audio/transcoder.ts"
import { WasmTranscoders } from "../../../src/io/audio/wasm-transcoders.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"

const CONFIG: TranscoderConfig = { direction: "opus-to-aac", channels: 2, bitrateBps: 128_000 }
const scope = testScope()

function withWorker(name: string, options: { maxPendingFrames?: number; lingerMs?: number } = {}): WasmTranscoders {
  const workerUrl = new URL(`./workers/${name}.ts`, import.meta.url)
  const transcoders = new WasmTranscoders({ ...options, workerUrl })
  scope.defer(() => transcoders.close())
  return transcoders
}

/** An open transcoder with what it has reported. */
function open(transcoders: WasmTranscoders) {
  const frames: TimedAudio[] = []
  const errors: Error[] = []
  const transcoder = transcoders.open(CONFIG, {
    onFrame: (frame) => frames.push(frame),
    onError: (error) => errors.push(error),
  })
  const push = (ptsUs: number, kind = 0) => transcoder.push({ ptsUs, data: Uint8Array.of(kind) })
  return { transcoder, push, frames, errors }
}

test.each([
  { how: "throws", kind: 0xdd, says: /stopped: crashed as told/ },
  { how: "exits", kind: 0xee, says: /stopped: exit code 3/ },
])("a worker that $how is reported to every transcoder and replaced", async ({ kind, says }) => {
  const transcoders = withWorker("crashing")
  const [one, other] = [open(transcoders), open(transcoders)]
  one.push(1)
  await until("the first frame", () => one.frames.length === 1)
  one.push(2, kind)
  await until("reports", () => one.errors.length > 0 && other.errors.length > 0)
  expect(one.errors).toHaveLength(1)
  expect(one.errors[0]).toMatchObject({ code: "audio.transcode", message: expect.stringMatching(says) })
  await until("the new worker", () => {
    one.push(3)
    other.push(4)
    return one.frames.length > 1 && other.frames.length > 0
  })
  expect(other.frames[0]).toEqual({ ptsUs: 4, data: Uint8Array.of(0) })
})

test("a worker that falls behind gets no more than its share, and that is reported once", async () => {
  const transcoders = withWorker("stuck", { maxPendingFrames: 10 })
  const { push, errors } = open(transcoders)
  for (let i = 0; i < 30; i++) push(i)
  expect(errors.map((error) => error.message)).toEqual(["the audio worker falls behind, frames are dropped"])
})

test("errors are reported once a second", async () => {
  const { push, frames, errors } = open(withWorker("failing"))
  for (let i = 0; i < 50; i++) push(i)
  push(-1)
  await until("the last answer", () => frames.length === 1)
  expect(errors.map((error) => error.message)).toEqual(["bad frame"])
})

test("data is borrowed until push returns", async () => {
  const { transcoder, frames } = open(withWorker("crashing"))
  const packet = new Uint8Array(64_000).subarray(10, 13)
  packet.set([1, 2, 3])
  transcoder.push({ ptsUs: 0, data: packet })
  packet.fill(9)
  await until("the frame", () => frames.length === 1)
  expect(frames[0]?.data).toEqual(Uint8Array.of(1, 2, 3))
  expect(frames[0]?.data.buffer.byteLength).toBe(3)
})

test("a callback may close its transcoder", async () => {
  const transcoders = withWorker("crashing")
  const frames: TimedAudio[] = []
  const transcoder = transcoders.open(CONFIG, {
    onFrame: (frame) => {
      frames.push(frame)
      transcoder.close()
    },
    onError: () => {},
  })
  const other = open(transcoders)
  for (let i = 0; i < 10; i++) transcoder.push({ ptsUs: i, data: Uint8Array.of(0) })
  other.push(0)
  await until("the other's frame", () => other.frames.length === 1)
  expect(frames).toHaveLength(1)
})

test("a worker that nobody needed ends, and comes back when somebody does", async () => {
  const transcoders = withWorker("crashing", { lingerMs: 0 })
  for (const ptsUs of [1, 2, 3]) {
    const { transcoder, push, frames } = open(transcoders)
    push(ptsUs)
    await until("the frame", () => frames.length === 1)
    transcoder.close()
    await new Promise((resolve) => setImmediate(resolve))
  }
})
