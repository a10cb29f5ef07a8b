import { describe, expect, test } from "vitest"
import { aggregateMessage, parseAggregate } from "../../src/rtmp/aggregate.ts"
import { AmfTypedObject, type AmfValue } from "../../src/rtmp/amf-value.ts"
import { ChunkReader } from "../../src/rtmp/chunk-reader.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
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
import { parseSharedObject, sharedObjectMessage } from "../../src/rtmp/shared-object-message.ts"
import { hex, toHex } from "../support/bytes.ts"
import { gatewayErrorCode } from "../support/errors.ts"

/** One message of each type: its bytes on the wire, what it is made of, and what is read of it. */
interface Golden {
  readonly name: string
  readonly wire: string
  readonly message: RtmpMessage
  readonly read: (message: RtmpMessage) => unknown
  readonly content: unknown
}

const control = (name: string, wire: string, typeId: number, value: number): Golden => ({
  name,
  wire,
  message: controlMessage(typeId, value),
  read: ({ payload }) => parseControlValue(payload),
  content: value,
})

const event = (name: string, wire: string, eventType: number, value: number): Golden => ({
  name,
  wire,
  message: userControl(eventType, value),
  read: ({ payload }) => parseUserControl(payload),
  content: { eventType, value, bufferLengthMs: 0 },
})

const media = (name: string, wire: string, typeId: number): Golden => ({
  name,
  wire,
  message: { typeId, timestampMs: 40, streamId: 1, payload: hex("af01ff") },
  read: ({ payload }) => toHex(payload),
  content: "af01ff",
})

const bandwidth = (limit: "hard" | "soft" | "dynamic", byte: string): Golden => ({
  name: `Set Peer Bandwidth, ${limit}`,
  wire: `02 000000 000005 06 00000000 002625a0 ${byte}`,
  message: setPeerBandwidth(2_500_000, limit),
  read: ({ payload }) => parsePeerBandwidth(payload),
  content: { windowBytes: 2_500_000, limit },
})

const command = { name: "call", transactionId: 2, args: [null, "x"] }
const CALL = "02 0004 63616c6c 00 4000000000000000 05 02 0001 78"
const metadata: AmfValue[] = ["onMetaData", new Map([["w", 2]])]
const METADATA = "02 000a 6f6e4d65746144617461 08 00000001 0001 77 00 4000000000000000 000009"
const shared = { name: "so", version: 1, isPersistent: false, events: [{ type: "use" }] } as const

const TAGS: readonly RtmpMessage[] = [
  { typeId: 8, timestampMs: 0x0100_0000, streamId: 1, payload: hex("af01") },
  { typeId: 9, timestampMs: 0x0100_0014, streamId: 1, payload: hex("2701000000") },
]

