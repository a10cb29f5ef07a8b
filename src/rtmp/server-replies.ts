import type { AmfObject, AmfValue } from "./amf-value.ts"
import { commandMessage, dataMessage, type RtmpCommand, type RtmpMessage } from "./message.ts"
import { parseSharedObject, sharedObjectMessage } from "./shared-object-message.ts"

/** Severity of a status: `error` makes clients give up. */
export type StatusLevel = "status" | "error"

/** The information object of `onStatus`, `_result` and `_error`, RTMP 1.0 section 7.2.2. */
export function statusInfo(level: StatusLevel, code: string, description: string): AmfObject {
  return { level, code, description }
}

/** Makes an `onStatus` command. */
export function onStatus(streamId: number, level: StatusLevel, code: string, description: string): RtmpMessage {
  return commandMessage(streamId, "onStatus", 0, [null, statusInfo(level, code, description)])
}

/** Makes the answer to a command. */
export function answerTo(command: RtmpCommand, name: "_result" | "_error", value: AmfValue): RtmpMessage {
  return commandMessage(0, name, command.transactionId, [null, value])
}

/** Makes the `_error` answer to a command. */
export function errorFor(command: RtmpCommand, code: string, description: string): RtmpMessage {
  return answerTo(command, "_error", statusInfo("error", code, description))
}

/** Makes `|RtmpSampleAccess`, with which Flash players may look at sound and picture; they wait for it. */
export function sampleAccess(streamId: number): RtmpMessage {
  return dataMessage(streamId, 0, ["|RtmpSampleAccess", true, true])
}

/** Answers a shared object that a client wants to use: there are none here. Throws `rtmp.amf` or `bytes.truncated`. */
export function refuseSharedObject(message: RtmpMessage): RtmpMessage[] {
  const { events, isPersistent, ...object } = parseSharedObject(message)
  if (!events.some(({ type }) => type === "use")) return []
  const code = isPersistent ? "SharedObject.BadPersistence" : "SharedObject.NoReadAccess"
  return [sharedObjectMessage({ ...object, isPersistent, events: [{ type: "status", code, level: "error" }] })]
}
