import { readFileSync } from "node:fs"
import { FlvToFrames } from "../../src/bridge/flv-to-frames.ts"
import { type FlvBody, frameToFlv, trackToFlv } from "../../src/bridge/frames-to-flv.ts"
import { type FlvFileEvent, FlvFileReader } from "../../src/flv/file-reader.ts"
import { concat } from "../../src/media/bytes.ts"
import { decodingTimeUs, isVideoFrame, type MediaFrame, type Track, type VideoFrame } from "../../src/media/frame.ts"

/** A tag of audio or video. */
export interface MediaTag {
  readonly type: "audio" | "video"
  readonly timestampMs: number
  readonly payload: Uint8Array
}

/** The audio and video tags of a file in test/fixtures/flv. */
export function readFixture(name: string): MediaTag[] {
  const tags: MediaTag[] = []
  const take = (event: FlvFileEvent) => {
    if (event.type === "audio" || event.type === "video") tags.push(event as MediaTag)
  }
  new FlvFileReader(1 << 20).push(readFileSync(new URL(`../fixtures/flv/${name}`, import.meta.url)), take)
  return tags
}

/** The frames that a publisher's tags become. */
export function framesOf(tags: readonly MediaTag[], adapter = new FlvToFrames(0)): MediaFrame[] {
  return tags.flatMap(({ type, timestampMs, payload }) => {
    const frame =
      type === "video"
        ? adapter.pushVideo(timestampMs, payload, timestampMs)
        : adapter.pushAudio(timestampMs, payload, timestampMs)
    return frame === undefined ? [] : [frame]
  })
}

/** What a reader of the frames gets. */
export function tagsOf(frames: readonly MediaFrame[]): MediaTag[] {
  const tracks = new Map<Track["kind"], Track>()
  const bodies = frames.flatMap((frame): FlvBody[] => {
    const { track } = frame
    const isNew = tracks.get(track.kind) !== track
    tracks.set(track.kind, track)
    return [...(isNew ? trackToFlv(track, decodingTimeUs(frame)) : []), frameToFlv(frame)]
  })
  return bodies.map(({ kind, timestampMs, parts }) => ({ type: kind, timestampMs, payload: concat(parts) }))
}

/** The pictures among frames. */
export function picturesOf(frames: readonly MediaFrame[]): VideoFrame[] {
  return frames.filter(isVideoFrame)
}
