import type { MiddlewareHandler } from "hono"
import { createForwardedReader, type ProxyHeaders } from "./forwarded.ts"

/** The two ends of a connection as the HTTP server knows them; undefined where it does not. */
export interface Connection {
  readonly localAddress: string | undefined
  readonly remoteAddress: string | undefined
}

/** Who asks, and by which address the gateway was reached, with trusted proxies seen through. */
export interface Client {
  /** What stands before every path in an absolute URL, without a slash at the end. */
  readonly baseUrl: string
  readonly remoteAddress: string | undefined
  /** Our end of the client's own connection; undefined behind a proxy, whose connection tells nothing of it. */
  readonly localAddress: string | undefined
}

/** What every route finds in its context. */
export interface ClientEnv {
  Variables: { client: Client }
}

/** How clients are told from proxies. */
export interface ClientOptions {
  /** The gateway's address for the world, for example `https://live.example.org`, without a slash at the end; empty: what the request names. */
  readonly publicUrl: string
  /** Addresses and networks (`10.0.0.0/8`) whose word on the client is taken. */
  readonly trustedProxies: readonly string[]
  readonly proxyHeaders: ProxyHeaders
  /** Finds the connection in the server's bindings (`c.env`). */
  readonly connection: (bindings: unknown) => Connection
}

/** Puts the client into the context of every request. */
export function identifyClient(options: ClientOptions): MiddlewareHandler<ClientEnv> {
  const { publicUrl, connection } = options
  const readForwarded = createForwardedReader(options.trustedProxies, options.proxyHeaders)
  return async (c, next) => {
    const { localAddress, remoteAddress } = connection(c.env)
    const forwarded = readForwarded(remoteAddress, (name) => c.req.header(name))
    const { protocol, host } = new URL(c.req.url)
    const origin = `${forwarded?.protocol ?? protocol.slice(0, -1)}://${forwarded?.host ?? host}`
    c.set("client", {
      baseUrl: publicUrl === "" ? origin : publicUrl,
      remoteAddress: forwarded?.remoteAddress ?? remoteAddress,
      localAddress: forwarded === undefined ? localAddress : undefined,
    })
    await next()
  }
}
