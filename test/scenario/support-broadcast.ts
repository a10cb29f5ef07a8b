import { vi } from "vitest"
import { FlvBroadcasts } from "../../src/io/flv-broadcast.ts"
import { TestGateway } from "./support-gateway.ts"
import { RtmpSource } from "./support-rtmp.ts"

/** Between two pictures. */
export const FRAME_MS = 40

/** How a stream differs from the ordinary. */
export interface Broadcast {
  /** Sound comes so much later than the pictures of its time. */
  readonly soundLagMs?: number
  /** In pictures. */
  readonly keyframeInterval?: number
  /** Called before each picture. */
  readonly before?: (id: number) => void
}

/** A gateway with a publisher that has sent its headers. To be used with a fake clock. */
export function startBroadcast(): { gateway: TestGateway; source: RtmpSource; broadcasts: FlvBroadcasts } {
  const gateway = new TestGateway()
  const source = RtmpSource.publishing(gateway)
  source.headers()
  return { gateway, source, broadcasts: new FlvBroadcasts(gateway.nowMs) }
}

/** Publishes these pictures, and sound, in real time, turn by turn. */
export async function publishFrames(
  source: RtmpSource,
  [from, to]: readonly [from: number, to: number],
  { soundLagMs = 0, keyframeInterval = 10, before = () => undefined }: Broadcast = {},
): Promise<void> {
  for (let id = from; id < to; id++) {
    before(id)
    source.picture(id * FRAME_MS, id, id % keyframeInterval === 0)
    await vi.advanceTimersByTimeAsync(FRAME_MS / 2)
    const soundMs = id * FRAME_MS + FRAME_MS / 2 - soundLagMs
    if (soundMs >= 0) source.sound(soundMs, id)
    await vi.advanceTimersByTimeAsync(FRAME_MS / 2)
  }
}
