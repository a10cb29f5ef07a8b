import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { listenError } from "../listen-error.ts"
import type { Logger } from "../log.ts"
import { MIN_TLS_VERSION, readTlsFiles, renewCertificates, type TlsFiles } from "../tls-files.ts"

/** How RTMPS is served. */
export interface RtmpsOptions extends TlsFiles {
  /** The newest one where it is left out. */
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3"
}

/** Where to listen. */
export interface ListenerOptions {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** Undefined for plain RTMP. */
  readonly tls: RtmpsOptions | undefined
  /** Time for a TLS handshake. */
  readonly setupTimeoutMs: number
  readonly logger: Logger
  /** Counts a connection before anything of it is read; false: it was cut. */
  readonly admit: (socket: Socket) => boolean
  readonly onConnection: (socket: Socket) => void
}

/** A listening socket of RTMP or RTMPS. */
export interface RtmpListener {
  readonly port: number
  /** Takes no more connections; resolves when the last one of them is gone. */
  close(): Promise<void>
}

/** Listens for RTMP, or for RTMPS where there is a certificate. Throws `listen.failed`, and `config.invalid` for a certificate that is none. */
export async function listenRtmp(options: ListenerOptions): Promise<RtmpListener> {
  const { host, port, tls } = options
  const { server, release } = tls === undefined ? plainServer(options) : tlsServer(options, tls)
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      release()
      reject(listenError(tls === undefined ? "RTMP" : "RTMPS", host, port, cause))
    })
    server.listen(port, host, resolve)
  })
  let closed: Promise<void> | undefined
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      release()
      closed ??= new Promise((resolve) => server.close(() => resolve()))
      return closed
    },
  }
}

interface OpenServer {
  readonly server: Server
  /** Lets go of what goes along with the server. */
  release(): void
}

function plainServer({ admit, onConnection }: ListenerOptions): OpenServer {
  const server = createServer((socket) => {
    if (admit(socket)) onConnection(socket)
  })
  return { server, release: () => {} }
}

function tlsServer({ admit, onConnection, setupTimeoutMs, logger }: ListenerOptions, tls: RtmpsOptions): OpenServer {
  const credentials = readTlsFiles("rtmp.tls", tls)
  const versions = { minVersion: MIN_TLS_VERSION, maxVersion: tls.maxVersion ?? "TLSv1.3" } as const
  const server = createTlsServer({ ...credentials, ...versions, handshakeTimeout: setupTimeoutMs })
  server.on("connection", (socket: Socket) => void admit(socket))
  server.on("secureConnection", onConnection)
  server.on("tlsClientError", (error, socket) => {
    const facts = { protocol: "rtmp", remote: socket.remoteAddress, reason: error.message }
    logger.debug(facts, "a TLS handshake for RTMPS failed")
    socket.destroy()
  })
  const release = renewCertificates("rtmp.tls", tls, credentials, logger, (renewed) => {
    server.setSecureContext({ ...renewed, ...versions })
  })
  return { server, release }
}
