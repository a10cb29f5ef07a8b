import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { FlvStart } from "../../src/bridge/flv-replay.ts"
import { parseAudioTag } from "../../src/flv/audio-tag.ts"
import { parseVideoTag } from "../../src/flv/video-tag.ts"
import { parseStreamName } from "../../src/hub/stream-name.ts"
import type { FlvBroadcasts } from "../../src/io/flv-broadcast.ts"
import { FlvPublisher } from "../../src/io/flv-publisher.ts"
import type { FlvSubscriber } from "../../src/io/flv-subscriber.ts"
import type { RtmpOutput } from "../../src/io/rtmp/flv-output.ts"
import { createRtmpReader } from "../../src/io/rtmp/reader.ts"
import { ByteReader, concat } from "../../src/media/bytes.ts"
import { parseAvcConfig, serializeAvcConfig } from "../../src/media/h264.ts"
import { parseAmf0 } from "../../src/rtmp/amf0.ts"
import { ChunkReader } from "../../src/rtmp/chunk-reader.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import { controlMessage, MESSAGE_TYPE, type RtmpMessage } from "../../src/rtmp/message.ts"
import { parseCapabilities } from "../../src/rtmp/peer-capabilities.ts"
import type { RtmpMedia, RtmpServerEvent } from "../../src/rtmp/server-events.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { RtmpServerSession } from "../../src/rtmp/server-session.ts"
import { CONNECT, CREATE_STREAM, command, HANDSHAKE } from "../rtmp/peer.ts"
import { PPS, SPS_320 } from "../rtp/h264-stream.ts"
import type { TestGateway } from "./support-gateway.ts"

/** All bytes of an ffmpeg that published 0.8 s with B-frames, handshake included. */
export const RECORDING: Uint8Array = readFileSync(join(import.meta.dirname, "../fixtures/rtmp/publish-ffmpeg-5.1.bin"))

/** The token of all publishers. */
export const TOKEN = "secret"

/** A publisher's connection: its bytes go through the session machine to the stream. */
export class RtmpSource {
  /** Why the hub or the session ended it; undefined while it publishes. */
  endedBecause: string | undefined
  readonly #gateway: TestGateway
  readonly #session: RtmpServerSession
  #publisher: FlvPublisher | undefined

  constructor(gateway: TestGateway) {
    this.#gateway = gateway
    this.#session = new RtmpServerSession(RTMP_SERVER_DEFAULTS, new Uint8Array(8), gateway.nowMs())
  }

  /** One that has begun to publish, without media so far. */
  static publishing(gateway: TestGateway): RtmpSource {
    const source = new RtmpSource(gateway)
    source.feed(
      concat([HANDSHAKE, CONNECT, CREATE_STREAM, command(1, "publish", 3, null, `cam1?token=${TOKEN}`, "live")]),
    )
    return source
  }

  feed(bytes: Uint8Array): void {
    this.#apply(this.#session.push(bytes, this.#gateway.nowMs()))
  }

  media({ type, timestampMs, payload }: Pick<RtmpMedia, "type" | "timestampMs" | "payload">): void {
    this.feed(serializeMessage({ typeId: MESSAGE_TYPE[type], timestampMs, streamId: 1, payload }, 128))
  }

  /** Sends the headers of a synthetic stream: AVC with the given SPS, AAC of 44.1 kHz. */
  headers(sps: Uint8Array = SPS_320): void {
    const record = serializeAvcConfig([sps], [PPS])
    this.media({ type: "video", timestampMs: 0, payload: concat([Uint8Array.of(0x17, 0, 0, 0, 0), record]) })
    this.media({ type: "audio", timestampMs: 0, payload: Uint8Array.of(0xaf, 0, 0x12, 0x10) })
  }

  /** Sends a picture of one slice that `id` tells from others. */
  picture(timestampMs: number, id: number, isKeyframe = false): void {
    const nalUnit = rtmpSlice(id, isKeyframe)
    const length = Uint8Array.of(0, 0, 0, nalUnit.length)
    const header = Uint8Array.of(isKeyframe ? 0x17 : 0x27, 1, 0, 0, 0)
    this.media({ type: "video", timestampMs, payload: concat([header, length, nalUnit]) })
  }

  sound(timestampMs: number, id: number): void {
    this.media({ type: "audio", timestampMs, payload: Uint8Array.of(0xaf, 1, id >> 8, id) })
  }

  /** The connection breaks. */
  lose(): void {
    this.#publisher?.lose("gone")
  }

  /** The publisher says that it is done. */
  stop(): void {
    this.feed(command(1, "deleteStream", 4, null, 1))
  }

  #apply(events: readonly RtmpServerEvent[]): void {
    for (const event of events) {
      if (event.type === "publishRequested") {
        const onRevoked = (reason: string) => {
          this.endedBecause = reason
        }
        this.#publisher = new FlvPublisher({
          ...this.#gateway,
          ...ADMISSION,
          id: "rtmp",
          protocol: "rtmp",
          remoteAddress: undefined,
          onRevoked,
        })
        this.#apply(this.#session.acceptPublish(event.streamId))
      } else if (event.type === "metadata") this.#publisher?.onMetadata(event.values)
      else if (event.type === "audio" || event.type === "video") this.#publisher?.onMedia(event)
      else if (event.type === "publishEnded") this.#publisher?.stop("ended by the publisher")
      else if (event.type === "close") this.endedBecause = event.reason
    }
  }
}

/** The slice that `RtmpSource.picture` sends. */
export function rtmpSlice(id: number, isKeyframe: boolean): Uint8Array {
  return Uint8Array.of(...(isKeyframe ? [0x65, 0x88, 0x84] : [0x41, 0x9a, 0x02]), id >> 8, id, 0x80)
}

