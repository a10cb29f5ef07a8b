import { commandMessage, type RtmpCommand, type RtmpMessage } from "./message.ts"
import { answerTo, errorFor, statusInfo } from "./server-replies.ts"

/**
 * Answers a command that changes nothing here: those of Flash Media Server that encoders and players send along, and procedures that
 * do not exist (`call`, RTMP 1.0 section 7.2.1.2). Empty where the peer expects no answer.
 */
export function answerCommand(command: RtmpCommand): RtmpMessage[] {
  const { name, transactionId } = command
  switch (name) {
    case "releaseStream":
    case "FCPublish":
    case "_checkbw":
      return answered(command, undefined)
    case "checkBandwidth": // the measurement is over at once, with nothing measured
      return [...answered(command, undefined), commandMessage(0, "onBWDone", 0, [null, 0, 0, 0, 0])]
    case "getStreamLength": // live has no length
      return answered(command, 0)
    case "FCUnpublish":
      return [...answered(command, undefined), toldOf("onFCUnpublish", "NetStream.Unpublish.Success", command)]
    case "FCSubscribe":
      return [toldOf("onFCSubscribe", "NetStream.Play.Start", command)]
    case "FCUnsubscribe":
      return [toldOf("onFCUnsubscribe", "NetStream.Play.Stop", command)]
    case "connect":
      return [errorFor(command, "NetConnection.Connect.Rejected", "this connection is connected already")]
    default:
      if (transactionId === 0 || NOTICES.has(name)) return []
      return [errorFor(command, "NetConnection.Call.Failed", `unknown command ${name.slice(0, MAX_NAME)}`)]
  }
}

/** `onFCPublish`, which clients that sent `FCPublish` may wait for once they publish. */
export function fcPublished(streamName: string): RtmpMessage {
  return commandMessage(0, "onFCPublish", 0, [null, statusInfo("status", "NetStream.Publish.Start", streamName)])
}

/** The name in a command for the log and for answers. */
export function commandName({ name }: RtmpCommand): string {
  return name.slice(0, MAX_NAME)
}

function answered(command: RtmpCommand, value: number | undefined): RtmpMessage[] {
  return command.transactionId === 0 ? [] : [answerTo(command, "_result", value)]
}

function toldOf(name: string, code: string, { args: [, stream] }: RtmpCommand): RtmpMessage {
  return commandMessage(0, name, 0, [null, statusInfo("status", code, typeof stream === "string" ? stream : "")])
}

/** What only tells something, also where a peer numbers it. */
const NOTICES = new Set(["_result", "_error", "onStatus", "onBWDone"])
const MAX_NAME = 64
