import { type FSWatcher, readFileSync, watch } from "node:fs"
import { dirname } from "node:path"
import { createSecureContext } from "node:tls"
import { GatewayError } from "../errors.ts"

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

/** Reads a certificate and its key. Throws `config.invalid` where they cannot be read or do not belong together. */
export function readTlsFiles({ certFile, keyFile }: TlsFiles): TlsCredentials {
  const credentials = { cert: readPem("http.tls.certFile", certFile), key: readPem("http.tls.keyFile", keyFile) }
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
export function watchTlsFiles(files: TlsFiles, current: TlsCredentials, events: TlsFileEvents): () => void {
  let known = current
  let complaint: string | undefined
  const check = () => {
    try {
      const credentials = readTlsFiles(files)
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

/** Certificate and key are written one after the other. */
const SETTLE_MS = 500
const CHECK_INTERVAL_MS = 60_000
