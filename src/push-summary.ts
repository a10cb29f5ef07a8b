import type { PushSummary } from "../routes/api/push-schemas.ts"
import type { PushEntry } from "./io/push/push-manager.ts"
import { wallClock } from "./stream-summary.ts"

/** Describes a push for the API. */
export function describePush(push: PushEntry, nowMs: number): PushSummary {
  const { id, stream, target, source, state, lastFailure, totals, bitrateBps } = push
  const retryAtMs = "retryAtMs" in state ? state.retryAtMs : undefined
  return {
    id,
    stream,
    target,
    source,
    state: state.type,
    since: wallClock(state.sinceMs, nowMs),
    ...(retryAtMs !== undefined && { retryInMs: Math.max(0, Math.round(retryAtMs - nowMs)) }),
    ...(lastFailure !== undefined && {
      lastError: {
        code: lastFailure.error.code,
        message: lastFailure.error.message,
        at: wallClock(lastFailure.atMs, nowMs),
      },
    }),
    ...totals,
    bitrateBps,
  }
}
