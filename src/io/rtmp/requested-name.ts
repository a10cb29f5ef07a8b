import { type ErrorCode, GatewayError } from "../../errors.ts"
import { parseStreamName, type StreamName } from "../../hub/stream-name.ts"
import type { RtmpStreamAddress } from "../../rtmp/stream-address.ts"

/** Checks the name that a peer wants to publish or play. Throws `stream.name`; where a part is missing, it says how to give it. */
export function requestedName({ app, stream }: RtmpStreamAddress): StreamName {
  if (app !== "" && stream !== "") return parseStreamName(app, stream)
  const what = stream === "" ? "the stream name (the stream key)" : "the application"
  throw new GatewayError(
    "stream.name",
    `${what} is missing: the address is rtmp://HOST/live/NAME, in OBS the server rtmp://HOST/live and the stream key NAME; a token follows as NAME?token=TOKEN`,
  )
}

/**
 * A requested name for the log: only up to the first character that no name has, as a mistyped key may come after it. Of a request that was
 * refused for want of a token only the beginning is said: the name may be the key, put where the name belongs.
 */
export function loggableName({ app, stream, token }: RtmpStreamAddress, code: ErrorCode): string {
  const mayBeKey = token === undefined && code.startsWith("access.")
  const name = `${app}/${mayBeKey ? beginning(stream) : stream}`.slice(0, MAX_LOGGED_NAME)
  const at = name.search(/[^\w./…-]/)
  return at < 0 ? name : `${name.slice(0, at)}…`
}

/** A message for the log, in which a name that may be a key is cut as in `loggableName`. */
export function withoutName(message: string, { stream, token }: RtmpStreamAddress, code: ErrorCode): string {
  const mayBeKey = token === undefined && code.startsWith("access.") && stream !== ""
  return mayBeKey ? message.replaceAll(stream, beginning(stream)) : message
}

function beginning(name: string): string {
  return name.length <= SHOWN_CHARACTERS ? name : `${name.slice(0, SHOWN_CHARACTERS)}…`
}

const MAX_LOGGED_NAME = 160
const SHOWN_CHARACTERS = 4
