import { randomUUID } from "node:crypto"
import type { AccessAction, AccessControl, AccessGrant } from "../../access/access.ts"
import type { StreamName } from "../../hub/stream-name.ts"
import type { RtmpStreamAddress } from "../../rtmp/stream-address.ts"
import { sessionLabel } from "../log.ts"
import type { ConnectionGate } from "./connection-gate.ts"
import { requestedName } from "./requested-name.ts"

/** A session that may begin. */
export interface Admission {
  readonly id: string
  readonly name: StreamName
  readonly grant: AccessGrant
}

/** A request to publish or play on a message stream. */
export interface AdmissionRequest extends RtmpStreamAddress {
  readonly streamId: number
}

/** The requests of one connection that wait for a decision; there are no more of them than message streams. */
export class Admissions {
  readonly #access: AccessControl
  readonly #gate: ConnectionGate
  readonly #remoteAddress: string | undefined
  /** Session ids by message stream. */
  readonly #waiting = new Map<number, string>()

  constructor(access: AccessControl, gate: ConnectionGate, remoteAddress: string | undefined) {
    this.#access = access
    this.#gate = gate
    this.#remoteAddress = remoteAddress
  }

  /** Requests that wait at the moment. */
  get size(): number {
    return this.#waiting.size
  }

  /**
   * Decides on a request; undefined where it was given up meanwhile, whatever the decision. Throws `stream.name`, `session.limit` and what
   * `AccessControl.authorize` throws.
   */
  async decide(action: AccessAction, request: AdmissionRequest): Promise<Admission | undefined> {
    const { streamId, token } = request
    const id = randomUUID()
    this.#waiting.set(streamId, id)
    const isGivenUp = () => this.#waiting.get(streamId) !== id
    try {
      this.#gate.countRequest(this.#remoteAddress)
      const name = requestedName(request)
      const grant = await this.#access.authorize({
        action,
        stream: name,
        token,
        protocol: "rtmp",
        sessionId: sessionLabel(id),
        remoteAddress: this.#remoteAddress,
      })
      if (!isGivenUp()) return { id, name, grant }
      grant.ended({
        sessionId: sessionLabel(id),
        reason: "the peer gave it up before it began",
        durationMs: 0,
        bytes: 0,
      })
    } catch (error) {
      if (!isGivenUp()) throw error
    } finally {
      if (!isGivenUp()) this.#waiting.delete(streamId)
    }
    return undefined
  }

  /** The peer has taken its request back. */
  giveUp(streamId: number): void {
    this.#waiting.delete(streamId)
  }

  /** The connection is gone. */
  giveUpAll(): void {
    this.#waiting.clear()
  }
}
