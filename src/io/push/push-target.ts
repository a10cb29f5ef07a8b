import { hostname, networkInterfaces } from "node:os"
import { matchesPattern } from "../../access/pattern.ts"
import { GatewayError } from "../../errors.ts"
import { parseRtmpUrl, type RtmpUrl } from "../../rtmp/rtmp-url.ts"
import { parseStreamAddress } from "../../rtmp/stream-address.ts"

/** What is pushed where, as a user wrote it. */
export interface PushRequest {
  /** A name such as `live/cam1`, or a pattern such as `live/*`. */
  readonly stream: string
  /** With `{app}` and `{stream}` for the names here; holds secrets. */
  readonly url: string
}

/** Puts a stream's names into an address. */
export function targetUrl(template: string, name: string): string {
  const [app = "", stream = ""] = name.split("/")
  return template.replaceAll("{app}", app).replaceAll("{stream}", stream)
}

/** Reads an address with placeholders, for what can be shown of it. Throws `rtmp.url`. */
export function parseTemplate(template: string): RtmpUrl {
  const parsed = parseRtmpUrl(targetUrl(template, "__app__/__stream__"))
  const show = (text: string) => text.replaceAll("__app__", "{app}").replaceAll("__stream__", "{stream}")
  return { ...parsed, redactedKey: show(parsed.redactedKey) }
}

/**
 * Refuses what would send a stream to this gateway under a name that is pushed again; throws `rtmp.url`. `ownPorts` are this
 * gateway's for RTMP and RTMPS.
 */
export function refuseLoop({ stream, url }: PushRequest, name: string, ownPorts: readonly number[]): void {
  const target = parseRtmpUrl(targetUrl(url, name))
  if (!ownPorts.includes(target.port) || !isThisMachine(target.host)) return
  const { app, stream: targetStream } = parseStreamAddress(target.tcUrl, target.app, target.stream)
  if (!matchesPattern(stream, `${app}/${targetStream}`)) return
  throw new GatewayError("rtmp.url", "the push would come back here and be pushed again: choose another name or target")
}

function isThisMachine(host: string): boolean {
  const name = host.toLowerCase()
  if (name === "localhost" || name.startsWith("127.") || name === "0.0.0.0" || name === "::" || name === "::1")
    return true
  if (name === hostname().toLowerCase()) return true
  return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === name))
}
