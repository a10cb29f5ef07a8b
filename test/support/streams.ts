import type { TestGateway } from "./gateway.ts"
import { until } from "./wait.ts"

/** A stream as the API lists it. */
interface ListedStream {
  readonly name: string
  readonly viewers: number
  readonly tracks: readonly { readonly kind: string; readonly codec: string }[]
}

/** Waits until the API lists a stream with its picture and its sound. */
export async function liveStream(gateway: TestGateway, stream: string, trackCount = 2): Promise<ListedStream> {
  return until(`${stream} to be live`, async () => {
    const listed = (await listStreams(gateway)).find(({ name }) => name === stream)
    return listed !== undefined && listed.tracks.length >= trackCount && listed
  })
}

/** Waits until the API no longer lists a stream. */
export async function endedStream(gateway: TestGateway, stream: string): Promise<void> {
  await until(`${stream} to end`, async () => (await listStreams(gateway)).every(({ name }) => name !== stream))
}

/** Waits until nobody watches a stream any more. */
export async function noViewers(gateway: TestGateway, stream: string): Promise<void> {
  await until(`the viewers of ${stream} to go`, async () => {
    return (await listStreams(gateway)).every(({ name, viewers }) => name !== stream || viewers === 0)
  })
}

async function listStreams(gateway: TestGateway): Promise<ListedStream[]> {
  const response = await fetch(`${gateway.httpUrl}/api/v1/streams`)
  return ((await response.json()) as { streams: ListedStream[] }).streams
}
