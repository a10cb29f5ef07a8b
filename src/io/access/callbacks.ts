import type { AccessRequest, SessionOutcome } from "../../access/access.ts"
import type { AccessCallbacks } from "../../access/access-policy.ts"
import { Slots } from "../../access/slots.ts"
import { GatewayError } from "../../errors.ts"
import { failureReason, readJson } from "./read-json.ts"

/** Addresses and limits of the callbacks. */
export interface CallbackOptions {
  readonly onPublish?: string | undefined
  readonly onPlay?: string | undefined
  readonly onPublishDone?: string | undefined
  readonly onPlayDone?: string | undefined
  /** From the question to the whole answer, waiting for its turn included. */
  readonly timeoutMs: number
  readonly onFailure: "refuse" | "allow"
  readonly maxConcurrent: number
  readonly maxWaiting: number
}

/** Told why a callback got no answer. */
export type OnCallbackProblem = (callback: string, reason: string) => void

/**
 * Asks and tells the user's service by `POST` with JSON. 2xx means yes, 4xx no; anything else, redirects included, is a failure.
 * Where more wait than may, even `onFailure: "allow"` lets nobody in: else a crowd could open the door.
 */
export class HttpCallbacks implements AccessCallbacks {
  readonly #options: CallbackOptions
  readonly #onProblem: OnCallbackProblem
  readonly #slots: Slots
  readonly #told = new Set<Promise<void>>()

  constructor(options: CallbackOptions, onProblem: OnCallbackProblem) {
    this.#options = options
    this.#onProblem = onProblem
    this.#slots = new Slots(options.maxConcurrent, options.maxWaiting)
  }

  async ask(request: AccessRequest): Promise<{ readonly identity: string | undefined }> {
    const name = request.action === "publish" ? "onPublish" : "onPlay"
    try {
      const body = { action: request.action, ...describe(request), token: request.token }
      const answer = await this.#post(name, body)
      if (isRefusal(answer.status)) throw refusal(request, answer.status)
      return { identity: answer.identity === undefined ? undefined : `callback:${answer.identity}` }
    } catch (error) {
      if (error instanceof GatewayError) throw error
      this.#onProblem(name, failureReason(error))
      if (this.#options.onFailure === "allow") return { identity: undefined }
      throw unavailable(error)
    }
  }

  tellDone(request: AccessRequest, identity: string | undefined, outcome: SessionOutcome): void {
    const { action } = request
    const name = action === "publish" ? "onPublishDone" : "onPlayDone"
    if (this.#options[name] === undefined) return
    const body = { action: `${action}Done`, ...describe(request), ...outcome, identity }
    const told = this.#tell(name, body).finally(() => this.#told.delete(told))
    this.#told.add(told)
  }

  /** Resolves when all that has ended has been told, or given up after its time-out. */
  async close(): Promise<void> {
    await Promise.all(this.#told)
  }

  async #tell(name: CallbackName, body: object): Promise<void> {
    try {
      await this.#post(name, body).catch(() => this.#post(name, body)) // a kept connection may have been closed meanwhile
    } catch (error) {
      this.#onProblem(name, error instanceof GatewayError ? error.message : failureReason(error))
    }
  }

  /** Throws whatever fetch throws, and `access.unavailable` where too many wait. */
  async #post(name: CallbackName, body: object): Promise<Answer> {
    const signal = AbortSignal.timeout(this.#options.timeoutMs)
    const release = await this.#slots.take(signal)
    if (release === undefined) throw unavailable(new Error(`too many requests wait for ${name}`))
    try {
      const response = await fetch(this.#options[name] ?? "", {
        method: "POST",
        redirect: "manual", // nobody else is to get the token
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify(body),
        signal,
      })
      return await readAnswer(response)
    } finally {
      release()
    }
  }
}

type CallbackName = "onPublish" | "onPlay" | "onPublishDone" | "onPlayDone"

interface Answer {
  readonly status: number
  readonly identity: string | undefined
}

async function readAnswer(response: Response): Promise<Answer> {
  const { status, ok } = response
  const isJson = /^application\/(?:[\w.-]+\+)?json\b/i.test(response.headers.get("content-type") ?? "")
  if (!ok || !isJson || status === 204) {
    await response.body?.cancel()
    if (!ok && !isRefusal(status)) throw new RangeError(`it answered with status ${status}`)
    return { status, identity: undefined }
  }
  const answer = await readJson(response, MAX_ANSWER_BYTES)
  const identity = typeof answer === "object" && answer !== null && "identity" in answer ? answer.identity : undefined
  if (identity === undefined || identity === null) return { status, identity: undefined }
  if (typeof identity === "string" && identity !== "" && identity.length <= MAX_IDENTITY_CHARACTERS) {
    return { status, identity }
  }
  throw new RangeError(`its identity is no text of 1 to ${MAX_IDENTITY_CHARACTERS} characters`)
}

function isRefusal(status: number): boolean {
  return status >= 400 && status < 500
}

function refusal({ action, stream, token }: AccessRequest, status: number): GatewayError {
  if (status !== 401)
    return new GatewayError("access.denied", `the access service does not allow to ${action} ${stream}`)
  return token === undefined
    ? new GatewayError("access.required", `the access service asks for a token to ${action} ${stream}`)
    : new GatewayError("access.invalid", "the access service does not accept the token")
}

function describe({ stream, protocol, remoteAddress, sessionId }: AccessRequest): object {
  const slash = stream.indexOf("/")
  return { app: stream.slice(0, slash), stream: stream.slice(slash + 1), protocol, remoteAddress, sessionId }
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError("access.unavailable", "the access service does not answer: try again later", { cause })
}

const MAX_ANSWER_BYTES = 16 * 1024
const MAX_IDENTITY_CHARACTERS = 256
