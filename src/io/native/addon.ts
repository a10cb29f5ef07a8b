import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { availableParallelism } from "node:os"
import { join } from "node:path"

/** A batch in native memory, as `createFrame` made it. */
export type NativeFrame = object

/** The fan-out of `fanout.h`. After `close` its calls do nothing. */
export interface NativeFanoutHandle {
  /** Takes session keys; `isGcm` is 1 or 0. */
  addViewer(isGcm: number, cipherKey: Uint8Array, salt: Uint8Array, authKey: Uint8Array): number
  addTrack(viewerId: number, trackId: string, fields: Uint32Array, mid: Uint8Array): void
  /** Family 0 for datagrams that come by `takeForwarded`. */
  setAddress(viewerId: number, family: 0 | 4 | 6, address: string, port: number): void
  removeViewer(viewerId: number): void
  /** An offset of -1 for numbers that run on. */
  joinTrack(viewerId: number, trackId: string, sourceId: string, sequenceOffset: number, timestampShift: number): void
  leaveTrack(viewerId: number, trackId: string): void
  setThinning(viewerId: number, trackId: string, level: number): void
  send(sourceId: string, frame: NativeFrame, absSendTime: number): void
  /** The viewer's next transport-wide number. */
  sendTo(
    viewerId: number,
    trackId: string,
    frame: NativeFrame,
    sequenceOffset: number,
    timestamp: number,
    absSendTime: number,
  ): number
  resend(viewerId: number, trackId: string, sequenceNumbers: Uint16Array, absSendTime: number): number
  /** False for what is not known. */
  stats(viewerId: number, trackId: string, into: Float64Array): boolean
  /** Viewer and datagram in turn. */
  takeForwarded(): (number | Uint8Array)[]
  /** Waits until everything is sent; for tests. */
  drain(): void
  /** Datagrams that the system did not take, or that waited too long. */
  errorCount(): number
  close(): void
}

/** AES-128-GCM of `aead.h`, with a key of 16 bytes. */
export interface NativeAeadHandle {
  /** Writes ciphertext and tag to `output` at `offset`; false where OpenSSL fails. */
  seal(nonce: Uint8Array, additional: Uint8Array, plaintext: Uint8Array, output: Uint8Array, offset: number): boolean
  /** Writes the plaintext of `sealed`, which ends with the tag, to `output`, which may be the same memory; false where it is not authentic. */
  open(nonce: Uint8Array, additional: Uint8Array, sealed: Uint8Array, output: Uint8Array, offset: number): boolean
}

/** A socket of `udp-socket.h`, whose descriptor it closes. After `close` its calls do nothing. */
export interface NativeSocketHandle {
  port(): number
  /** False where the system does not take it. */
  send(datagram: Uint8Array, family: 4 | 6, address: string, port: number): boolean
  /** All datagrams behind one another, then length, address and port of each. */
  receive(): [Uint8Array, ...(number | string)[]]
  /** Datagrams that were too long, or for which there was no room. */
  droppedCount(): number
  close(): void
}

/** What the compiled addon exports; see the comments in `addon-*.cc`. */
export interface NativeAddon {
  readonly Aead: new (key: Uint8Array) => NativeAeadHandle
  readonly Fanout: new (ipv4: number, ipv6: number, threads: number, wake: () => void) => NativeFanoutHandle
  /** `wake` is called when something lies ready for `receive`. */
  readonly Socket: new (
    descriptor: number,
    wake: () => void,
  ) => NativeSocketHandle
  createFrame(
    timestamp: number,
    ptsUs: number,
    flags: number,
    headers: Uint32Array,
    payloads: readonly Uint8Array[],
    extensions: Uint8Array,
  ): NativeFrame
  /** Opens a UDP socket for `Socket`; its descriptor, or minus the number of the system's error. */
  openSocket(family: 4 | 6, host: string, port: number): number
}

/** The addon, or why there is none. */
export type NativeLoad =
  | { readonly addon: NativeAddon; readonly reason?: undefined }
  | { readonly addon?: undefined; readonly reason: string }

/** Loads the addon that `scripts/lib/build-native` compiled from the sources as they are now. Never throws. */
export function loadNativeAddon(): NativeLoad {
  try {
    const file = nativeAddonFile()
    if (!existsSync(file))
      return { reason: "it is not compiled; scripts/run or whipstitch-build-native does that with a C++ compiler" }
    return { addon: createRequire(import.meta.url)(file) as NativeAddon }
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Where the addon lies; the folder's name is a hash of the sources, so what was made from others is never loaded. */
function nativeAddonFile(): string {
  const hash = createHash("sha256")
  const names = readdirSync(import.meta.dirname)
  for (const suffix of [".cc", ".h"]) {
    const sources = names.filter((name) => name.endsWith(suffix)).sort()
    for (const name of sources) hash.update(readFileSync(join(import.meta.dirname, name)))
  }
  const folder = hash.digest("hex").slice(0, 16)
  return join(import.meta.dirname, "../../../.cache/native", folder, "whipstitch-fanout.node")
}

/** Threads that encrypt and send: one for each core, and never very many. */
export function nativeThreadCount(): number {
  return Math.min(availableParallelism(), MAX_THREADS)
}

const MAX_THREADS = 16
