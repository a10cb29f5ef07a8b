import { FlvToFrames } from "../../src/bridge/flv-to-frames.ts"
import { GatewayError } from "../../src/errors.ts"
import { FlvFileReader } from "../../src/flv/file-reader.ts"
import { flvFileHeader, flvTag } from "../../src/flv/file-writer.ts"
import { parseVideoTag } from "../../src/flv/video-tag.ts"
import { hmacSha256 } from "../../src/io/rtmp/hmac.ts"
import { concat } from "../../src/media/bytes.ts"
import { parseAggregate } from "../../src/rtmp/aggregate.ts"
import type { AmfValue } from "../../src/rtmp/amf-value.ts"
import { parseAmf0, serializeAmf0 } from "../../src/rtmp/amf0.ts"
import { parseAmf3 } from "../../src/rtmp/amf3-decoder.ts"
import { serializeAmf3 } from "../../src/rtmp/amf3-encoder.ts"
import { ChunkReader } from "../../src/rtmp/chunk-reader.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import { commandMessage, controlMessage, MESSAGE_TYPE } from "../../src/rtmp/message.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { RtmpServerSession } from "../../src/rtmp/server-session.ts"
import { parseSharedObject } from "../../src/rtmp/shared-object-message.ts"
import { sampleBodies } from "./fuzz-flv-targets.ts"

/** An input that can be made as long as one likes, of the sort that a careless parser takes the square of its length for. */
export interface GrowingInput {
  readonly name: string
  make(bytes: number): Uint8Array
  run(input: Uint8Array): void
}

/** How long an input takes, and one four times as long: about four times is right, sixteen is a square. */
export interface Growth {
  readonly bytes: number
  readonly ms: number
  readonly msFourfold: number
}

/** Times an input at the length from which on it takes measurable time. */
export function measureGrowth(input: GrowingInput): Growth {
  let bytes = FIRST_BYTES
  let ms = bestMs(input, bytes)
  while (ms < MEASURABLE_MS && bytes < LAST_BYTES) {
    bytes *= 2
    ms = bestMs(input, bytes)
  }
  return { bytes, ms, msFourfold: bestMs(input, bytes * 4) }
}

/** True where the time grows faster than the length, beyond what the collector and other processes account for. */
export function growsTooFast({ ms, msFourfold }: Growth): boolean {
  return msFourfold > 10 * ms + 5
}

function bestMs({ make, run }: GrowingInput, bytes: number): number {
  const input = make(bytes)
  let best = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < TURNS; turn++) {
    const startMs = performance.now()
    try {
      run(input)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
    }
    best = Math.min(best, performance.now() - startMs)
  }
  return best
}

