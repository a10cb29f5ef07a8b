import { type FSWatcher, readFileSync, watch } from "node:fs"
import { dirname } from "node:path"
import { createSecureContext } from "node:tls"
import { GatewayError } from "../errors.ts"
import type { Logger } from "./log.ts"

/** Where a certificate with its chain and its private key are kept, both as PEM. */
export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** The content of `TlsFiles`. */
export interface TlsCredentials {
  readonly cert: string
  readonly key: string
}

/** What a change of the files leads to. */
export interface TlsFileEvents {
  changed(credentials: TlsCredentials): void
  /** The new content is of no use; the old one stays in force. Told once for each content. */
  refused(reason: string): void
}

/** The section of the configuration that names the files, for errors. */
export type TlsSection = "http.tls" | "rtmp.tls"

/** Reads a certificate and its key. Throws `config.invalid` where they cannot be read or do not belong together. */
export function readTlsFiles(section: TlsSection, { certFile, keyFile }: TlsFiles): TlsCredentials {
  const credentials = { cert: readPem(`${section}.certFile`, certFile), key: readPem(`${section}.keyFile`, keyFile) }
  try {
    createSecureContext(credentials)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new GatewayError("config.invalid", `${certFile} and ${keyFile} are no certificate and its key: ${reason}`, {
      cause,
    })
  }
  return credentials
}

/**
 * Watches the files for new content. The folders are watched, as certificates are renewed by putting another file or link in place, and the
 * content is compared now and then, as not every file system tells of changes. Returns the way to stop.
 */
export function watchTlsFiles(
  section: TlsSection,
  files: TlsFiles,
  current: TlsCredentials,
  events: TlsFileEvents,
): () => void {
  let known = current
  let complaint: string | undefined
  const check = () => {
    try {
      const credentials = readTlsFiles(section, files)
      complaint = undefined
      if (credentials.cert === known.cert && credentials.key === known.key) return
      known = credentials
      events.changed(credentials)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      if (error.message !== complaint) events.refused(error.message)
      complaint = error.message
    }
  }
  let settling: NodeJS.Timeout | undefined
  const onChange = () => {
    clearTimeout(settling)
    settling = setTimeout(check, SETTLE_MS)
  }
  const timer = setInterval(check, CHECK_INTERVAL_MS)
  timer.unref()
  const watchers = [...new Set([dirname(files.certFile), dirname(files.keyFile)])].map((folder) => {
    return watchFolder(folder, onChange)
  })
  return () => {
    clearInterval(timer)
    clearTimeout(settling)
    for (const watcher of watchers) watcher?.close()
  }
}

/** Has the new content of a server's files applied when they change. Returns the way to stop. */
export function renewCertificates(
  section: TlsSection,
  files: TlsFiles,
  current: TlsCredentials,
  logger: Logger,
  apply: (credentials: TlsCredentials) => void,
): () => void {
  return watchTlsFiles(section, files, current, {
    changed(credentials) {
      try {
        apply(credentials)
        logger.info({ certFile: files.certFile }, "new connections get the renewed certificate")
      } catch (error) {
        logger.warn({ err: error }, "this runtime takes no renewed certificate while it runs: restart the gateway")
      }
    },
    refused: (reason) => logger.warn({ reason }, "the changed certificate is of no use, the one before stays in force"),
  })
}

function readPem(key: string, file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new GatewayError("config.invalid", `cannot read ${key}: ${reason}`, { cause })
  }
}

/** Undefined where the system has no more watches to give: then the regular comparison is left. */
function watchFolder(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onChange)
    watcher.on("error", () => watcher.close())
    return watcher
  } catch {
    return undefined
  }
}

/** The oldest version of TLS that servers take. */
export const MIN_TLS_VERSION = "TLSv1.2"
/** Certificate and key are written one after the other. */
const SETTLE_MS = 500
const CHECK_INTERVAL_MS = 60_000
