import type { RtmpClientOptions } from "./client-options.ts"
import { commandMessage, type RtmpMessage, setBufferLength } from "./message.ts"
import { ownCapabilities } from "./peer-capabilities.ts"
import type { RtmpUrl } from "./rtmp-url.ts"

/** Transaction ids of a client session; each of its commands goes out once. */
export const TRANSACTION = {
  connect: 1,
  releaseStream: 2,
  fcPublish: 3,
  createStream: 4,
  start: 5,
  end: 6,
  fcSubscribe: 7,
  checkBandwidth: 8,
} as const

/** Makes `connect` as encoders or players send it, with what Enhanced RTMP adds. */
export function connectCommand({ action, address, connectQuery }: RtmpClientOptions): RtmpMessage {
  const query = connectQuery ?? ""
  const place = { app: address.app + query, tcUrl: address.tcUrl + query }
  const facts = action === "publish" ? ENCODER_FACTS : PLAYER_FACTS
  return commandMessage(0, "connect", TRANSACTION.connect, [{ ...place, ...facts, ...ownCapabilities() }])
}

/** What goes out when `connect` was answered, up to `createStream`. */
export function createStreamCommands(action: RtmpClientOptions["action"], { stream }: RtmpUrl): RtmpMessage[] {
  const createStream = commandMessage(0, "createStream", TRANSACTION.createStream, [null])
  if (action === "play") return [createStream]
  return [
    // Servers of Adobe's family want a name that another session may hold to be freed and announced first.
    commandMessage(0, "releaseStream", TRANSACTION.releaseStream, [null, stream]),
    commandMessage(0, "FCPublish", TRANSACTION.fcPublish, [null, stream]),
    createStream,
  ]
}

/** What goes out when the message stream is there. */
export function startCommands({ action, address, limits }: RtmpClientOptions, streamId: number): RtmpMessage[] {
  const { stream } = address
  if (action === "publish") {
    return [commandMessage(streamId, "publish", TRANSACTION.start, [null, stream, "live"])]
  }
  return [
    // Some content delivery networks fetch a live stream only for who subscribed to it; others ignore it.
    commandMessage(0, "FCSubscribe", TRANSACTION.fcSubscribe, [null, stream]),
    setBufferLength(streamId, limits.bufferLengthMs),
    commandMessage(streamId, "play", TRANSACTION.start, [null, stream, LIVE_OR_RECORDED]),
  ]
}

/** What goes out at the end of a publication or playback. */
export function endCommands({ action, address }: RtmpClientOptions, streamId: number): RtmpMessage[] {
  const deleteStream = commandMessage(0, "deleteStream", TRANSACTION.end, [null, streamId])
  if (action === "play") return [deleteStream]
  return [commandMessage(0, "FCUnpublish", TRANSACTION.end, [null, address.stream]), deleteStream]
}

/** What a transaction id of ours stands for, as the words of a sentence; undefined for what is of no consequence. */
export function stepOf(transactionId: number, action: RtmpClientOptions["action"]): string | undefined {
  switch (transactionId) {
    case TRANSACTION.connect:
      return "connect"
    case TRANSACTION.releaseStream:
      return "releaseStream"
    case TRANSACTION.fcPublish:
      return "FCPublish"
    case TRANSACTION.createStream:
      return "createStream"
    case TRANSACTION.start:
      return action
    default:
      return undefined
  }
}

/** RTMP 1.0 section 7.2.2.1: a live stream of that name, else a recorded one. */
const LIVE_OR_RECORDED = -2_000

const ENCODER_FACTS = {
  type: "nonprivate",
  flashVer: "FMLE/3.0 (compatible; Whipstitch)",
}

/** Values of a Flash player that knows every codec. */
const PLAYER_FACTS = {
  flashVer: "LNX 9,0,124,2",
  fpad: false,
  capabilities: 239,
  audioCodecs: 4_071,
  videoCodecs: 252,
  videoFunction: 1,
  objectEncoding: 0,
}