const GOLDEN: readonly Golden[] = [
  control("Acknowledgement", "02 000000 000004 03 00000000 ffffffff", MESSAGE_TYPE.acknowledgement, 0xffff_ffff),
  control(
    "Window Acknowledgement Size",
    "02 000000 000004 05 00000000 002625a0",
    MESSAGE_TYPE.windowAckSize,
    2_500_000,
  ),
  bandwidth("hard", "00"),
  bandwidth("soft", "01"),
  bandwidth("dynamic", "02"),
  event("StreamBegin", "02 000000 000006 04 00000000 0000 00000001", USER_CONTROL.streamBegin, 1),
  event("StreamEOF", "02 000000 000006 04 00000000 0001 00000001", USER_CONTROL.streamEof, 1),
  event("StreamDry", "02 000000 000006 04 00000000 0002 00000001", USER_CONTROL.streamDry, 1),
  {
    name: "SetBufferLength",
    wire: "02 000000 00000a 04 00000000 0003 00000001 00000bb8",
    message: setBufferLength(1, 3_000),
    read: ({ payload }) => parseUserControl(payload),
    content: { eventType: USER_CONTROL.setBufferLength, value: 1, bufferLengthMs: 3_000 },
  },
  event("StreamIsRecorded", "02 000000 000006 04 00000000 0004 00000001", USER_CONTROL.streamIsRecorded, 1),
  event("PingRequest", "02 000000 000006 04 00000000 0006 fffffffe", USER_CONTROL.pingRequest, 0xffff_fffe),
  event("PingResponse", "02 000000 000006 04 00000000 0007 fffffffe", USER_CONTROL.pingResponse, 0xffff_fffe),
  event("BufferEmpty", "02 000000 000006 04 00000000 001f 00000001", USER_CONTROL.bufferEmpty, 1),
  event("BufferReady", "02 000000 000006 04 00000000 0020 00000001", USER_CONTROL.bufferReady, 1),
  media("audio", "04 000028 000003 08 01000000 af01ff", MESSAGE_TYPE.audio),
  media("video", "06 000028 000003 09 01000000 af01ff", MESSAGE_TYPE.video),
  {
    name: "AMF0 command",
    wire: `03 000000 000015 14 01000000 ${CALL}`,
    message: commandMessage(1, "call", 2, [null, "x"]),
    read: parseCommand,
    content: command,
  },
  {
    name: "AMF3 command",
    wire: `03 000000 000016 11 01000000 00 ${CALL}`,
    message: asAmf3Message(commandMessage(1, "call", 2, [null, "x"])),
    read: parseCommand,
    content: command,
  },
  {
    name: "AMF0 data",
    wire: `05 000007 000021 12 01000000 ${METADATA}`,
    message: dataMessage(1, 7, metadata),
    read: parseData,
    content: metadata,
  },
  {
    name: "AMF3 data",
    wire: `05 000007 000022 0f 01000000 00 ${METADATA}`,
    message: asAmf3Message(dataMessage(1, 7, metadata)),
    read: parseData,
    content: metadata,
  },
  {
    name: "AMF0 shared object",
    wire: "03 000000 000015 13 00000000 0002 736f 00000001 00000000 00000000 01 00000000",
    message: sharedObjectMessage({ ...shared, encoding: "amf0" }),
    read: parseSharedObject,
    content: { ...shared, encoding: "amf0" },
  },
  {
    name: "AMF3 shared object",
    wire: "03 000000 000016 10 00000000 00 0002 736f 00000001 00000000 00000000 01 00000000",
    message: sharedObjectMessage({ ...shared, encoding: "amf0InAmf3" }),
    read: parseSharedObject,
    content: { ...shared, encoding: "amf0InAmf3" },
  },
  {
    name: "aggregate",
    wire:
      "06 ffffff 000025 16 01000000 01000000" +
      "08 000002 000000 01 000001 af01 0000000d  09 000005 000014 01 000001 2701000000 00000010",
    message: aggregateMessage(TAGS),
    read: parseAggregate,
    content: TAGS,
  },
]

test.each(GOLDEN)("$name has these bytes, written and read", ({ wire, message, read, content }) => {
  expect(toHex(serializeMessage(message, 128))).toBe(wire.replace(/\s/g, ""))
  const received: RtmpMessage[] = []
  const reader = new ChunkReader({ maxMessageBytes: 1_000, maxPendingBytes: 1_000, maxChunkStreams: 2 })
  for (const byte of hex(wire)) reader.push(Uint8Array.of(byte), (item) => received.push(item))
  expect(received).toEqual([message])
  expect(read(received[0] as RtmpMessage)).toEqual(content)
})

describe("Set Chunk Size and Abort are written like any control message; the reader obeys them", () => {
  test.each([
    { typeId: MESSAGE_TYPE.setChunkSize, wire: "02 000000 000004 01 00000000 00001000", value: 4_096 },
    { typeId: MESSAGE_TYPE.abort, wire: "02 000000 000004 02 00000000 00000006", value: 6 },
  ])("type $typeId", ({ typeId, wire, value }) => {
    expect(toHex(serializeMessage(controlMessage(typeId, value), 128))).toBe(wire.replace(/\s/g, ""))
  })
})

