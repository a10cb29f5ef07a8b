import { globSync, readFileSync } from "node:fs"
import { FlvToFrames } from "../../src/bridge/flv-to-frames.ts"
import { parseAudioTag } from "../../src/flv/audio-tag.ts"
import { FlvFileReader } from "../../src/flv/file-reader.ts"
import { flvFileHeader, flvTag, scriptTag } from "../../src/flv/file-writer.ts"
import { parseVideoTag } from "../../src/flv/video-tag.ts"
import { concat } from "../../src/media/bytes.ts"
import { ChunkReader } from "../../src/rtmp/chunk-reader.ts"
import { MESSAGE_TYPE } from "../../src/rtmp/message.ts"
import type { FuzzTarget } from "./fuzz-rtmp.ts"

/** The bodies of tags, what the bridge makes of them, and files. */
export function fuzzFlvTargets(): FuzzTarget[] {
  const { video, audio } = sampleBodies()
  const kinds = (bodies: readonly Uint8Array[], typeId: number) =>
    bodies.map((body) => concat([Uint8Array.of(typeId), body]))
  return [
    { name: "video tags", samples: video, run: (input) => void parseVideoTag(input) },
    { name: "audio tags", samples: audio, run: (input) => void parseAudioTag(input) },
    {
      name: "frames of tags",
      samples: [...kinds(video, MESSAGE_TYPE.video), ...kinds(audio, MESSAGE_TYPE.audio)],
      run: runFrames(),
    },
    { name: "files", samples: fileSamples(video, audio), run: runFile },
  ]
}

/** One publisher sends some thousand tags, so that they meet every state. The first byte says whether a tag is sound or picture. */
function runFrames(): FuzzTarget["run"] {
  let frames = new FlvToFrames(0)
  return (input, index) => {
    if (index % 4_096 < 16) frames = new FlvToFrames(0)
    const body = new Uint8Array(input.subarray(1)) // frames keep it
    if (input[0] === MESSAGE_TYPE.audio) frames.pushAudio(index * 10, body, index)
    else frames.pushVideo(index * 10, body, index)
  }
}

function runFile(input: Uint8Array, index: number): void {
  const whole = readFile(input, input.length)
  const pieces = index % 16 < 2 ? readFile(input, 1 + (index % 7)) : whole
  if (whole.text !== pieces.text) throw new Error("in pieces other tags come out")
  if (whole.error !== undefined) throw whole.error
}

function readFile(input: Uint8Array, stepBytes: number): { text: string; error: unknown } {
  const reader = new FlvFileReader(4_096)
  let text = ""
  try {
    for (let at = 0; at < input.length; at += stepBytes) {
      reader.push(input.subarray(at, at + stepBytes), (event) => {
        text += event.type === "header" ? "header " : `${event.type} ${event.timestampMs} ${event.payload.length} `
      })
    }
  } catch (error) {
    return { text: text + String(error), error }
  }
  return { text, error: undefined }
}

function fileSamples(video: readonly Uint8Array[], audio: readonly Uint8Array[]): Uint8Array[] {
  const head = [flvFileHeader({ hasVideo: true, hasAudio: true }), scriptTag("onMetaData", new Map([["width", 2]]), 0)]
  const tag = (typeId: 8 | 9, body: Uint8Array, timestampMs: number) => flvTag({ typeId, timestampMs, parts: [body] })
  const tags = [
    tag(9, video[0] as Uint8Array, 0),
    tag(8, audio[0] as Uint8Array, 0x100_0000),
    tag(9, video[1] as Uint8Array, 0xffff_ffff),
  ]
  return [concat([...head, ...tags]), concat([...head.slice(0, 1), ...tags])]
}

/** What ffmpeg sent in all codecs (the shorter ones), and forms of Enhanced RTMP that it does not send. */
export function sampleBodies(): { video: Uint8Array[]; audio: Uint8Array[] } {
  const bodies = { video: VIDEO_BODIES.map(fromHex), audio: AUDIO_BODIES.map(fromHex) }
  const add = (kind: "video" | "audio", body: Uint8Array) => {
    if (body.length > 0 && body.length <= MAX_SAMPLE_BYTES) bodies[kind].push(body)
  }
  for (const file of globSync(`${FIXTURES}/flv/*.flv`).sort()) {
    new FlvFileReader(2 ** 20).push(readFileSync(file), (event) => {
      if (event.type === "video" || event.type === "audio") add(event.type, event.payload)
    })
  }
  const reader = new ChunkReader({ maxMessageBytes: 2 ** 20, maxPendingBytes: 2 ** 21, maxChunkStreams: 16 })
  reader.push(
    readFileSync(`${FIXTURES}/rtmp/publish-ffmpeg-5.1.bin`).subarray(1 + 2 * 1_536),
    ({ typeId, payload }) => {
      if (typeId === MESSAGE_TYPE.video) add("video", payload)
      if (typeId === MESSAGE_TYPE.audio && bodies.audio.length < 60) add("audio", payload)
    },
  )
  return bodies
}

function fromHex(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits.replaceAll(" ", ""), "hex"))
}

const FIXTURES = new URL("../../test/fixtures", import.meta.url).pathname
const MAX_SAMPLE_BYTES = 1_500
const VIDEO_BODIES = [
  "27 01 ffffec 00000004 419a2410",
  "91 61766331 000028 00000004 65888400",
  "92 68766331",
  "94 68766331 02 0009 636f6c6f72496e666f 03 000b 636f6c6f72436f6e666967 03 0008 6269744465707468 00 4024000000000000 000009 000009",
  "97 02 0f4240 01 68766331 000000 00000004 26010101",
  "96 01 61766331 00 000028 00000004 65888400",
  "96 11 61766331 00 00000b 000028 00000004 65888400 01 00000b 000028 00000004 65888400",
  "96 21 61766331 00 00000b 000028 00000004 65888400 68766331 01 00000b 000028 00000004 26010101",
  "57 00",
]
const AUDIO_BODIES = [
  "97 02 0f4240 01 4f707573 fc010203",
  "95 01 4f707573 00 fc010203",
  "95 11 4f707573 00 000004 fc010203 01 000004 fc010203",
  "94 4f707573 01 02 00000003",
  "92 4f707573",
  "91 61632d33 0b77abcd",
  "2f fffb9064",
  "7f d5d5",
]
