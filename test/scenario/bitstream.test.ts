import { describe, expect, test } from "vitest"
import { FlvToFrames } from "../../src/bridge/flv-to-frames.ts"
import { frameToFlv, trackToFlv } from "../../src/bridge/frames-to-flv.ts"
import { createLaneConverters } from "../../src/bridge/lane-converters.ts"
import { RtpPassthrough } from "../../src/bridge/rtp-passthrough.ts"
import { parseConfig } from "../../src/config.ts"
import { serializeVideoConfig, serializeVideoFrameHeader } from "../../src/flv/video-tag.ts"
import { LiveStream } from "../../src/hub/live-stream.ts"
import { concat } from "../../src/media/bytes.ts"
import type { H264Track, VideoFrame } from "../../src/media/frame.ts"
import { serializeAvcConfig } from "../../src/media/h264.ts"
import { H264Depacketizer } from "../../src/rtp/h264-depacketizer.ts"
import { packetizeH264 } from "../../src/rtp/h264-packetizer.ts"
import { PPS, SPS_320, SPS_640, slice } from "../rtp/h264-stream.ts"
import { hex, toHex } from "../support/bytes.ts"
import { NAME } from "./support-gateway.ts"

/** What may stand in a stream beside plain pictures, on each way from a publisher to who reads it. */
const AUD = hex("09f0")
const FILLER = hex("0cffffff80")
const OTHER_PPS = hex("68cb83cb40")
const FRAME_US = 40_000

/** SEI of user data, unregistered. */
const sei = (mark: number) => new Uint8Array([6, 5, 17, ...new Uint8Array(16).fill(0xab), mark, 0x80])

/** Slices of one picture; `mark` tells it from others, and some are longer than a packet. */
function slices(mark: number, count: number, isKeyframe = false): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => slice(isKeyframe ? 0x65 : 0x41, 500 + i * 900, i === 0, mark))
}

/** Where a picture begins by these sets, what else it has, and by which size and PPS it is decoded. */
interface Picture {
  readonly sets: readonly Uint8Array[]
  readonly units: readonly Uint8Array[]
  readonly widthPx: number
  readonly pps: Uint8Array
}

const SMALL = { sets: [], widthPx: 320, pps: PPS }
const CHANGED = { sets: [], widthPx: 320, pps: OTHER_PPS }
const LARGE = { sets: [SPS_640, OTHER_PPS], widthPx: 640, pps: OTHER_PPS }

const PICTURES: readonly Picture[] = [
  { ...SMALL, sets: [SPS_320, PPS], units: [sei(1), ...slices(0x51, 4, true), FILLER] },
  { ...SMALL, units: [sei(2), ...slices(0x52, 4)] },
  { ...SMALL, units: [...slices(0x53, 1), FILLER, slice(0x41, 700, false, 0x54)] },
  // Other parameter sets between keyframes.
  { ...CHANGED, sets: [OTHER_PPS], units: slices(0x55, 2) },
  { ...CHANGED, units: slices(0x56, 2) },
  // Another size, and the same once more.
  { ...LARGE, units: [sei(3), ...slices(0x57, 3, true)] },
  { ...LARGE, units: slices(0x58, 3, true) },
  { ...LARGE, sets: [], units: [...slices(0x59, 2), FILLER] },
]

/** What arrives of each: slices and SEI, decoded by the right sets. */
const EXPECTED = PICTURES.map(({ units, widthPx, pps }) => ({
  units: units.filter((unit) => unit !== FILLER).map(toHex),
  widthPx,
  pps: [toHex(pps)],
}))

const describeTrack = ({ widthPx, pps }: H264Track) => ({ widthPx, pps: pps.map(toHex) })
const describeFrame = (frame: Pick<VideoFrame<H264Track>, "track" | "units">) => ({
  units: frame.units.map(toHex),
  ...describeTrack(frame.track),
})

