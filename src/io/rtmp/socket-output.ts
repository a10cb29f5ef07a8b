import type { Socket } from "node:net"
import { OutputTurn } from "./output-turn.ts"

/** What carries the bytes: a socket, or what wraps them for one. */
export type OutputTarget = Pick<Socket, "writable" | "writableLength" | "cork" | "uncork"> & {
  write(bytes: Uint8Array): unknown
}

/** The sending half of a connection: one system call for all that is written in a turn, and a measure of how far it lags. */
export class SocketOutput {
  readonly #socket: OutputTarget
  readonly #nowMs: () => number
  readonly #turn: OutputTurn
  /** When the byte at an offset of the output was written, oldest first, for what is not sent yet. */
  readonly #marks: { readonly offset: number; readonly atMs: number }[] = []
  readonly #collected: Uint8Array[] = []
  #collectedBytes = 0
  #isDue = false
  #writtenBytes = 0

  /** Outputs that send the same messages do best to share a turn. */
  constructor(socket: OutputTarget, nowMs: () => number, turn: OutputTurn = new OutputTurn()) {
    this.#socket = socket
    this.#nowMs = nowMs
    this.#turn = turn
  }

  /** Bytes that wait to be sent. */
  get queuedBytes(): number {
    return this.#collectedBytes + this.#socket.writableLength
  }

  /** For how long the oldest of them have been waiting, to about 100 ms. */
  get delayMs(): number {
    const sentBytes = this.#writtenBytes - this.#socket.writableLength
    while (this.#marks[0] !== undefined && this.#marks[0].offset < sentBytes) this.#marks.shift()
    const oldest = this.#marks[0]
    return oldest === undefined ? 0 : this.#nowMs() - oldest.atMs
  }

  /** Queues bytes, which must not change afterwards, to leave at the end of the turn. */
  send(bytes: Uint8Array): void {
    this.#collect(bytes)
    if (this.#isDue) return
    this.#isDue = true
    this.#turn.soon(this)
  }

  /** Queues bytes that may leave a little later, with the next urgent ones. */
  sendLater(bytes: Uint8Array): void {
    this.#collect(bytes)
    if (!this.#isDue) this.#turn.later(this)
  }

  /** Hands what was queued to the system now. */
  flush(): void {
    this.#isDue = false
    if (this.#collectedBytes === 0) return
    this.#turn.settle(this)
    if (this.#socket.writable) this.#write(this.#collected)
    this.#collected.length = 0
    this.#collectedBytes = 0
  }

  #collect(bytes: Uint8Array): void {
    this.#collected.push(bytes)
    this.#collectedBytes += bytes.length
  }

  #write(parts: readonly Uint8Array[]): void {
    const atMs = this.#nowMs()
    const newest = this.#marks.at(-1)
    if (newest === undefined || atMs - newest.atMs >= MARK_INTERVAL_MS) {
      this.#marks.push({ offset: this.#writtenBytes, atMs })
    }
    this.#writtenBytes += this.#collectedBytes
    if (parts.length <= MAX_JOINED_PARTS) {
      this.#socket.write(this.#turn.join(parts))
      return
    }
    this.#socket.cork()
    for (const part of parts) this.#socket.write(part)
    this.#socket.uncork()
  }
}

const MARK_INTERVAL_MS = 100
/** More is a reader's beginning, which it has for itself. */
const MAX_JOINED_PARTS = 6