/** One for each loop over what a peer sent. */
export const GROWING_INPUTS: readonly GrowingInput[] = [
  {
    name: "a message in chunks of one byte",
    make: (bytes) =>
      concat([
        serializeMessage(controlMessage(MESSAGE_TYPE.setChunkSize, 1), 128),
        serializeMessage({ typeId: 9, timestampMs: 0, streamId: 1, payload: new Uint8Array(bytes) }, 1),
      ]),
    run: (input) => readChunks(input, input.length),
  },
  {
    name: "a message that arrives byte by byte",
    make: (bytes) => serializeMessage({ typeId: 9, timestampMs: 0, streamId: 1, payload: new Uint8Array(bytes) }, 128),
    run: (input) => readChunks(input, 1),
  },
  {
    name: "empty messages",
    make: (bytes) => repeat("06 000000 000000 09 01000000", bytes),
    run: (input) => readChunks(input, input.length),
  },
  {
    name: "AMF0: an object with many names",
    make: (bytes) => serializeAmf0([Object.fromEntries(Array.from({ length: bytes / 10 }, (_, i) => [`k${i}`, null]))]),
    run: (input) => void serializeAmf0(parseAmf0(input)),
  },
  {
    name: "AMF0: an array of references",
    make: (bytes) => concat([fromHex("0a 00000000"), repeat("07 0000", bytes)]),
    run: (input) => void parseAmf0(input),
  },
  {
    name: "AMF0: arrays in arrays",
    make: (bytes) => repeat(`${"0a00000001".repeat(20)} 05`, bytes),
    run: (input) => void serializeAmf0(parseAmf0(input), { hasReferences: true }),
  },
  {
    name: "AMF0: the same name again and again",
    make: (bytes) => concat([fromHex("03"), repeat("0001 61 05", bytes), fromHex("000009")]),
    run: (input) => void parseAmf0(input),
  },
  {
    name: "AMF3: strings by reference",
    make: (bytes) => concat([serializeAmf3(["abc"]), repeat("06 00", bytes)]),
    run: (input) => void serializeAmf3(parseAmf3(input)),
  },
  {
    name: "AMF3: objects of many classes",
    make: (bytes) => {
      const value = (i: number): AmfValue => ({ [`k${i}`]: [new Date(0)] })
      return serializeAmf3(Array.from({ length: bytes / 20 }, (_, i) => value(i)))
    },
    run: (input) => void serializeAmf3(parseAmf3(input)),
  },
  {
    name: "AMF3: a class of many names that nobody uses",
    make: (bytes) => concat([fromHex("0a"), u29((bytes << 4) | 3), repeat("01", bytes + 1)]),
    run: (input) => void parseAmf3(input),
  },
  {
    name: "aggregate: empty tags",
    make: (bytes) => repeat("08 000000 000000 00 000000 0000000b", bytes),
    run: (payload) => void parseAggregate({ typeId: 22, timestampMs: 0, streamId: 1, payload }),
  },
  {
    name: "shared object: many events",
    make: (bytes) => concat([SHARED_OBJECT_HEAD, repeat("01 00000000", bytes)]),
    run: (payload) => void parseSharedObject({ typeId: 19, timestampMs: 0, streamId: 0, payload }),
  },
  {
    name: "shared object: many values",
    make: (bytes) => {
      const values = repeat("0001 61 05", bytes)
      const head = Buffer.alloc(5, 4)
      head.writeUInt32BE(values.length, 1)
      return concat([SHARED_OBJECT_HEAD, head, values])
    },
    run: (payload) => void parseSharedObject({ typeId: 19, timestampMs: 0, streamId: 0, payload }),
  },
  {
    name: "session: commands nobody knows",
    make: (bytes) => {
      const unknown = serializeMessage(commandMessage(0, "x", 1, [null]), 128)
      return concat([CONNECT, ...Array.from({ length: bytes / unknown.length }, () => unknown)])
    },
    run: (input) => {
      const session = new RtmpServerSession(RTMP_SERVER_DEFAULTS, new Uint8Array(8), 0, hmacSha256)
      session.push(concat([Uint8Array.of(3), new Uint8Array(2 * 1_536)]), 0)
      session.push(input, 0)
    },
  },
  {
    name: "FLV: empty tags",
    make: (bytes) => concat([FLV_HEAD, repeat("08 000000 000000 00 000000 0000000b", bytes)]),
    run: (input) => readFile(input, input.length),
  },
  {
    name: "FLV: a tag that arrives byte by byte",
    make: (bytes) => concat([FLV_HEAD, flvTag({ typeId: 9, timestampMs: 0, parts: [new Uint8Array(bytes)] })]),
    run: (input) => readFile(input, 1),
  },
  {
    name: "tags: modifiers in a row",
    make: (bytes) => concat([fromHex("97"), repeat("00 00 07", bytes)]),
    run: (input) => void parseVideoTag(input),
  },
  {
    name: "pictures: NAL units of one byte",
    make: (bytes) => concat([fromHex("27 01 000000 00000002 419a"), repeat("00000001 06", bytes)]),
    run: (input) => pushPicture(fromHex(AVC_CONFIG_BODY), input),
  },
  {
    name: "pictures: OBUs without content",
    make: (bytes) => concat([av1Body(0x91) ?? av1Body(0x93) ?? new Uint8Array(0), repeat("7a00", bytes)]),
    run: (input) => pushPicture(av1Body(0x90), input),
  },
]

function readChunks(input: Uint8Array, stepBytes: number): void {
  const limits = { maxMessageBytes: 2 ** 23, maxPendingBytes: 2 ** 24, maxChunkStreams: 8 }
  const reader = new ChunkReader(limits)
  for (let at = 0; at < input.length; at += stepBytes) reader.push(input.subarray(at, at + stepBytes), () => {})
}

function pushPicture(config: Uint8Array | undefined, body: Uint8Array): void {
  const frames = new FlvToFrames(0)
  if (config !== undefined) frames.pushVideo(0, config, 0)
  frames.pushVideo(0, body, 0)
}

/** The first recorded body of AV1 that begins with this byte. */
function av1Body(first: number): Uint8Array | undefined {
  return BODIES.video.find((body) => body[0] === first && Buffer.from(body).indexOf("av01") === 1)
}

function readFile(input: Uint8Array, stepBytes: number): void {
  const reader = new FlvFileReader(2 ** 23)
  for (let at = 0; at < input.length; at += stepBytes) reader.push(input.subarray(at, at + stepBytes), () => {})
}

function repeat(digits: string, bytes: number): Uint8Array {
  const part = fromHex(digits)
  const count = Math.ceil(bytes / part.length)
  const repeated = new Uint8Array(count * part.length)
  for (let i = 0; i < count; i++) repeated.set(part, i * part.length)
  return repeated
}

/** The longest form, AMF 3 specification section 1.3.1. */
function u29(value: number): Uint8Array {
  return Uint8Array.of((value >> 22) | 0x80, ((value >> 15) & 0x7f) | 0x80, ((value >> 8) & 0x7f) | 0x80, value & 0xff)
}

function fromHex(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits.replaceAll(" ", ""), "hex"))
}

const BODIES = sampleBodies()
const AVC_CONFIG_BODY =
  "17 00 000000 01 64001e ff e1 001a 6764001eacd940a02ff97011000003000100000300320f162d96 01 0004 68ef8fcb fdf8f800"
const FIRST_BYTES = 2 ** 13
const LAST_BYTES = 2 ** 18
const MEASURABLE_MS = 1
const TURNS = 4
const SHARED_OBJECT_HEAD = fromHex("0001 73 00000001 00000000 00000000")
const FLV_HEAD = flvFileHeader({ hasVideo: true, hasAudio: true })
const CONNECT = serializeMessage(commandMessage(0, "connect", 1, [{ app: "live", tcUrl: "rtmp://h/live" }]), 128)
