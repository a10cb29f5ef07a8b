import type { ErrorCode } from "../errors.ts"
import { STATUS } from "./packet.ts"

/** The status code of an error answer; what has none of its own is a bad parameter. */
export function statusOf(code: ErrorCode): number {
  if (code.startsWith("access.")) return STATUS.unauthorised
  return STATUS_OF[code] ?? STATUS.badParameter
}

const STATUS_OF: Readonly<Partial<Record<ErrorCode, number>>> = {
  "minisdp.packet": STATUS.badFormat,
  "sdp.syntax": STATUS.badFormat,
  "stream.name": STATUS.badStream,
  "stream.not_live": STATUS.notFound,
}
