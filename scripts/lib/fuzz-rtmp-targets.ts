import { GatewayError } from "../../src/errors.ts"
import { hmacSha256 } from "../../src/io/rtmp/hmac.ts"
import { concat } from "../../src/media/bytes.ts"
import { aggregateMessage, parseAggregate } from "../../src/rtmp/aggregate.ts"
import {
  AmfDictionary,
  AmfExternalObject,
  AmfTypedObject,
  type AmfValue,
  AmfVector,
  AmfXml,
} from "../../src/rtmp/amf-value.ts"
import { parseAmf0, serializeAmf0 } from "../../src/rtmp/amf0.ts"
import { parseAmf3 } from "../../src/rtmp/amf3-decoder.ts"
import { serializeAmf3 } from "../../src/rtmp/amf3-encoder.ts"
import { ChunkReader } from "../../src/rtmp/chunk-reader.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import { ClientHandshake } from "../../src/rtmp/client-handshake.ts"
import { RTMP_CLIENT_DEFAULTS, type RtmpClientOptions } from "../../src/rtmp/client-options.ts"
import { RtmpClientSession } from "../../src/rtmp/client-session.ts"
import { ServerHandshake } from "../../src/rtmp/handshake.ts"
import { findDigest } from "../../src/rtmp/handshake-digest.ts"
import {
  asAmf3Message,
  commandMessage,
  controlMessage,
  dataMessage,
  MESSAGE_TYPE,
  parseCommand,
  parseControlValue,
  parseData,
  parsePeerBandwidth,
  parseUserControl,
  type RtmpMessage,
  setBufferLength,
  setPeerBandwidth,
  USER_CONTROL,
  userControl,
} from "../../src/rtmp/message.ts"
import { parseRtmpUrl } from "../../src/rtmp/rtmp-url.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { RtmpServerSession } from "../../src/rtmp/server-session.ts"
import { parseSharedObject, type SharedObjectEvent, sharedObjectMessage } from "../../src/rtmp/shared-object-message.ts"
import type { FuzzTarget } from "./fuzz-rtmp.ts"

/** Handshakes, chunks, messages, AMF, and the sessions that are made of them. */
export function fuzzRtmpTargets(): FuzzTarget[] {
  return [
    { name: "server handshake", samples: [C0C1_DIGEST, C0C1_SIMPLE, FIRST_BYTES], run: runServerHandshake },
    {
      name: "client handshake",
      samples: [S0S1S2_DIGEST, concat([C0C1_SIMPLE, C0C1_SIMPLE.subarray(1)])],
      run: runClientHandshake,
    },
    { name: "chunks", samples: chunkSamples(), run: runChunks },
    {
      name: "messages",
      samples: MESSAGES.map(({ typeId, payload }) => concat([Uint8Array.of(typeId), payload])),
      run: runMessage,
    },
    {
      name: "amf0",
      samples: VALUES.map((value) => serializeAmf0([value, "x"], { hasReferences: true })),
      run: runAmf0,
    },
    { name: "amf3", samples: VALUES.map((value) => serializeAmf3([value, "x"])), run: runAmf3 },
    { name: "server session", samples: [CLIENT_TALK, PLAYER_TALK], run: runServerSession },
    { name: "client session", samples: [SERVER_TALK], run: runClientSession },
  ]
}

function runServerHandshake(input: Uint8Array, index: number): void {
  pushInSteps(new ServerHandshake(RANDOM, hmacSha256), input, index)
}

function runClientHandshake(input: Uint8Array, index: number): void {
  pushInSteps(new ClientHandshake(RANDOM, hmacSha256), input, index)
  if (input.length > 1_536) findDigest(input.subarray(1, 1_537), "server", hmacSha256)
}

function pushInSteps(handshake: ServerHandshake | ClientHandshake, input: Uint8Array, index: number): void {
  const stepBytes = STEPS[index % STEPS.length] as number
  for (let at = 0; at < input.length; at += stepBytes) {
    if (handshake.push(input.subarray(at, at + stepBytes)).rest !== undefined) return
  }
}

/** Every sixteenth input is read a second time in pieces, which must give the same messages. */
function runChunks(input: Uint8Array, index: number): void {
  const whole = readChunks(input, input.length)
  if (index % 16 < 2) {
    const pieces = readChunks(input, 1 + (index % 7))
    if (whole.text !== pieces.text) throw new Error(`in pieces of ${1 + (index % 7)} bytes other messages come out`)
  }
  if (whole.error !== undefined) throw whole.error
}

