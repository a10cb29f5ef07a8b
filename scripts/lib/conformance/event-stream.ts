import { type Fetch, mediaType, toRequest } from "./http.ts"

/** One server-sent event. */
export interface ReceivedEvent {
  readonly type: string
  readonly data: readonly string[]
}

/** What came from a stream of events. */
export interface ReadEvents {
  readonly status: number
  readonly isEventStream: boolean
  readonly events: readonly ReceivedEvent[]
  /** Whether the server ended it. */
  readonly isEnded: boolean
}

/** How long to read, and what to do once the stream is open. */
export interface ReadOptions {
  readonly token: string | undefined
  readonly timeoutMs: number
  /** Whether the first events are enough. */
  readonly stopsAtEvent?: boolean
  readonly onOpen?: () => Promise<void>
}

/** Reads a stream of server-sent events (WHATWG HTML section 9.2) until it ends or the time is over. */
export async function readEvents(fetch: Fetch, url: string, options: ReadOptions): Promise<ReadEvents> {
  const { token, timeoutMs, stopsAtEvent = false, onOpen } = options
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(toRequest(url, { headers: { accept: "text/event-stream", ...authorization } }))
  const isEventStream = mediaType(response) === "text/event-stream"
  const reader = response.body?.getReader()
  if (!response.ok || reader === undefined || timeoutMs === 0) {
    await reader?.cancel()
    return { status: response.status, isEventStream, events: [], isEnded: false }
  }
  await onOpen?.()
  const { text, isEnded } = await readText(reader, timeoutMs, stopsAtEvent)
  return { status: response.status, isEventStream, events: parseEvents(text), isEnded }
}

async function readText(reader: ReadableStreamDefaultReader<Uint8Array>, timeoutMs: number, stopsAtEvent: boolean) {
  const decoder = new TextDecoder()
  const timeout = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => timeout.resolve(undefined), timeoutMs)
  let text = ""
  try {
    for (;;) {
      const chunk = await Promise.race([reader.read(), timeout.promise])
      if (chunk === undefined || chunk.done) return { text, isEnded: chunk?.done === true }
      text += decoder.decode(chunk.value, { stream: true })
      if (stopsAtEvent && parseEvents(text).length > 0) return { text, isEnded: false }
    }
  } finally {
    clearTimeout(timer)
    await reader.cancel()
  }
}

function parseEvents(text: string): ReceivedEvent[] {
  const blocks = text.replace(/\r\n?/g, "\n").split("\n\n").slice(0, -1)
  return blocks.flatMap((block): ReceivedEvent[] => {
    const fields = block.split("\n").flatMap((line) => /^(event|data): ?(.*)$/.exec(line)?.slice(1, 3) ?? [])
    const data: string[] = []
    let type = ""
    for (let i = 0; i < fields.length; i += 2) {
      if (fields[i] === "data") data.push(fields[i + 1] ?? "")
      else type = fields[i + 1] ?? ""
    }
    return fields.length === 0 ? [] : [{ type, data }]
  })
}
