import type { AmfObject, AmfValue } from "./amf0.ts"
import {
  commandMessage,
  controlMessage,
  MESSAGE_TYPE,
  type RtmpCommand,
  type RtmpMessage,
  setPeerBandwidth,
} from "./message.ts"

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

/** Makes all that a server says to a successful `connect`: its windows and chunk size, then the result. */
export function connectReplies(command: RtmpCommand, windowBytes: number, chunkSizeBytes: number): RtmpMessage[] {
  const connected = statusInfo("status", "NetConnection.Connect.Success", "connected")
  return [
    controlMessage(MESSAGE_TYPE.windowAckSize, windowBytes),
    setPeerBandwidth(windowBytes),
    controlMessage(MESSAGE_TYPE.setChunkSize, chunkSizeBytes),
    commandMessage(0, "_result", command.transactionId, [SERVER_FACTS, { ...connected, objectEncoding: 0 }]),
  ]
}

/** Old clients look for a Flash Media Server version before they go on. */
const SERVER_FACTS = { fmsVer: "FMS/3,5,7,7009", capabilities: 31 }