function readChunks(input: Uint8Array, stepBytes: number): { text: string; error: GatewayError | undefined } {
  const reader = new ChunkReader(CHUNK_LIMITS)
  let text = ""
  const onMessage = ({ typeId, timestampMs, streamId, payload }: RtmpMessage) => {
    text += `${typeId} ${timestampMs} ${streamId} ${payload.length} ${payload[0]} ${payload.at(-1)} ${reader.consumedBytes}\n`
  }
  try {
    for (let at = 0; at < input.length; at += stepBytes) reader.push(input.subarray(at, at + stepBytes), onMessage)
  } catch (error) {
    if (error instanceof GatewayError) return { text: `${text}${error.message}`, error }
    throw error
  }
  return { text, error: undefined }
}

/** The first byte is the type of the message. What can be read can be written again. */
function runMessage(input: Uint8Array): void {
  const message = { typeId: (input[0] ?? 0) & 0x1f, timestampMs: 0xffff_ff00, streamId: 1, payload: input.subarray(1) }
  const { payload } = message
  switch (message.typeId) {
    case MESSAGE_TYPE.userControl:
      parseUserControl(payload)
      return
    case MESSAGE_TYPE.setPeerBandwidth:
      parsePeerBandwidth(payload)
      return
    case MESSAGE_TYPE.sharedObjectAmf0:
    case MESSAGE_TYPE.sharedObjectAmf3:
      sharedObjectMessage(parseSharedObject(message))
      return
    case MESSAGE_TYPE.commandAmf0:
    case MESSAGE_TYPE.commandAmf3:
      parseCommand(message)
      return
    case MESSAGE_TYPE.dataAmf0:
    case MESSAGE_TYPE.dataAmf3:
      parseData(message)
      return
    case MESSAGE_TYPE.aggregate: {
      const parts = parseAggregate(message)
      const again = parseAggregate(aggregateMessage(parts))
      if (again.length !== parts.length) throw new Error("an aggregate does not give its messages back")
      return
    }
    default:
      parseControlValue(payload)
  }
}

function runAmf0(input: Uint8Array, index: number): void {
  const values = parseAmf0(input)
  if (index % 8 < 4) checkSame(values, parseAmf0(serializeAmf0(values, { hasReferences: index % 16 < 8 })))
}

function runAmf3(input: Uint8Array, index: number): void {
  const values = parseAmf3(input)
  if (index % 8 < 4) checkSame(values, parseAmf3(serializeAmf3(values)))
}

function checkSame(values: readonly AmfValue[], again: readonly AmfValue[]): void {
  if (again.length !== values.length) throw new Error("not as many values as were written")
}

function runServerSession(input: Uint8Array, index: number): void {
  const session = new RtmpServerSession(RTMP_SERVER_DEFAULTS, RANDOM, 0, hmacSha256)
  session.push(HANDSHAKE, 0)
  const stepBytes = index % 3 === 0 ? 61 : input.length
  for (let at = 0; at < input.length; at += stepBytes) {
    for (const event of session.push(input.subarray(at, at + stepBytes), 10)) {
      if (event.type === "close" && event.error !== undefined) throw event.error
      if (event.type === "publishRequested") session.acceptPublish(event.streamId)
      if (event.type === "playRequested") session.acceptPlay(event.streamId)
    }
  }
  session.onTimeout(session.nextTimeoutMs ?? 20)
}

function runClientSession(input: Uint8Array, index: number): void {
  const options: RtmpClientOptions = {
    action: index % 2 === 0 ? "play" : "publish",
    address: ADDRESS,
    limits: RTMP_CLIENT_DEFAULTS,
  }
  const session = new RtmpClientSession(options, RANDOM, 0)
  session.start(0)
  session.push(HANDSHAKE, 0)
  const stepBytes = index % 3 === 0 ? 61 : input.length
  for (let at = 0; at < input.length; at += stepBytes) {
    for (const event of session.push(input.subarray(at, at + stepBytes), 10)) {
      if (event.type === "close" && event.error !== undefined) throw event.error
    }
  }
}

