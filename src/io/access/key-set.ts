import type { FetchImplementation } from "jose"
import { GatewayError } from "../../errors.ts"
import { failureReason, readJson } from "./read-json.ts"

/**
 * Fetches a key set for jose, which caches it. Redirects are not followed, the size is bounded, and after a failure the
 * issuer is left alone for a second, however many tokens come. Throws `access.unavailable`.
 */
export function fetchKeySet(onProblem: (reason: string) => void, nowMs = () => performance.now()): FetchImplementation {
  let failedAtMs = Number.NEGATIVE_INFINITY
  return async (url, options) => {
    if (nowMs() - failedAtMs < RETRY_AFTER_MS) throw unavailable()
    try {
      const response = await fetch(url, options)
      if (response.status !== 200) {
        await response.body?.cancel()
        throw new RangeError(`it answered with status ${response.status}`)
      }
      const keys = await readJson(response, MAX_KEY_SET_BYTES)
      return Response.json(keys)
    } catch (error) {
      failedAtMs = nowMs()
      onProblem(failureReason(error))
      throw unavailable(error)
    }
  }
}

/** Nobody can tell at the moment whether a token is good, so it is not taken. */
export function unavailable(cause?: unknown): GatewayError {
  return new GatewayError("access.unavailable", "the token cannot be verified at the moment: try again later", {
    cause,
  })
}

const RETRY_AFTER_MS = 1_000
const MAX_KEY_SET_BYTES = 256 * 1024
