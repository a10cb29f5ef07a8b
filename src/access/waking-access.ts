import type { StreamDemand } from "../hub/demand.ts"
import type { AccessControl, AccessRequest } from "./access.ts"

/**
 * Access control whose permission to play comes when the stream has been woken: nothing is fetched for those who may not watch, and no way
 * to a stream, whatever its protocol, forgets to ask for it. `authorize` throws what `StreamDemand.wake` throws as well.
 */
export function wakingAccess(access: AccessControl, demand: StreamDemand): AccessControl {
  return {
    authorize: async (request: AccessRequest) => {
      const grant = await access.authorize(request)
      if (request.action !== "play") return grant
      try {
        await demand.wake(request.stream)
      } catch (error) {
        const reason = "the stream could not be fetched"
        grant.ended({ sessionId: request.sessionId ?? "", reason, durationMs: 0, bytes: 0 })
        throw error
      }
      return grant
    },
    permitted: (action, token) => access.permitted(action, token),
    requireAdmin: (token) => access.requireAdmin(token),
  }
}
