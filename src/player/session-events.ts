/** A simulcast layer as the session's `layers` event tells it; 0 bit/s for one that is not sent at present. */
export interface LayerInfo {
  readonly rid: string
  readonly bitrate?: number
  readonly width?: number
  readonly height?: number
}

/** What a publisher sent beside its pictures, with the RTP timestamp of the picture, as `requestVideoFrameCallback` tells it, where there is one. */
export type TimedMetadata = { readonly rtpTimestamp?: number } & (
  | { readonly kind: "sei"; readonly uuid: string; readonly payload: string }
  | { readonly kind: "data"; readonly name: string; readonly values: readonly unknown[] }
)

/** What a WHEP session tells while it runs, by the event's name (webrtc-http-egress-events). */
export interface WhepEventData {
  /** The publisher is there. */
  readonly active: unknown
  /** The publisher is gone and may return. */
  readonly inactive: unknown
  /** The layers of each video that has some, by the index of its m-line. */
  readonly layers: Readonly<Record<string, readonly LayerInfo[]>>
  readonly viewercount: { readonly viewercount: number }
  /** The session is about to end, and a new one may be opened. */
  readonly reconnect: unknown
  /** SEI user data (the payload in Base64) and RTMP data messages; only where it was asked for. */
  readonly timedmetadata: TimedMetadata
}

/** One event of a session. */
export type WhepEvent = {
  [Type in keyof WhepEventData]: { readonly type: Type; readonly data: WhepEventData[Type] }
}[keyof WhepEventData]

/** Listens to a WHEP session's events until the signal aborts; to timed metadata too where it is wanted, which costs the server something. */
export async function listen(
  eventsUrl: URL,
  onEvent: (event: WhepEvent) => void,
  { signal, timedMetadata = false }: { readonly signal: AbortSignal; readonly timedMetadata?: boolean | undefined },
): Promise<void> {
  const types = timedMetadata ? [...TYPES, "timedmetadata" as const] : TYPES
  const response = await fetch(eventsUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(types),
    signal,
  })
  const location = response.headers.get("location")
  if (response.status !== 201 || location === null || signal.aborted) return
  const source = new EventSource(new URL(location, response.url))
  for (const type of types) {
    source.addEventListener(type, ({ data }) => onEvent({ type, data: JSON.parse(data) }))
  }
  // The feed ends with its session: there is nothing to come back to.
  source.addEventListener("error", () => source.close())
  signal.addEventListener("abort", () => source.close())
}

const TYPES = ["active", "inactive", "layers", "viewercount", "reconnect"] as const
