import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { FlvToFrames } from "../../src/bridge/flv-to-frames.ts"
import { isAmfRecord } from "../../src/rtmp/amf-value.ts"
import type { RtmpServerEvent } from "../../src/rtmp/server-events.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { RtmpServerSession } from "../../src/rtmp/server-session.ts"

const RECORDING = readFileSync(join(import.meta.dirname, "../fixtures/rtmp/publish-ffmpeg-5.1.bin"))

/** Plays what a client sent to a session that accepts it; in pieces, as the client waits for answers. */
function replay(stepBytes: number): RtmpServerEvent[] {
  const session = new RtmpServerSession(RTMP_SERVER_DEFAULTS, new Uint8Array(8), 0)
  const events: RtmpServerEvent[] = []
  for (let at = 0; at < RECORDING.length; at += stepBytes) {
    for (const event of session.push(RECORDING.subarray(at, at + stepBytes), 0)) {
      events.push(event)
      if (event.type === "publishRequested") events.push(...session.acceptPublish(event.streamId))
    }
  }
  return events
}

test.each([1, 100, 400])("ffmpeg 5.1 publishing B-frames, read %i bytes at a time", (stepBytes) => {
  const events = replay(stepBytes).filter(({ type }) => type !== "send")
  expect(events[0]).toMatchObject({ type: "publishRequested", app: "live", stream: "cam1" })
  expect(events[0]).toHaveProperty("token", "abc")
  expect(events[1]?.type === "metadata" && isAmfRecord(events[1].values)).toBe(true)
  expect(events.at(-1)).toEqual({ type: "publishEnded", streamId: 1 })
  const adapter = new FlvToFrames(0)
  const frames = events.flatMap((event) => {
    if (event.type === "video") return adapter.pushVideo(event.timestampMs, event.payload, 0) ?? []
    return event.type === "audio" ? (adapter.pushAudio(event.timestampMs, event.payload, 0) ?? []) : []
  })
  const video = frames.flatMap((frame) => (frame.track.kind === "video" && "dtsUs" in frame ? [frame] : []))
  const audio = frames.filter((frame) => frame.track.kind === "audio")
  expect([video.length, audio.length]).toEqual([VIDEO_FRAMES, AUDIO_FRAMES])
  expect(video[0]).toMatchObject({ isKeyframe: true, track: { widthPx: 640, heightPx: 360 } })
  expect(adapter.hasBFrames).toBe(true)
  expect(video.map(({ dtsUs }) => dtsUs)).toEqual(video.map((_, i) => i * 40_000))
  const shownUs = video.map(({ ptsUs }) => ptsUs).toSorted((a, b) => a - b)
  expect(shownUs.slice(0, -1)).toEqual(shownUs.slice(0, -1).map((_, i) => (i + 2) * 40_000)) // the last one was cut off
  const steps = audio.slice(1).map((frame, i) => frame.ptsUs - (audio[i]?.ptsUs ?? 0))
  for (const stepUs of steps) expect(Math.abs(stepUs - 23_220)).toBeLessThanOrEqual(1)
})

const VIDEO_FRAMES = 20
const AUDIO_FRAMES = 35
