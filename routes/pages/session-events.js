/**
 * Listens to a WHEP session's events (webrtc-http-egress-events) until the signal aborts. `onEvent(type, data)` tells
 * `active`, `inactive`, `layers`, `viewercount` and `reconnect`.
 */
export async function listen(eventsUrl, onEvent, signal) {
  const response = await fetch(eventsUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(TYPES),
    signal,
  })
  if (response.status !== 201 || signal.aborted) return
  const source = new EventSource(new URL(response.headers.get("location"), response.url))
  for (const type of TYPES) source.addEventListener(type, ({ data }) => onEvent(type, JSON.parse(data)))
  // The feed ends with its session: there is nothing to come back to.
  source.addEventListener("error", () => source.close())
  signal.addEventListener("abort", () => source.close())
}

const TYPES = ["active", "inactive", "layers", "viewercount", "reconnect"]
