import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { hmacSha256 } from "../../src/io/rtmp/hmac.ts"
import { concat } from "../../src/media/bytes.ts"
import { serializeMessage } from "../../src/rtmp/chunk-writer.ts"
import type { RtmpClientEvent } from "../../src/rtmp/client-events.ts"
import { RTMP_CLIENT_DEFAULTS } from "../../src/rtmp/client-options.ts"
import { RtmpClientSession } from "../../src/rtmp/client-session.ts"
import { parseRtmpUrl } from "../../src/rtmp/rtmp-url.ts"
import type { RtmpServerEvent } from "../../src/rtmp/server-events.ts"
import { RTMP_SERVER_DEFAULTS } from "../../src/rtmp/server-options.ts"
import { RtmpServerSession } from "../../src/rtmp/server-session.ts"
import { allowGatewayErrors } from "../support/errors.ts"

/** A client and our server, joined by two pipes that hand over as many bytes as they are told. */
class Pair {
  readonly client: RtmpClientSession
  readonly server = new RtmpServerSession(RTMP_SERVER_DEFAULTS, new Uint8Array(8), 0)
  readonly events: string[] = []
  readonly #toServer: Uint8Array[] = []
  readonly #toClient: Uint8Array[] = []
  readonly #nextBytes: () => number

  constructor(action: "publish" | "play", nextBytes: () => number) {
    this.#nextBytes = nextBytes
    const address = parseRtmpUrl("rtmp://h/live/cam1?token=t")
    const options = { action, address, limits: RTMP_CLIENT_DEFAULTS, hmac: hmacSha256 }
    this.client = new RtmpClientSession(options, new Uint8Array(1_528).fill(7), 0)
    this.onClient(this.client.start(0))
  }

  onClient(events: readonly RtmpClientEvent[]): void {
    for (const event of events) {
      if (event.type === "send") this.#toServer.push(event.bytes)
      else this.events.push(`client ${event.type}${event.type === "close" ? ` ${event.reason}` : ""}`)
    }
  }

  onServer(events: readonly RtmpServerEvent[]): void {
    for (const event of events) {
      if (event.type === "send") this.#toClient.push(event.bytes)
      else this.events.push(`server ${event.type}`)
      if (event.type === "publishRequested") this.onServer(this.server.acceptPublish(event.streamId))
      if (event.type === "playRequested") this.onServer(this.server.acceptPlay(event.streamId))
    }
  }

  /** Until nobody has anything to say any more. */
  run(): this {
    while (this.#toServer.length + this.#toClient.length > 0) {
      for (const bytes of this.#take(this.#toServer)) this.onServer(this.server.push(bytes, 0))
      for (const bytes of this.#take(this.#toClient)) this.onClient(this.client.push(bytes, 0))
    }
    return this
  }

  #take(pipe: Uint8Array[]): Uint8Array[] {
    const bytes = concat(pipe.splice(0))
    const parts: Uint8Array[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = at + this.#nextBytes()
      parts.push(bytes.subarray(at, end))
      at = end
    }
    return parts
  }
}

const WHOLE = () => Number.POSITIVE_INFINITY
const PUBLISHED = ["server publishRequested", "client established"]
const PLAYED = ["server playRequested", "client established"]

describe("a client and our server", () => {
  test("agree on publishing, and part in peace", () => {
    const pair = new Pair("publish", WHOLE).run()
    expect(pair.events).toEqual(PUBLISHED)
    pair.onClient(pair.client.end("done"))
    pair.run()
    expect(pair.events).toEqual([...PUBLISHED, "client close done", "server publishEnded"])
  })

  test("agree on playing; media goes through, and the end of the stream is understood", () => {
    const pair = new Pair("play", WHOLE).run()
    const video = { typeId: 9, timestampMs: 5, streamId: 1, payload: new Uint8Array(100_000) }
    pair.onClient(pair.client.push(serializeMessage(video, RTMP_SERVER_DEFAULTS.chunkSizeBytes), 0))
    pair.onServer(pair.server.endPlay(1, "over"))
    pair.run()
    expect(pair.events).toEqual([...PLAYED, "client video", "client ended", "client close the stream is over"])
  })

  test("a publication that the server takes back ends with its reason", () => {
    const pair = new Pair("publish", WHOLE).run()
    pair.onServer(pair.server.endPublish(1, "another publisher took over"))
    pair.run()
    expect(pair.events.find((event) => event.startsWith("client close"))).toContain("another publisher took over")
  })

  test.each(["publish", "play"] as const)("agree on %s however their bytes are split", (action) => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 4_000 })), {
      minLength: 1,
    })
    const agree = (parts: number[]) => {
      let at = 0
      const pair = new Pair(action, () => parts[at++ % parts.length] as number).run()
      expect(pair.events).toEqual(action === "publish" ? PUBLISHED : PLAYED)
    }
    fc.assert(fc.property(sizes, agree), { numRuns: 60 })
  })
})

test("nothing that a server sends makes a client throw", () => {
  const handshake = concat([Uint8Array.of(3), new Uint8Array(2 * 1_536)])
  const survives = (inputs: Uint8Array[], hasHandshake: boolean) => {
    const options = { action: "play", address: parseRtmpUrl("rtmp://h/a/b"), limits: RTMP_CLIENT_DEFAULTS } as const
    const client = new RtmpClientSession(options, new Uint8Array(8), 0)
    client.start(0)
    if (hasHandshake) client.push(handshake, 0)
    for (const input of inputs) expect(allowGatewayErrors(() => client.push(input, 0))).toBeDefined()
  }
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), fc.boolean(), survives))
})
