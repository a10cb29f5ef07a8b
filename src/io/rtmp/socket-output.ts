import type { Socket } from "node:net"

/** What carries the bytes: a socket, or what wraps them for one. */
export type OutputTarget = Pick<Socket, "writable" | "writableLength" | "cork" | "uncork"> & {
  write(bytes: Uint8Array): unknown
}

/** The sending half of a connection: one system call for all that is written in a turn, and a measure of how far it lags. */
export class SocketOutput {
  readonly #socket: OutputTarget
  readonly #nowMs: () => number
  /** When the byte at an offset of the output was written, oldest first, for what is not sent yet. */
  readonly #marks: { readonly offset: number; readonly atMs: number }[] = []
  #writtenBytes = 0
  #isCorked = false

  constructor(socket: OutputTarget, nowMs: () => number) {
    this.#socket = socket
    this.#nowMs = nowMs
  }

  /** Bytes that wait to be sent. */
  get queuedBytes(): number {
    return this.#socket.writableLength
  }

  /** For how long the oldest of them have been waiting, to about 100 ms. */
  get delayMs(): number {
    const sentBytes = this.#writtenBytes - this.#socket.writableLength
    while (this.#marks[0] !== undefined && this.#marks[0].offset < sentBytes) this.#marks.shift()
    const oldest = this.#marks[0]
    return oldest === undefined ? 0 : this.#nowMs() - oldest.atMs
  }

  /** Queues bytes, which must not change afterwards. */
  send(bytes: Uint8Array): void {
    if (!this.#socket.writable) return
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      queueMicrotask(() => this.flush())
    }
    this.#write(bytes)
  }

  /** Sends bytes, which must not change afterwards, at once, after what was queued before. */
  sendNow(bytes: Uint8Array): void {
    if (!this.#socket.writable) return
    this.flush()
    this.#write(bytes)
  }

  /** Hands what was queued in this turn to the system now. */
  flush(): void {
    if (!this.#isCorked) return
    this.#isCorked = false
    this.#socket.uncork()
  }

  #write(bytes: Uint8Array): void {
    const offset = this.#writtenBytes
    this.#writtenBytes += bytes.length
    this.#socket.write(bytes)
    if (this.#socket.writableLength > 0) this.#mark(offset)
  }

  /** Takes note of the time, as the bytes from `offset` on did not all leave at once. */
  #mark(offset: number): void {
    const atMs = this.#nowMs()
    const newest = this.#marks.at(-1)
    if (newest === undefined || atMs - newest.atMs >= MARK_INTERVAL_MS) this.#marks.push({ offset, atMs })
  }
}

const MARK_INTERVAL_MS = 100
