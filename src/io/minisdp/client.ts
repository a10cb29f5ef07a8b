import { randomInt } from "node:crypto"
import { lookup } from "node:dns/promises"
import { GatewayError } from "../../errors.ts"
import type { TransportAddress } from "../../ice/ip-address.ts"
import { LOSSLESS_FORM, PUBLIC_FORM } from "./forms.ts"
import { openPlaySession, type PlaySession, type PlaySessionOptions } from "./play-session.ts"
import { UdpCarrier } from "./udp-carrier.ts"

/** How a stream is played. */
export interface PlayOptions extends PlaySessionOptions {
  /** `lossless`, between gateways of this kind, where left out. */
  readonly form?: "lossless" | "public"
  /** From an earlier session: saves a round trip. */
  readonly cookie?: Uint8Array
}

/** A session, and what the next one may show. */
export interface PlayedStream extends PlaySession {
  /** Empty where the gateway gave none. */
  readonly cookie: Uint8Array
}

/**
 * Plays streams of other gateways with signalling by UDP: `minisdp://host:8000/app/stream?token=…`, where the port is that of the
 * gateway's media.
 */
export class MiniSdpClient {
  #seq = randomInt(2 ** 16)

  /**
   * Opens a session; its media comes by the events that `accepted` returns. Throws `config.invalid` for a URL that is none,
   * `stream.not_live`, `access.denied`, `stream.name`, `sdp.*` and `minisdp.packet` as the gateway answers.
   */
  async play(url: string, options: PlayOptions): Promise<PlayedStream> {
    const { host, port, streamUrl } = parseMiniSdpUrl(url)
    const gateway = await resolve(host, port)
    this.#seq = (this.#seq % 0xffff) + 1
    const carrier = new UdpCarrier({
      form: options.form === "public" ? PUBLIC_FORM : LOSSLESS_FORM,
      gateway,
      host,
      streamUrl,
      seq: this.#seq,
      cookie: options.cookie ?? new Uint8Array(0),
    })
    const session = await openPlaySession(options, carrier)
    return { ...session, cookie: carrier.cookie }
  }
}

/** Reads `minisdp://host:port/app/stream?query`. Throws `config.invalid`, without showing the URL, which may hold a token. */
export function parseMiniSdpUrl(text: string): {
  readonly host: string
  readonly port: number
  readonly streamUrl: string
} {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isComplete = url?.protocol === "minisdp:" && url.hostname !== "" && /^\/[^/]+\/[^/]+$/.test(url.pathname)
  if (url === undefined || !isComplete) {
    throw new GatewayError("config.invalid", "write the URL as minisdp://HOST:PORT/APP/STREAM, with ?token=… if needed")
  }
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port)
  return { host: url.hostname, port, streamUrl: `${url.pathname.slice(1)}${url.search}` }
}

async function resolve(host: string, port: number): Promise<TransportAddress> {
  try {
    const { address, family } = await lookup(host.replace(/^\[|\]$/g, ""))
    return { transport: "udp", family: family === 6 ? 6 : 4, address, port }
  } catch (cause) {
    throw new GatewayError("stream.not_live", `the name ${host} has no address at the moment`, { cause })
  }
}

const DEFAULT_PORT = 8000
