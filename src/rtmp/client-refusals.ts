import { GatewayError } from "../errors.ts"
import { type AmfValue, amfField } from "./amf-value.ts"
import type { RtmpUrl } from "./rtmp-url.ts"

/** Where a server sends a client in an `_error`, or undefined where it does not (`ex.redirect`, code 302). */
export function redirectOf(info: AmfValue): string | undefined {
  const details = amfField(info, "ex")
  for (const value of [amfField(details, "redirect2"), amfField(details, "redirect"), amfField(info, "redirect")]) {
    if (typeof value === "string" && value !== "") return value
  }
  return undefined
}

/** Says in a sentence what an `_error` of a step, or an `onStatus` of level error, means and what to do. */
export function refusal(step: string, info: AmfValue, address: RtmpUrl): GatewayError {
  const code = textOf(amfField(info, "code"))
  const description = textOf(amfField(info, "description"))
  const advice = adviceFor(code, description)
  const said = quote(info, address)
  const reason = said === "" ? `the server refused ${step}` : `the server refused ${step} with "${said}"`
  const errorCode = code === "NetStream.Play.StreamNotFound" ? "stream.not_live" : "rtmp.refused"
  return new GatewayError(errorCode, advice === undefined ? reason : `${reason}: ${advice}`)
}

/** Says in a sentence that a server ended what was flowing, as an `onStatus` of level error does. */
export function revocation(step: string, info: AmfValue, address: RtmpUrl): GatewayError {
  return new GatewayError(
    "rtmp.refused",
    `the server ended what it had begun by ${step}, with "${quote(info, address)}"`,
  )
}

/** Says what a server may mean that hangs up at a step; `activeMs` is for how long media was flowing, undefined for not at all. */
export function hangUp(step: string, activeMs: number | undefined): GatewayError {
  const isSuspicious = activeMs === undefined || activeMs < SUSPICIOUSLY_SHORT_MS
  return new GatewayError(isSuspicious ? "rtmp.refused" : "rtmp.unreachable", hangUpReason(step, activeMs))
}

/** The code of an information object. */
export function statusCode(info: AmfValue): string | undefined {
  const code = amfField(info, "code")
  return typeof code === "string" ? code : undefined
}

function hangUpReason(step: string, activeMs: number | undefined): string {
  if (step === "handshake") return "the server closed the connection in the handshake: is it an RTMP server?"
  if (step === "publish" && (activeMs ?? 0) < SUSPICIOUSLY_SHORT_MS) {
    return "the server closed the connection right after publish: the stream key is wrong, in use, or not allowed there"
  }
  if (activeMs !== undefined) return "the server closed the connection"
  return `the server closed the connection after ${step}: look at the application and the key in the address`
}

function adviceFor(code: string, description: string): string | undefined {
  if (/authmod=llnw/i.test(description)) return "it wants Limelight's authentication, which is not supported"
  if (/reason=(authfailed|nosuchuser)/i.test(description)) return "the user name or password in the address is wrong"
  if (/authmod=adobe|reason=needauth/i.test(description)) {
    return "it wants Adobe's authentication: write the address as rtmp://USER:PASSWORD@HOST/APP/STREAM"
  }
  switch (code) {
    case "NetStream.Publish.BadName":
    case "NetStream.Publish.Denied":
      return "the stream key or name is wrong, or in use by another publisher"
    case "NetStream.Play.StreamNotFound":
      return "nobody publishes that stream there at the moment, or its name is wrong"
    case "NetConnection.Connect.InvalidApp":
      return "there is no such application: look at the first part of the path"
    case "NetConnection.Connect.Rejected":
      return "look at the application and the key in the address"
    default:
      return undefined
  }
}

function quote(info: AmfValue, address: RtmpUrl): string {
  const texts = [textOf(amfField(info, "code")), textOf(amfField(info, "description"))]
  return withoutSecrets(texts.filter((text) => text !== "").join(": "), address)
}

/** Servers may quote the name, and the name may be a key. Control characters do not belong into a log. */
function withoutSecrets(text: string, { stream, user }: RtmpUrl): string {
  const [name = "", ...query] = stream.split(/[?&#]/)
  let shown = text
  for (const secret of [stream, name, ...query, user?.password ?? ""]) {
    if (secret.length >= MIN_SECRET_LENGTH) shown = shown.replaceAll(secret, "…")
  }
  return shown.replaceAll(/\p{C}/gu, " ").slice(0, MAX_SHOWN_LENGTH)
}

function textOf(value: AmfValue): string {
  return typeof value === "string" ? value.trim() : ""
}

const MAX_SHOWN_LENGTH = 200
/** To replace shorter ones would make the text unreadable and hide nothing. */
const MIN_SECRET_LENGTH = 4
/** Some services take any key first, and hang up when they have looked at it. */
const SUSPICIOUSLY_SHORT_MS = 5_000