const RANDOM = Uint8Array.of(5, 6, 7)
const STEPS = [4_000, 1_536, 1_537, 700, 5]
const HANDSHAKE = concat([Uint8Array.of(3), new Uint8Array(2 * 1_536)])
const C0C1_DIGEST = new ClientHandshake(RANDOM, hmacSha256).start()
const C0C1_SIMPLE = new ClientHandshake(RANDOM).start()
const FIRST_BYTES = new TextEncoder().encode("GET / HTTP/1.1\r\n")
const S0S1S2_DIGEST = new ServerHandshake(RANDOM, hmacSha256).push(C0C1_DIGEST).send as Uint8Array
const CHUNK_LIMITS = { maxMessageBytes: 4_096, maxPendingBytes: 8_192, maxChunkStreams: 8 }
const ADDRESS = parseRtmpUrl("rtmp://h/live/cam?key=1")

const SHARED_VALUE = { a: 1, b: [1, 2] }
const VALUES: readonly AmfValue[] = [
  1.5,
  true,
  "text",
  "x".repeat(40),
  null,
  undefined,
  new Date(1_000),
  { app: "live", tcUrl: "rtmp://h/live", nested: { a: { b: { c: [1] } } } },
  new Map<string, AmfValue>([
    ["width", 1_280],
    ["encoder", "x"],
  ]),
  [1, "two", [3], SHARED_VALUE, SHARED_VALUE, SHARED_VALUE],
  new AmfTypedObject("C", { a: 1, b: new AmfTypedObject("C", { a: 2, b: null }) }),
  new AmfExternalObject("flex.messaging.io.ArrayCollection", [1, SHARED_VALUE, SHARED_VALUE]),
  new AmfXml("<a/>"),
  new AmfXml("<a/>", "e4x"),
  Uint8Array.of(1, 2, 3, 4),
  new AmfVector({ type: "int", items: [-1, 2] }, true),
  new AmfVector({ type: "uint", items: [1, 2] }),
  new AmfVector({ type: "double", items: [0.5, 2] }),
  new AmfVector({ type: "object", typeName: "C", items: [SHARED_VALUE, "s", "s"] }),
  new AmfDictionary([
    ["k", 1],
    [SHARED_VALUE, SHARED_VALUE],
  ]),
]

const EVENTS: readonly SharedObjectEvent[] = [
  { type: "use" },
  { type: "requestChange", key: "k", value: SHARED_VALUE },
  {
    type: "change",
    values: new Map<string, AmfValue>([
      ["k", 1],
      ["l", [2]],
    ]),
  },
  { type: "success", key: "k" },
  { type: "sendMessage", values: ["handler", 1, null] },
  { type: "status", code: "C", level: "error" },
  { type: "remove", key: "k" },
  { type: "release" },
]
const SHARED_OBJECT = { name: "so", version: 1, isPersistent: false, events: EVENTS }
const MEDIA: readonly RtmpMessage[] = [
  { typeId: MESSAGE_TYPE.audio, timestampMs: 0, streamId: 1, payload: Uint8Array.of(0xaf, 1, 2, 3) },
  { typeId: MESSAGE_TYPE.video, timestampMs: 0x100_0000, streamId: 1, payload: new Uint8Array(300).fill(0x27) },
]
const METADATA = dataMessage(1, 0, ["@setDataFrame", "onMetaData", VALUES[8]])
const MESSAGES: readonly RtmpMessage[] = [
  controlMessage(MESSAGE_TYPE.acknowledgement, 100),
  controlMessage(MESSAGE_TYPE.windowAckSize, 2_500_000),
  setPeerBandwidth(2_500_000, "hard"),
  userControl(USER_CONTROL.pingRequest, 7),
  setBufferLength(1, 3_000),
  commandMessage(0, "connect", 1, [SHARED_VALUE]),
  asAmf3Message(commandMessage(0, "call", 2, VALUES.slice(9))),
  { ...asAmf3Message(METADATA), payload: serializeAmf3(["onMetaData", VALUES[8]]) },
  METADATA,
  sharedObjectMessage({ ...SHARED_OBJECT, encoding: "amf0" }),
  sharedObjectMessage({ ...SHARED_OBJECT, encoding: "amf3" }),
  sharedObjectMessage({ ...SHARED_OBJECT, encoding: "amf0InAmf3" }),
  aggregateMessage(MEDIA),
  aggregateMessage([...MEDIA, ...MEDIA]),
]