test("user control events that are not known may have any length, known ones need their values", () => {
  expect(parseUserControl(hex("001a"))).toEqual({ eventType: 26, value: 0, bufferLengthMs: 0 })
  expect(parseUserControl(hex("0063 00000005 aa"))).toEqual({ eventType: 99, value: 5, bufferLengthMs: 0 })
  expect(gatewayErrorCode(() => parseUserControl(hex("0006 0000")))).toBe("bytes.truncated")
  expect(gatewayErrorCode(() => parseUserControl(hex("0003 00000001")))).toBe("bytes.truncated")
})

test("an unknown limit type of Set Peer Bandwidth counts as dynamic", () => {
  expect(parsePeerBandwidth(hex("00001000 07"))).toEqual({ windowBytes: 4_096, limit: "dynamic" })
})

describe("messages of types 17 and 15 come in several forms", () => {
  const amf3 = (payload: string) => ({
    typeId: MESSAGE_TYPE.commandAmf3,
    timestampMs: 0,
    streamId: 0,
    payload: hex(payload),
  })

  test.each([
    { name: "AMF0 without a format byte", payload: CALL },
    { name: "AMF0 behind format byte 0", payload: `00 ${CALL}` },
    { name: "AMF3 values in AMF0", payload: "00 02 0004 63616c6c 00 4000000000000000 05 11 06 03 78" },
    { name: "AMF3 behind format byte 0", payload: "00 06 09 63616c6c 04 02 01 06 03 78" },
    { name: "AMF3 behind format byte 3", payload: "03 06 09 63616c6c 05 4000000000000000 01 06 03 78" },
    { name: "AMF3 alone", payload: "06 09 63616c6c 04 02 01 06 03 78" },
  ])("$name", ({ payload }) => {
    expect(parseCommand(amf3(payload))).toEqual(command)
  })

  test("AMF3 values of one message share their tables", () => {
    const values = parseData(amf3("00 02 0001 78 11 0a 0b 01 03 61 06 03 76 01 11 06 02 11 0a 00"))
    expect(values).toEqual(["x", { a: "v" }, "v", { a: "v" }])
    expect(values[3]).toBe(values[1])
  })
})

test.each([
  { name: "nothing", payload: "" },
  { name: "a number", payload: "00 4000000000000000" },
  { name: "a transaction id that is a string", payload: "02 0001 78 02 0001 78" },
])("$name is no command", ({ payload }) => {
  const message = { typeId: MESSAGE_TYPE.commandAmf0, timestampMs: 0, streamId: 0, payload: hex(payload) }
  expect(gatewayErrorCode(() => parseCommand(message))).toBe("rtmp.amf")
})

test("a typed object as the command object keeps its class", () => {
  const message = commandMessage(0, "call", 0, [new AmfTypedObject("C", { a: 1 })])
  expect(parseCommand(message).args[0]).toMatchObject({ className: "C", properties: { a: 1 } })
})

describe("aggregates", () => {
  const aggregate = (payload: string, timestampMs: number) => ({
    typeId: 22,
    timestampMs,
    streamId: 3,
    payload: hex(payload),
  })

  test("times of tags count from the time of the message, and wrap with it", () => {
    const parts = parseAggregate(
      aggregate("08 000001 000100 00 000000 aa 0000000c 09 000001 000120 00 000000 bb 0000000c", 0xffff_fff0),
    )
    expect(parts.map(({ timestampMs, streamId }) => [timestampMs, streamId])).toEqual([
      [0xffff_fff0, 3],
      [0x10, 3],
    ])
  })

  test("the length behind the last tag may lack", () => {
    expect(parseAggregate(aggregate("08 000001 000000 00 000000 aa", 0))).toHaveLength(1)
  })

  test("a tag that is cut off is refused", () => {
    expect(gatewayErrorCode(() => parseAggregate(aggregate("08 000002 000000 00 000000 aa", 0)))).toBe(
      "bytes.truncated",
    )
  })
})
