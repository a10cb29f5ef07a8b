import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { FlvFileReader } from "../../../src/flv/file-reader.ts"
import type { LiveStream } from "../../../src/hub/live-stream.ts"
import type { PublisherSession } from "../../../src/hub/session.ts"
import type { LaneConverters } from "../../../src/hub/stream-lanes.ts"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import { StreamRegistry } from "../../../src/hub/stream-registry.ts"
import { NODE_FILES } from "../../../src/io/recording/files.ts"
import { Recordings, type RecordingsOptions } from "../../../src/io/recording/recordings.ts"
import type { AacTrack, H264Track } from "../../../src/media/frame.ts"
import type { AmfValue } from "../../../src/rtmp/amf-value.ts"
import { parseAmf0 } from "../../../src/rtmp/amf0.ts"
import { hex } from "../../support/bytes.ts"
import type { Scope } from "../../support/scope.ts"

export const VIDEO: H264Track = {
  kind: "video",
  codec: "h264",
  sps: [hex("6742c01ed890280bfe5c0440000003004000000c83c58b8980")],
  pps: [hex("68c888cb20")],
  widthPx: 640,
  heightPx: 360,
}
export const SOUND: AacTrack = {
  kind: "audio",
  codec: "aac",
  audioSpecificConfig: hex("1210"),
  sampleRateHz: 44_100,
  channels: 2,
}
export const FRAME_US = 40_000

/** Recordings of a hub of its own, in a folder of their own, with a clock that stands still until it is set. */
export class RecordingSetup {
  readonly folder: string
  readonly registry: StreamRegistry
  readonly recordings: Recordings
  readonly log: Record<string, unknown>[] = []
  readonly bugs: unknown[] = []
  nowMs = 0

  constructor(folder: string, options: Partial<RecordingsOptions>) {
    this.folder = folder
    const bounds = { maxStreams: 10, maxSubscribers: 10, cacheMaxBytes: 1e8, cacheMaxMs: 30_000 }
    const times = { graceMs: 5_000, silentTakeoverMs: 1_000, keyframeRequestIntervalMs: 1_000 }
    this.registry = new StreamRegistry(noConverters, { ...bounds, ...times })
    this.recordings = new Recordings({
      ...{
        folder,
        template: "{app}/{stream}-{n}.flv",
        timeZone: "utc",
        audio: "aac",
        rules: [],
        allowPublishers: false,
      },
      ...{ maxFileDurationMs: 0, maxFileBytes: 0, minFreeBytes: 0, maxRecordings: 10, retryMs: 60_000 },
      ...{ queueMaxBytes: 1e7, maxDelayMs: 8_000, slowTimeoutMs: 30_000 },
      registry: this.registry,
      files: NODE_FILES,
      logger: pino({ level: "debug" }, { write: (line) => this.log.push(JSON.parse(line)) }),
      nowMs: () => this.nowMs,
      onBug: (error) => this.bugs.push(error),
      ...options,
    })
  }

  publish(name = "cam1", publisher: PublisherSession = publisherOf("one")): TestPublisher {
    return new TestPublisher(this.registry.publish(parseStreamName("live", name), publisher, this.nowMs), publisher)
  }

  /** Ends all recordings, so that their files are complete, and reads the files by name. */
  async files(): Promise<Record<string, RecordedFlv>> {
    await this.recordings.close(5_000)
    const names = (await readdir(this.folder, { recursive: true })).filter((name) => name.endsWith(".flv")).sort()
    const files: Record<string, RecordedFlv> = {}
    for (const name of names) files[name] = readFlv(await readFile(join(this.folder, name)))
    return files
  }
}

/** Opens a setup that ends with the scope. */
export async function openRecordings(scope: Scope, options: Partial<RecordingsOptions> = {}): Promise<RecordingSetup> {
  const folder = await mkdtemp(join(tmpdir(), "recordings-"))
  const setup = new RecordingSetup(folder, options)
  scope.defer(async () => {
    await setup.recordings.close(1_000)
    await rm(folder, { recursive: true })
  })
  return setup
}

/** Feeds a stream with pictures of 1 kB at 25 fps, a keyframe each second, and sound with each of them. */
export class TestPublisher {
  readonly stream: LiveStream
  readonly session: PublisherSession
  /** Number of the next picture. */
  next = 0
  nextSound = 0
  video: H264Track = VIDEO

  constructor(stream: LiveStream, session: PublisherSession) {
    this.stream = stream
    this.session = session
  }

  /** Sends so many pictures and sounds; sound may come later than the pictures of its time. */
  send(count: number, { soundDelay = 0, pictureBytes = 1_000 } = {}): void {
    for (const end = this.next + count; this.next < end; this.next++) {
      const ptsUs = this.next * FRAME_US
      const units = [new Uint8Array(pictureBytes).fill(0x65)]
      this.stream.pushFrame({ track: this.video, ptsUs, dtsUs: ptsUs, isKeyframe: this.next % 25 === 0, units })
      this.#soundBefore(this.next + 1 - soundDelay)
    }
  }

  /** Sends the sound that is late. */
  catchUp(): void {
    this.#soundBefore(this.next)
  }

  #soundBefore(end: number): void {
    for (; this.nextSound < end; this.nextSound++) this.#sound(this.nextSound)
  }

  #sound(number: number): void {
    this.stream.pushFrame({ track: SOUND, ptsUs: number * FRAME_US + 1_000, data: new Uint8Array(100) })
  }
}

export function publisherOf(identity: string | undefined): PublisherSession {
  const describe = () => {
    throw new Error("nobody asks")
  }
  const session = { id: `${identity}`, protocol: "rtmp", identity, lastMediaMs: 0, end: () => {}, describe } as const
  return { ...session, requestKeyframe: () => {} }
}

/** A file taken apart. */
export interface RecordedFlv {
  readonly hasVideo: boolean
  readonly hasAudio: boolean
  readonly metadata: AmfValue
  /** In the file's order: `V` video, `A` audio, with `k` a keyframe, with `c` a sequence header; then the time. */
  readonly tags: string[]
  readonly bytes: number
}

export function readFlv(bytes: Uint8Array): RecordedFlv {
  const file = { hasVideo: false, hasAudio: false, metadata: undefined as AmfValue, tags: [] as string[] }
  let end = 13
  new FlvFileReader(1 << 24).push(bytes, (event) => {
    if (event.type === "header") {
      file.hasVideo = event.hasVideo
      file.hasAudio = event.hasAudio
      return
    }
    const { type, timestampMs, payload } = event
    end += payload.length + 15
    if (type === "script") file.metadata = parseAmf0(payload)[1]
    else if (type === "audio") file.tags.push(`A${payload[1] === 0 ? "c" : ""}${timestampMs}`)
    else file.tags.push(`V${payload[1] === 0 ? "c" : payload[0] === 0x17 ? "k" : ""}${timestampMs}`)
  })
  if (end !== bytes.length) throw new Error(`${bytes.length - end} bytes of a tag that is not whole`)
  return { ...file, bytes: bytes.length }
}

function noConverters(): LaneConverters {
  const none = () => ({ push: () => {}, close: () => {} })
  return {
    videoFramesToPackets: none,
    videoPacketsToFrames: none,
    opusFramesToPackets: none,
    opusPacketsToFrames: none,
    aacToOpus: none,
    opusToAac: none,
  }
}
