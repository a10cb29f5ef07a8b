import { hmacSha256 } from "../../src/io/rtmp/hmac.ts"
import { concat } from "../../src/media/bytes.ts"
import { aggregateMessage } from "../../src/rtmp/aggregate.ts"
import type { AmfValue } from "../../src/rtmp/amf-value.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import {
  asAmf3Message,
  commandMessage,
  dataMessage,
  MESSAGE_TYPE,
  type RtmpMessage,
  setBufferLength,
} from "../../src/rtmp/message.ts"
import type { RtmpServerEvent } from "../../src/rtmp/server-events.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { RtmpServerSession } from "../../src/rtmp/server-session.ts"
import type { FuzzTarget } from "./fuzz-rtmp.ts"

/**
 * Well-formed messages of a client and decisions of the gateway, in any order: each byte of an input stands for one of them. Besides not throwing, the
 * session must keep to the order of events that it promises.
 */
export function fuzzSessionOrder(): FuzzTarget {
  return { name: "server session in any order", samples: SAMPLES, run }
}

type Step = (session: RtmpServerSession, nowMs: number) => RtmpServerEvent[]

function run(input: Uint8Array): void {
  const session = new RtmpServerSession(RTMP_SERVER_DEFAULTS, new Uint8Array(8), 0, hmacSha256)
  const watch = new OrderWatch()
  session.push(HANDSHAKE, 0)
  for (const [index, byte] of input.subarray(0, MAX_STEPS).entries()) {
    const step = STEPS[byte % STEPS.length] as Step
    if (step === accept) watch.accepted()
    for (const event of step(session, index * 100)) watch.see(event)
  }
  if (watch.error !== undefined) throw watch.error
}

/** What must hold of all events of a session. */
class OrderWatch {
  readonly #requested = new Set<number>()
  readonly #publishing = new Set<number>()
  #isClosed = false
  error: Error | undefined

  accepted(): void {
    for (const streamId of this.#requested) this.#publishing.add(streamId)
    this.#requested.clear()
  }

  see(event: RtmpServerEvent): void {
    if (this.#isClosed) throw new Error(`${event.type} after the end`)
    switch (event.type) {
      case "publishRequested":
        this.#requested.add(event.streamId)
        return
      case "audio":
      case "video":
      case "metadata":
        if (!this.#publishing.has(event.streamId))
          throw new Error(`${event.type} of a stream that may not be published`)
        return
      case "publishEnded":
        if (!this.#publishing.delete(event.streamId) && !this.#requested.delete(event.streamId)) {
          throw new Error("the end of a publication that was not there")
        }
        return
      case "close":
        this.#isClosed = true
        this.error = event.error
    }
  }
}

const accept: Step = (session) =>
  [1, 2].flatMap((streamId) => [...session.acceptPublish(streamId), ...session.acceptPlay(streamId)])

function receives(...messages: RtmpMessage[]): Step {
  const bytes = concat(messages.map((message) => serializeMessage(message, 128)))
  return (session, nowMs) => session.push(bytes, nowMs)
}

function command(streamId: number, name: string, ...args: AmfValue[]): Step {
  return receives(commandMessage(streamId, name, 2, [null, ...args]))
}

const HANDSHAKE = concat([Uint8Array.of(3), new Uint8Array(2 * 1_536)])
const MAX_STEPS = 64
const CONNECT = commandMessage(0, "connect", 1, [
  { app: "live", tcUrl: "rtmp://h/live", capsEx: 15, fourCcList: ["*"] },
])
const audio = (streamId: number) => ({
  typeId: MESSAGE_TYPE.audio,
  timestampMs: 0,
  streamId,
  payload: Uint8Array.of(0xaf, 1, 2),
})
const ofStream = (streamId: number): Step[] => [
  command(streamId, "publish", "cam", "live"),
  command(streamId, "play", "cam", -2, -1, true),
  command(streamId, "play2", { streamName: "cam", transition: "switch" }),
  command(streamId, "closeStream"),
  command(0, "deleteStream", streamId),
  command(streamId, "pause", true, 0),
  command(streamId, "receiveAudio", false),
  command(streamId, "seek", 100),
  receives(audio(streamId)),
  receives(aggregateMessage([audio(streamId), audio(streamId)])),
  receives(dataMessage(streamId, 0, ["@setDataFrame", "onMetaData", { width: 1 }])),
  receives(setBufferLength(streamId, 100)),
  (session) => session.endPublish(streamId, "taken over"),
  (session) => session.endPlay(streamId, "over"),
]
/** The first four are what every session begins with. */
const STEPS: readonly Step[] = [
  receives(CONNECT),
  command(0, "createStream"),
  command(1, "publish", "cam", "live"),
  accept,
  receives(audio(1)),
  command(1, "play", "cam"),
  receives(asAmf3Message(commandMessage(0, "createStream", 3, [null]))),
  command(0, "FCPublish", "cam"),
  command(0, "FCUnpublish", "cam"),
  command(0, "nonsense"),
  ...ofStream(1),
  ...ofStream(2),
  ...ofStream(9),
  (session) => session.rejectPublish(1, "NetStream.Publish.BadName", "no"),
  (session) => session.rejectPlay(1, "NetStream.Play.StreamNotFound", "no"),
  (session) => session.end("the gateway is closing"),
  (session) => session.requestReconnect("rtmp://h2/live", "moved"),
  (session, nowMs) => session.onTimeout(Math.max(nowMs, session.nextTimeoutMs ?? 0)),
]
/** Publishes, plays, does both, twice. */
const SAMPLES = [
  [0, 1, 2, 3, 4, 4, 13, 2, 3, 4],
  [0, 1, 5, 3, 16, 13, 5, 3],
  [0, 1, 1, 2, 24 + 1, 3, 4, 4, 13, 24 + 3],
  [0, 1, 7, 2, 3, 20, 4, 8, 14],
].map((bytes) => Uint8Array.from(bytes))