/** The audio and video messages of the recording, without those of the setup. */
export function recordedMedia(): RtmpMedia[] {
  const session = new RtmpServerSession(RTMP_SERVER_DEFAULTS, new Uint8Array(8), 0)
  const media: RtmpMedia[] = []
  for (let at = 0; at < RECORDING.length; at += 400) {
    for (const event of session.push(RECORDING.subarray(at, at + 400), 0)) {
      if (event.type === "publishRequested") session.acceptPublish(event.streamId)
      if (event.type === "audio" || event.type === "video") media.push(event)
    }
  }
  return media
}

/** What a player saw of one message. */
export type SeenMessage =
  | { readonly type: "videoConfig"; readonly timestampMs: number; readonly sps: readonly Uint8Array[] }
  | { readonly type: "audioConfig"; readonly timestampMs: number; readonly config: Uint8Array }
  | SeenPicture
  | { readonly type: "sound"; readonly timestampMs: number; readonly data: Uint8Array }

/** A picture as a player saw it. */
export interface SeenPicture {
  readonly type: "picture"
  readonly timestampMs: number
  readonly compositionTimeMs: number
  readonly isKeyframe: boolean
  readonly units: readonly Uint8Array[]
}

interface RtmpSinkOptions {
  readonly maxQueueBytes?: number
  readonly fourCcList?: readonly string[]
  /** What players that keep up share; each test turn must then end before they get it. */
  readonly broadcasts?: FlvBroadcasts
  /** Where it begins; with the last keyframe as a rule, so that times are the publisher's. */
  readonly start?: FlvStart
}

/** A player: what the reader sends is taken apart again; while `isStalled` its connection takes nothing. */
export class RtmpSink implements RtmpOutput {
  readonly seen: SeenMessage[] = []
  /** The properties of `onMetaData`. */
  metadata: ReadonlyMap<string, unknown> | undefined
  readonly reader: FlvSubscriber
  endedBecause: string | undefined
  isStalled = false
  readonly #gateway: TestGateway
  readonly #chunks = new ChunkReader(RTMP_SERVER_DEFAULTS)
  #queue: { readonly bytes: Uint8Array; readonly atMs: number }[] = []

  constructor(
    gateway: TestGateway,
    { maxQueueBytes = 1_000_000, fourCcList = [], broadcasts, start }: RtmpSinkOptions = {},
  ) {
    this.#gateway = gateway
    const chunkSize = controlMessage(MESSAGE_TYPE.setChunkSize, RTMP_SERVER_DEFAULTS.chunkSizeBytes)
    this.#chunks.push(serializeMessage(chunkSize, 128), () => undefined)
    const address = { app: "live", stream: "cam1", token: undefined, start }
    this.reader = createRtmpReader(
      { type: "playRequested", streamId: 1, capabilities: parseCapabilities({ fourCcList }), ...address },
      {
        ...gateway,
        ...ADMISSION,
        id: "reader",
        remoteAddress: undefined,
        output: this,
        defaultStart: "keyframe",
        limits: { maxQueueBytes, maxDelayMs: 4_000, slowTimeoutMs: 10_000 },
        onError: gateway.onBug,
        ...(broadcasts !== undefined && { broadcasts }),
        onPublisher: () => {},
        onEnded: (reason) => {
          this.endedBecause = reason
        },
      },
    )
    this.reader.start()
  }

  get queuedBytes(): number {
    return this.#queue.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  get delayMs(): number {
    const [oldest] = this.#queue
    return oldest === undefined ? 0 : this.#gateway.nowMs() - oldest.atMs
  }

  get pictures(): SeenPicture[] {
    return this.seen.filter((message) => message.type === "picture")
  }

  get sounds() {
    return this.seen.filter((message) => message.type === "sound")
  }

  sendNow(bytes: Uint8Array): void {
    this.send(bytes)
  }

  send(bytes: Uint8Array): void {
    this.#queue.push({ bytes, atMs: this.#gateway.nowMs() })
    if (!this.isStalled) this.drain()
  }

  /** The connection takes all that waits. */
  drain(): void {
    for (const { bytes } of this.#queue.splice(0)) this.#chunks.push(bytes, (message) => this.#read(message))
  }

  #read({ typeId, timestampMs, payload }: RtmpMessage): void {
    if (typeId === MESSAGE_TYPE.video) {
      const tag = parseVideoTag(payload).tracks[0]?.tag
      if (tag === undefined) return
      if (tag.type === "config")
        this.seen.push({ type: "videoConfig", timestampMs, sps: parseAvcConfig(tag.record).sps })
      if (tag.type !== "frame") return
      const { isKeyframe, compositionTimeMs, data } = tag
      this.seen.push({ type: "picture", timestampMs, isKeyframe, compositionTimeMs, units: splitNalUnits(data) })
    } else if (typeId === MESSAGE_TYPE.audio) {
      const tag = parseAudioTag(payload).tracks[0]?.tag
      if (tag === undefined) return
      if (tag.type === "config") this.seen.push({ type: "audioConfig", timestampMs, config: tag.config })
      if (tag.type === "frame") this.seen.push({ type: "sound", timestampMs, data: tag.data })
    } else if (typeId === MESSAGE_TYPE.dataAmf0) {
      const [, values] = parseAmf0(payload)
      if (values instanceof Map) this.metadata = values
    }
  }
}

function splitNalUnits(data: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(data)
  const units: Uint8Array[] = []
  while (reader.remaining > 0) units.push(reader.take(reader.u32()))
  return units
}

const ADMISSION = { name: parseStreamName("live", "cam1"), grant: { identity: TOKEN, ended: () => {} } }