function createStream(): LiveStream {
  const config = parseConfig({})
  const transcoders = {
    open: () => {
      throw new Error("there is no sound")
    },
    close: async () => undefined,
  }
  const converters = createLaneConverters({ transcoders, ...config.audio, onAudioError: () => undefined })
  const publisher = {
    id: "publisher",
    protocol: "rtmp",
    identity: undefined,
    lastMediaMs: 0,
    requestKeyframe: () => undefined,
    end: () => undefined,
    describe: () => {
      throw new Error("nobody asks")
    },
  } as const
  return new LiveStream(NAME, publisher, 0, converters, { ...config.hub })
}

/** As an RTMP encoder sends it: all NAL units in the messages, and the first sets in the sequence header too. */
function publishByRtmp(stream: LiveStream): void {
  const frames = new FlvToFrames(0)
  frames.pushVideo(0, serializeVideoConfig("h264", serializeAvcConfig([SPS_320], [PPS])), 0)
  for (const [i, { sets, units }] of PICTURES.entries()) {
    const isKeyframe = ((units.at(-2) as Uint8Array)[0] as number) === 0x65
    const nalUnits = [AUD, ...sets, ...units].flatMap((unit) => [
      new Uint8Array([0, 0, unit.length >> 8, unit.length]),
      unit,
    ])
    const body = concat([serializeVideoFrameHeader("h264", isKeyframe, 0), ...nalUnits])
    const frame = frames.pushVideo(i * 40, body, i * 40)
    if (frame !== undefined) stream.pushFrame(frame)
  }
}

function publishByWhip(stream: LiveStream): void {
  stream.useVideo("packets", "h264")
  const passthrough = new RtpPassthrough({ codec: "h264" })
  let sequenceNumber = 65_530
  for (const [i, { sets, units }] of PICTURES.entries()) {
    const payloads = packetizeH264([AUD, ...sets, ...units])
    for (const [k, payload] of payloads.entries()) {
      const marker = k === payloads.length - 1
      const packet = { ssrc: 1, sequenceNumber, timestamp: i * 3_600, marker, payload }
      sequenceNumber = (sequenceNumber + 1) & 0xffff
      const batch = passthrough.push(packet, i * FRAME_US)
      if (batch !== undefined) stream.pushPackets(batch)
    }
  }
}

/** What a receiver of the packets makes of them. */
function readByWhep(stream: LiveStream) {
  const depacketizer = new H264Depacketizer()
  const arrived: ReturnType<typeof describeFrame>[] = []
  stream.lanes.videoPackets.subscribe(
    ({ packets, timestamp, ptsUs }) => {
      for (const packet of packets)
        arrived.push(...depacketizer.push({ ...packet, timestamp, ptsUs }).map(describeFrame))
    },
    { replay: false },
  )
  return arrived
}

/** What an RTMP player makes of the messages. */
function readByRtmp(stream: LiveStream) {
  const frames = new FlvToFrames(0)
  const arrived: ReturnType<typeof describeFrame>[] = []
  let track: VideoFrame["track"] | undefined
  stream.lanes.videoFrames.subscribe(
    (frame) => {
      const headers = track === frame.track ? [] : trackToFlv(frame.track, frame.dtsUs)
      track = frame.track
      for (const { parts, timestampMs } of [...headers, frameToFlv(frame)]) {
        const read = frames.pushVideo(timestampMs, concat(parts), timestampMs)
        if (read !== undefined) arrived.push(describeFrame(read as VideoFrame<H264Track>))
      }
    },
    { replay: false },
  )
  return arrived
}

describe.each([
  ["RTMP", publishByRtmp],
  ["WHIP", publishByWhip],
])("from %s", (_, publish) => {
  test.each([
    ["WHEP", readByWhep],
    ["RTMP", readByRtmp],
  ])("to %s: slices, SEI, parameter sets and sizes arrive, delimiters and filler do not matter", (_to, read) => {
    const stream = createStream()
    const arrived = read(stream)
    publish(stream)
    expect(arrived).toEqual(EXPECTED)
  })
})
