import { BlockList, isIP } from "node:net"

/** What trusted proxies say of a request; each part undefined where they do not. */
export interface Forwarded {
  readonly remoteAddress: string | undefined
  readonly protocol: "http" | "https" | undefined
  /** Host and port as the client named them. */
  readonly host: string | undefined
}

/** Reads what proxies say of a request that came from `peerAddress`; undefined where that is not a trusted proxy. */
export type ForwardedReader = (
  peerAddress: string | undefined,
  header: (name: string) => string | undefined,
) => Forwarded | undefined

/** Which headers the proxies write: X-Forwarded-For, -Proto and -Host, or `Forwarded` (RFC 7239). */
export type ProxyHeaders = "x-forwarded" | "forwarded"

/**
 * Makes a reader of one kind of headers; a proxy that writes one kind passes the other on as the client invented it. Each proxy adds its entry
 * at the right, so a list is read from there and only as far as trusted proxies wrote it: what stands further left may be an invention, too.
 */
export function createForwardedReader(trustedProxies: readonly string[], proxyHeaders: ProxyHeaders): ForwardedReader {
  const isTrusted = trustChecker(trustedProxies)
  return (peerAddress, header) => {
    if (peerAddress === undefined || !isTrusted(peerAddress)) return undefined
    const elements = proxyHeaders === "forwarded" ? parseForwarded(header("forwarded")) : parseXForwarded(header)
    let index = elements.length - 1
    while (index > 0 && isTrusted(elements[index]?.remoteAddress ?? "")) index--
    return elements[index] ?? { remoteAddress: undefined, protocol: undefined, host: undefined }
  }
}

function trustChecker(trustedProxies: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const entry of trustedProxies) {
    const [address = "", prefixBits] = entry.split("/")
    const type = isIP(address) === 6 ? "ipv6" : "ipv4"
    if (prefixBits === undefined) list.addAddress(address, type)
    else list.addSubnet(address, Number(prefixBits), type)
  }
  return (text) => {
    const address = withoutMapping(text)
    const version = isIP(address)
    return version !== 0 && list.check(address, version === 6 ? "ipv6" : "ipv4")
  }
}

function parseForwarded(value = ""): Forwarded[] {
  if (value.length > MAX_HEADER) return []
  return splitList(value).map((element) => {
    const pairs = new Map<string, string>()
    for (const [, name = "", quoted, plain = ""] of element.matchAll(FORWARDED_PAIR)) {
      pairs.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain)
    }
    return describe(pairs.get("for"), pairs.get("proto"), pairs.get("host"))
  })
}

/** The three lists may differ in length, as proxies often add to the first and overwrite the others: they end together. */
function parseXForwarded(header: (name: string) => string | undefined): Forwarded[] {
  const lists = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].map((name) => {
    const value = header(name)
    return value === undefined || value.length > MAX_HEADER ? [] : value.split(",")
  })
  const count = Math.max(...lists.map((list) => list.length))
  return Array.from({ length: count }, (_, index) => {
    const [address, protocol, host] = lists.map((list) => list[Math.max(0, list.length - count + index)]?.trim())
    return describe(address, protocol, host)
  })
}

function describe(address: string | undefined, protocol: string | undefined, host: string | undefined): Forwarded {
  const lower = protocol?.toLowerCase()
  return {
    remoteAddress: address === undefined ? undefined : nodeAddress(address),
    protocol: lower === "http" || lower === "https" ? lower : undefined,
    host: host !== undefined && HOST.test(host) ? host : undefined,
  }
}

/** An address without brackets and port (RFC 7239 section 6); undefined for `unknown` and for hidden names. */
function nodeAddress(text: string): string | undefined {
  const [, bracketed, plain = ""] = /^(?:\[([^\]]+)\](?::\w+)?|(.+))$/.exec(text) ?? []
  const address = bracketed ?? (isIP(plain) === 0 ? plain.replace(/:\w+$/, "") : plain)
  return isIP(address) === 0 ? undefined : withoutMapping(address)
}

/** An IPv4 address that a socket for both families shows as IPv6. */
function withoutMapping(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}

/** Splits at commas outside of quotes. */
function splitList(value: string): string[] {
  return value.match(/(?:"(?:\\.|[^"\\])*"|[^,"])+/g) ?? []
}

const FORWARDED_PAIR = /([\w-]+)=(?:"((?:\\.|[^"\\])*)"|([^;,\s"]*))/g
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i
const MAX_HEADER = 2_048
