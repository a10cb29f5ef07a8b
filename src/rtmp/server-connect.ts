import { GatewayError } from "../errors.ts"
import { amfField } from "./amf-value.ts"
import {
  commandMessage,
  controlMessage,
  MESSAGE_TYPE,
  type RtmpCommand,
  type RtmpMessage,
  setPeerBandwidth,
} from "./message.ts"
import {
  isEnhanced,
  NO_CAPABILITIES,
  ownCapabilities,
  type PeerCapabilities,
  parseCapabilities,
} from "./peer-capabilities.ts"
import { statusInfo } from "./server-replies.ts"

/** What a client said in `connect`, RTMP 1.0 section 7.2.1.1. */
export interface ConnectRequest {
  readonly app: string
  /** Empty where the client left it out. */
  readonly tcUrl: string
  /** 3: the client reads AMF3 commands too, and gets them. */
  readonly objectEncoding: 0 | 3
  readonly capabilities: PeerCapabilities
  /** True where it said anything of Enhanced RTMP; others get an answer as of old. */
  readonly isEnhanced: boolean
}

/** What is known of a client before it connects. */
export const NOT_CONNECTED: ConnectRequest = {
  app: "",
  tcUrl: "",
  objectEncoding: 0,
  capabilities: NO_CAPABILITIES,
  isEnhanced: false,
}

/** Reads `connect`. Throws `rtmp.command` where the application is missing. */
export function parseConnect({ args: [details] }: RtmpCommand): ConnectRequest {
  const app = amfField(details, "app")
  const tcUrl = amfField(details, "tcUrl")
  if (typeof app !== "string") throw new GatewayError("rtmp.command", "connect without an application")
  return {
    app,
    tcUrl: typeof tcUrl === "string" ? tcUrl : "",
    objectEncoding: amfField(details, "objectEncoding") === 3 ? 3 : 0,
    capabilities: parseCapabilities(details),
    isEnhanced: isEnhanced(details),
  }
}

/** What a server announces about itself. */
export interface ConnectAnnouncement {
  readonly windowAckBytes: number
  readonly chunkSizeBytes: number
}

/** Makes all that a server says to a successful `connect`: its windows and chunk size, then the result. */
export function connectReplies(
  { transactionId }: RtmpCommand,
  request: ConnectRequest,
  { windowAckBytes, chunkSizeBytes }: ConnectAnnouncement,
): RtmpMessage[] {
  const properties = request.isEnhanced ? { ...SERVER_FACTS, ...ownCapabilities() } : SERVER_FACTS
  const connected = statusInfo("status", "NetConnection.Connect.Success", "connected")
  const { objectEncoding } = request
  return [
    controlMessage(MESSAGE_TYPE.windowAckSize, windowAckBytes),
    setPeerBandwidth(windowAckBytes),
    controlMessage(MESSAGE_TYPE.setChunkSize, chunkSizeBytes),
    commandMessage(0, "_result", transactionId, [properties, { ...connected, objectEncoding }]),
  ]
}

/** Old clients look for a Flash Media Server version before they go on. */
const SERVER_FACTS = { fmsVer: "FMS/3,5,7,7009", capabilities: 31 }
