import { expect, test } from "vitest"
import { Lane } from "../../../src/hub/lane.ts"
import type { LiveStream } from "../../../src/hub/live-stream.ts"
import type { WhepLayers } from "../../../src/io/webrtc/whep-layers.ts"
import { WhepViewerEvents } from "../../../src/io/webrtc/whep-viewer-events.ts"
import type { VideoFrame } from "../../../src/media/frame.ts"
import { serializeAmf0 } from "../../../src/rtmp/amf0.ts"
import type { WhepEvent } from "../../../src/whep/event-feeds.ts"
import { frame } from "../../bridge/rtp-frames.ts"

const SEI = new Uint8Array([6, 5, 17, ...new Uint8Array(16).fill(0xab), 0x42, 0x80])

function setup() {
  const policy = { keep: "fromStart", maxBytes: 1e6, maxDurationUs: 1e9 } as const
  const facts = ({ isKeyframe, ptsUs }: VideoFrame) => ({ startsHere: isKeyframe, ptsUs, sizeBytes: 1 })
  const videoFrames = new Lane<VideoFrame>(facts, policy)
  const lanes = { videoFrames, aacFrames: { last: undefined } }
  const stream = { lanes, publisher: {}, viewerCount: 1 } as unknown as LiveStream
  const layers = { mediaId: "0", list: () => [] } as unknown as WhepLayers
  const events = new WhepViewerEvents({ stream, layers, rtpTimestamp: (ptsUs) => ptsUs / 1000 })
  const pictureAt = (pts: number): VideoFrame => {
    const plain = frame("p", pts)
    return { ...plain, units: [SEI, ...plain.units] } as VideoFrame
  }
  const read = (id: string) => {
    const told: WhepEvent[] = []
    events.feeds.find(id)?.subscribe({ event: (event) => void told.push(event), end: () => undefined })
    return told
  }
  return { events, videoFrames, pictureAt, read }
}

test("a feed that asks for timed metadata gets SEI and script data with the picture's timestamp", () => {
  const { events, videoFrames, pictureAt, read } = setup()
  const told = read(events.feeds.open(["timedmetadata"]))
  videoFrames.push(frame("p", 9))
  videoFrames.push(pictureAt(10))
  events.onStreamEvent({ type: "scriptData", payload: serializeAmf0(["onTextData", { text: "hi" }]) })
  const uuid = "abababab-abab-abab-abab-abababababab"
  expect(told).toEqual([
    { type: "timedmetadata", data: { kind: "sei", uuid, payload: btoa("B"), rtpTimestamp: 400 } },
    { type: "timedmetadata", data: { kind: "data", name: "onTextData", values: [{ text: "hi" }], rtpTimestamp: 400 } },
  ])
})

test("the frames are looked at only while a feed asks for them", () => {
  const { events, videoFrames, read } = setup()
  const other = read(events.feeds.open(["viewercount"]))
  expect(videoFrames.hasSubscribers).toBe(false)
  events.onStreamEvent({ type: "scriptData", payload: serializeAmf0(["onTextData", "hi"]) })
  expect(other.map(({ type }) => type)).toEqual(["viewercount"])
  const ids = [events.feeds.open(["timedmetadata"]), events.feeds.open(["timedmetadata"])]
  expect(videoFrames.hasSubscribers).toBe(true)
  events.feeds.close(ids[0] as string)
  expect(videoFrames.hasSubscribers).toBe(true)
  events.feeds.close(ids[1] as string)
  expect(videoFrames.hasSubscribers).toBe(false)
  events.feeds.open(["timedmetadata"])
  events.end()
  expect(videoFrames.hasSubscribers).toBe(false)
})