const CONNECT = commandMessage(0, "connect", 1, [
  { app: "live", tcUrl: "rtmp://h/live", objectEncoding: 3, fourCcList: ["hvc1", "*"], capsEx: 15 },
])
const CLIENT_TALK = talk([
  CONNECT,
  controlMessage(MESSAGE_TYPE.windowAckSize, 5_000),
  setPeerBandwidth(5_000, "hard"),
  commandMessage(0, "releaseStream", 2, [null, "cam"]),
  commandMessage(0, "createStream", 3, [null]),
  commandMessage(1, "publish", 4, [null, "cam?token=1", "live"]),
  METADATA,
  ...MEDIA,
  aggregateMessage(MEDIA),
  commandMessage(1, "closeStream", 5, [null]),
])
const PLAYER_TALK = talk([
  CONNECT,
  asAmf3Message(commandMessage(0, "createStream", 2, [null])),
  commandMessage(0, "getStreamLength", 3, [null, "cam"]),
  commandMessage(1, "play", 4, [null, "cam", -2, -1, true]),
  setBufferLength(1, 3_000),
  userControl(USER_CONTROL.pingResponse, 1),
  commandMessage(1, "receiveVideo", 5, [null, false]),
  commandMessage(1, "pause", 6, [null, true, 0]),
  commandMessage(1, "seek", 7, [null, 1_000]),
  sharedObjectMessage({ ...SHARED_OBJECT, encoding: "amf0" }),
  commandMessage(0, "deleteStream", 8, [null, 1]),
])
const STATUS = { level: "status", code: "NetStream.Play.Start", description: "" }
const SERVER_TALK = talk([
  controlMessage(MESSAGE_TYPE.windowAckSize, 5_000),
  setPeerBandwidth(5_000),
  controlMessage(MESSAGE_TYPE.setChunkSize, 4_096),
  commandMessage(0, "_result", 1, [{ fmsVer: "FMS/3" }, { ...STATUS, code: "NetConnection.Connect.Success" }]),
  commandMessage(0, "onBWDone", 0, [null, 8_192]),
  commandMessage(0, "_result", 2, [null, 1]),
  commandMessage(0, "_result", 3, [null, 1]),
  commandMessage(0, "_result", 4, [null, 1]),
  userControl(USER_CONTROL.streamBegin, 1),
  commandMessage(1, "onStatus", 0, [null, STATUS]),
  commandMessage(1, "onStatus", 0, [null, { ...STATUS, code: "NetStream.Publish.Start" }]),
  dataMessage(1, 0, ["onMetaData", VALUES[8]]),
  ...MEDIA,
  userControl(USER_CONTROL.pingRequest, 9),
  commandMessage(1, "onStatus", 0, [null, { ...STATUS, code: "NetStream.Play.UnpublishNotify" }]),
])

function talk(messages: readonly RtmpMessage[]): Uint8Array {
  return concat(messages.map((message) => serializeMessage(message, 128)))
}

/** All header types, both dialects of extended timestamps, two messages interleaved, Abort. */
function chunkSamples(): Uint8Array[] {
  const bytes = (digits: string) => Uint8Array.from(Buffer.from(digits.replaceAll(" ", ""), "hex"))
  const half = "78".repeat(128)
  return [
    CLIENT_TALK,
    talk(MEDIA),
    bytes("04 000010 000001 08 01000000 aa 44 000005 000002 08 bbcc 84 000003 ddee c4 ffff"),
    bytes("00 00 000001 000001 08 01000000 aa 01 0001 000002 000001 09 01000000 bb c0 00 cc c1 0001 dd"),
    bytes(`06 ffffff 000082 09 01000000 01000000 ${half} c6 aabb 46 000001 000001 09 cc`),
    bytes(`06 ffffff 000082 09 01000000 01000000 ${half} c6 01000000 aabb 46 ffffff 000001 09 01000000 cc`),
    bytes(`06 000000 000082 09 01000000 ${half} 04 000001 000001 08 01000000 aa c6 aabb`),
    bytes(`02 000000 000004 01 00000000 00000002 06 000000 000004 09 01000000 0102 c6 0304`),
    bytes(`06 000000 000082 09 01000000 ${half} 02 000000 000004 02 00000000 00000006 46 000001 000001 09 aa`),
  ]
}
