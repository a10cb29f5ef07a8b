import fc from "fast-check"
import { expect, test } from "vitest"
import { MESSAGE_TYPE } from "../../src/rtmp/message.ts"
import { parseSharedObject, type SharedObjectEvent, sharedObjectMessage } from "../../src/rtmp/shared-object-message.ts"
import { hex, toHex } from "../support/bytes.ts"
import { allowGatewayErrors, gatewayErrorCode } from "../support/errors.ts"

const HEADER = "0001 73 00000007 00000002 00000000"
const content = { name: "s", version: 7, isPersistent: true } as const

test.each<{ name: string; bytes: string; event: SharedObjectEvent }>([
  { name: "use", bytes: "01 00000000", event: { type: "use" } },
  { name: "release", bytes: "02 00000000", event: { type: "release" } },
  {
    name: "request change",
    bytes: "03 0000000c 0001 61 00 3ff0000000000000",
    event: { type: "requestChange", key: "a", value: 1 },
  },
  {
    name: "change of two values",
    bytes: "04 00000009 0001 61 05 0001 62 0101",
    event: {
      type: "change",
      values: new Map<string, null | boolean>([
        ["a", null],
        ["b", true],
      ]),
    },
  },
  { name: "success", bytes: "05 00000003 0001 61", event: { type: "success", key: "a" } },
  {
    name: "send message",
    bytes: "06 0000000b 02 0002 6869 02 0003 616c6c",
    event: { type: "sendMessage", values: ["hi", "all"] },
  },
  {
    name: "status",
    bytes: "07 0000000a 0001 43 0005 6572726f72",
    event: { type: "status", code: "C", level: "error" },
  },
  { name: "clear", bytes: "08 00000000", event: { type: "clear" } },
  { name: "remove", bytes: "09 00000003 0001 61", event: { type: "remove", key: "a" } },
  { name: "request remove", bytes: "0a 00000003 0001 61", event: { type: "requestRemove", key: "a" } },
  { name: "use success", bytes: "0b 00000000", event: { type: "useSuccess" } },
  { name: "unknown", bytes: "63 00000002 aabb", event: { type: "unknown", eventType: 0x63, data: hex("aabb") } },
])("$name has these bytes, written and read", ({ bytes, event }) => {
  const message = sharedObjectMessage({ ...content, encoding: "amf0", events: [event] })
  expect(toHex(message.payload)).toBe((HEADER + bytes).replace(/\s/g, ""))
  expect(message.typeId).toBe(MESSAGE_TYPE.sharedObjectAmf0)
  expect(parseSharedObject(message)).toEqual({ ...content, encoding: "amf0", events: [event] })
})

test("type 16 with format byte 3 has AMF3 values, with 0 AMF0 ones that may change to AMF3", () => {
  const message = (payload: string) => ({
    typeId: MESSAGE_TYPE.sharedObjectAmf3,
    timestampMs: 0,
    streamId: 0,
    payload: hex(payload),
  })
  const events: SharedObjectEvent[] = [{ type: "requestChange", key: "a", value: "v" }]
  const amf3 = message(`03 ${HEADER} 03 00000006 0001 61 06 03 76`)
  expect(parseSharedObject(amf3)).toEqual({ ...content, encoding: "amf3", events })
  expect(sharedObjectMessage({ ...content, encoding: "amf3", events })).toEqual(amf3)
  const mixed = message(`00 ${HEADER} 03 00000007 0001 61 11 06 03 76`)
  expect(parseSharedObject(mixed)).toEqual({ ...content, encoding: "amf0InAmf3", events })
  expect(gatewayErrorCode(() => parseSharedObject(message(`07 ${HEADER}`)))).toBe("rtmp.amf")
})

test.each([
  { name: "an event that is cut off", bytes: "01 00000004 aa" },
  { name: "a value that reaches beyond its event", bytes: "03 00000004 0001 61 00 3ff0000000000000" },
])("refuses $name", ({ bytes }) => {
  const message = { typeId: MESSAGE_TYPE.sharedObjectAmf0, timestampMs: 0, streamId: 0, payload: hex(HEADER + bytes) }
  expect(gatewayErrorCode(() => parseSharedObject(message))).toBe("bytes.truncated")
})

test("no payload makes it throw anything but GatewayError", () => {
  const property = fc.property(fc.constantFrom(16, 19), fc.uint8Array({ maxLength: 64 }), (typeId, tail) => {
    const payload = Uint8Array.from([...(typeId === 16 ? [tail.length % 4] : []), ...hex(HEADER), ...tail])
    allowGatewayErrors(() => parseSharedObject({ typeId, timestampMs: 0, streamId: 0, payload }))
  })
  fc.assert(property)
})
