import { describe, expect, test } from "vitest"
import { parseRtpPacket, serializeRtpPacket } from "../../src/rtp/packet.ts"
import { parseRtcp, type RtcpPacket, serializeRtcp } from "../../src/rtp/rtcp.ts"
import { toHex } from "../support/bytes.ts"
import { advance, TestGateway, useFakeClock } from "./support-gateway.ts"
import { type LinkOptions, LossyLink } from "./support-link.ts"
import { type Picture, picture } from "./support-pictures.ts"
import { RtmpSink } from "./support-rtmp.ts"
import { TestViewer, WhipSource } from "./support-webrtc.ts"

useFakeClock()

const FRAME_MS = 40
const DELAY_MS = 40

/** A packet on its way to the gateway. */
interface Sending {
  readonly pictureId: number
  readonly sequenceNumber: number
  /** 0 for the packet itself, then its retransmissions. */
  readonly attempt: number
}

/** What happens to a publisher's packets besides what the link does. */
interface CameraOptions extends LinkOptions {
  /** True for a packet that gets lost. */
  readonly loses?: (sending: Sending) => boolean
  /** Time that a packet takes longer than all others. */
  readonly delays?: (sending: Sending) => number
  readonly isDoubled?: boolean
}

/** A publisher as a browser is one: sends again what it is asked for, by RTX, makes keyframes on request and answers reference times. */
class Camera {
  readonly made: Picture[] = []
  readonly keyframeIds = new Set<number>()
  readonly nackedNumbers: number[] = []
  /** When each PLI arrived. */
  readonly plisMs: number[] = []
  readonly #gateway: TestGateway
  readonly #source: WhipSource
  readonly #options: CameraOptions
  readonly #up: LossyLink
  readonly #down: LossyLink
  readonly #sent = new Map<number, { bytes: Uint8Array; pictureId: number; attempts: number }>()
  #repairNumber = 65_000
  #isKeyframeDue = true

  constructor(gateway: TestGateway, options: CameraOptions = {}) {
    const link = { delayMs: DELAY_MS, ...options }
    this.#gateway = gateway
    this.#options = options
    this.#source = new WhipSource(gateway)
    this.#up = new LossyLink((packet) => this.#source.send(packet), link)
    this.#down = new LossyLink((compound) => this.#onFeedback(parseRtcp(compound)), { ...link, seed: 77 })
  }

  get facts() {
    return this.#source.publisher.describe(this.#gateway.nowMs())
  }

  /** Sends pictures in real time. */
  run(pictures: number): void {
    for (let i = 0; i < pictures; i++) {
      const id = this.made.length
      if (this.#isKeyframeDue) this.keyframeIds.add(id)
      const one = picture(id, { isKeyframe: this.#isKeyframeDue })
      this.#isKeyframeDue = false
      this.made.push(one)
      for (const bytes of this.#source.packets("video", id * FRAME_MS * 90, one.payloads)) {
        const { sequenceNumber } = parseRtpPacket(bytes)
        this.#sent.set(sequenceNumber, { bytes, pictureId: id, attempts: 0 })
        this.#send(sequenceNumber, bytes)
      }
      for (let ms = 0; ms < FRAME_MS; ms += 10) {
        advance(10)
        for (const packet of this.#source.feedback.splice(0)) this.#down.send(serializeRtcp([packet]))
      }
    }
  }

  #send(sequenceNumber: number, bytes: Uint8Array): void {
    const { loses = () => false, delays = () => 0, isDoubled = false } = this.#options
    const sent = this.#sent.get(sequenceNumber)
    if (sent === undefined) return
    const sending = { pictureId: sent.pictureId, sequenceNumber, attempt: sent.attempts++ }
    if (loses(sending)) return
    const delayMs = delays(sending)
    if (delayMs > 0) setTimeout(() => this.#up.send(bytes), delayMs)
    else this.#up.send(bytes)
    if (isDoubled) this.#up.send(bytes)
  }

  #onFeedback(packets: readonly RtcpPacket[]): void {
    for (const packet of packets) {
      if (packet.type === "pli") {
        this.plisMs.push(this.#gateway.nowMs())
        this.#isKeyframeDue = true
      } else if (packet.type === "nack") {
        this.nackedNumbers.push(...packet.sequenceNumbers)
        for (const sequenceNumber of packet.sequenceNumbers) this.#repair(sequenceNumber)
      } else if (packet.type === "extended_report" && packet.referenceTime !== undefined) {
        const { ntpSeconds, ntpFraction } = packet.referenceTime
        const lastSr = ((ntpSeconds << 16) | (ntpFraction >>> 16)) >>> 0
        const answers = [{ ssrc: packet.senderSsrc, lastSr, delaySinceLastSr: 0 }]
        const compound = serializeRtcp([{ type: "extended_report", senderSsrc: 0x100, answers }])
        setTimeout(() => this.#source.publisher.onRtcp(compound), DELAY_MS)
      }
    }
  }

  /** RFC 4588 section 4. */
  #repair(sequenceNumber: number): void {
    const sent = this.#sent.get(sequenceNumber)
    if (sent === undefined) return
    const { timestamp, marker, payload } = parseRtpPacket(sent.bytes)
    const original = Uint8Array.of(sequenceNumber >> 8, sequenceNumber, ...payload)
    const number = this.#repairNumber++ & 0xffff
    const header = { payloadType: 97, ssrc: 0x300, sequenceNumber: number, timestamp, marker }
    this.#send(sequenceNumber, serializeRtpPacket({ ...header, payload: original }))
  }
}

/** Which pictures a reader has got, after a look at whether each can be decoded from those before it. */
function decodedIds(camera: Camera, sink: RtmpSink): number[] {
  const idByContent = new Map(camera.made.map(({ units }, id) => [units.map(toHex).join(" "), id]))
  const ids = sink.pictures.map(({ units }) => idByContent.get(units.map(toHex).join(" ")) ?? Number.NaN)
  const undecodable = ids.filter((id, i) => !(camera.keyframeIds.has(id) || ids[i - 1] === id - 1))
  expect(undecodable).toEqual([])
  return ids
}

/** The longest time in which no new picture was shown. */
function longestGapMs(ids: readonly number[]): number {
  return Math.max(...ids.slice(1).map((id, i) => (id - (ids[i] as number)) * FRAME_MS))
}

function expectPaced({ plisMs }: Camera): void {
  const pausesMs = plisMs.slice(1).map((atMs, i) => atMs - (plisMs[i] as number))
  expect(Math.min(1_000, ...pausesMs)).toBeGreaterThanOrEqual(400)
}

describe.each([
  { lossRate: 0.02, share: 0.98 },
  { lossRate: 0.05, share: 0.95 },
  { lossRate: 0.1, share: 0.9 },
])("a network that loses $lossRate each way", ({ lossRate, share }) => {
  test.each([1, 2, 3])("seed %i: readers and viewers have nearly all of it, and nothing damaged", (seed) => {
    const gateway = new TestGateway()
    const camera = new Camera(gateway, { lossRate, seed })
    camera.run(15)
    const sink = new RtmpSink(gateway)
    const viewer = new TestViewer(gateway, { delayMs: 5 })
    camera.run(350)
    const ids = decodedIds(camera, sink)
    const wanted = 350 * share
    expect(ids.length).toBeGreaterThanOrEqual(wanted)
    expect(viewer.frames.length).toBeGreaterThanOrEqual(wanted)
    if (lossRate <= 0.05) expect(longestGapMs(ids)).toBeLessThanOrEqual(1_000)
    expect(camera.nackedNumbers.length).toBeGreaterThan(0)
    expect(camera.facts.roundTripMs).toBeCloseTo(2 * DELAY_MS, -1)
    expectPaced(camera)
    expect(gateway.bugs).toEqual([])
  })
})

/** Runs a camera and returns what a reader decodes of it, and which pictures are missing. */
function run(options: CameraOptions, pictures = 100) {
  const gateway = new TestGateway()
  const camera = new Camera(gateway, options)
  camera.run(5)
  const sink = new RtmpSink(gateway)
  camera.run(pictures)
  const ids = decodedIds(camera, sink)
  expect(gateway.bugs).toEqual([])
  expectPaced(camera)
  return {
    camera,
    ids,
    missing: camera.made.map((_, id) => id).filter((id) => id < pictures - 10 && !ids.includes(id)),
  }
}

test("a burst is mended by retransmissions", () => {
  const { missing, camera } = run({
    loses: ({ pictureId, attempt }) => attempt === 0 && pictureId >= 30 && pictureId < 38,
  })
  expect(missing).toEqual([])
  expect(camera.keyframeIds.size).toBe(1)
})

test("a burst too long to be mended costs its pictures and those up to the keyframe that is asked for at once", () => {
  const { missing, camera } = run({ loses: ({ pictureId }) => pictureId >= 20 && pictureId < 70 }, 150)
  const [first = Number.NaN] = missing
  const last = missing.at(-1) ?? Number.NaN
  expect(first).toBe(20)
  expect(missing).toHaveLength(last - first + 1)
  expect(last).toBeLessThan(70 + 25)
  expect(camera.nackedNumbers).toEqual([])
})

test("a packet that comes later than readers wait is taken for lost, once, and does not come out of place", () => {
  let late = 0
  const { missing, ids } = run({
    loses: ({ pictureId, attempt }) => pictureId === 30 && attempt > 0,
    delays: ({ pictureId }) => (pictureId === 30 && late++ === 2 ? 900 : 0),
  })
  expect(missing[0]).toBe(30)
  expect(missing.length).toBeLessThan(25)
  expect(ids).toEqual(ids.toSorted((a, b) => a - b))
})

test("packets that come twice change nothing", () => {
  const { missing, camera, ids } = run({ isDoubled: true })
  expect(missing).toEqual([])
  expect(new Set(ids).size).toBe(ids.length)
  expect(camera.nackedNumbers).toEqual([])
  expect(camera.facts.droppedPackets).toBeGreaterThan(100)
})

test("retransmissions that are lost are asked for again, a round trip apart", () => {
  const { missing, camera } = run({ loses: ({ pictureId, attempt }) => pictureId % 20 === 10 && attempt < 3 })
  expect(missing).toEqual([])
  expect(camera.plisMs).toEqual([])
  const [number] = camera.nackedNumbers
  expect(camera.nackedNumbers.filter((one) => one === number)).toHaveLength(3)
})

test("a keyframe that is lost for good is asked for again", () => {
  const gateway = new TestGateway()
  const isLost = ({ pictureId }: Sending): boolean => pictureId === 20 || pictureId === secondKeyframe()
  const camera = new Camera(gateway, { loses: isLost })
  const secondKeyframe = () => [...camera.keyframeIds][1]
  camera.run(5)
  const sink = new RtmpSink(gateway)
  camera.run(145)
  const ids = decodedIds(camera, sink)
  expect(secondKeyframe()).toBeGreaterThan(20)
  expect(ids).not.toContain(secondKeyframe())
  expect(ids).toContain(19)
  expect(ids.at(-1)).toBeGreaterThan(130)
  expect(longestGapMs(ids)).toBeLessThan(2_000)
  expectPaced(camera)
})

test("what is lost around the wrap of the numbers comes again", () => {
  const { missing, camera } = run({
    loses: ({ sequenceNumber, attempt }) => attempt === 0 && [65_534, 65_535, 0, 1].includes(sequenceNumber),
  })
  expect(missing).toEqual([])
  expect(new Set(camera.nackedNumbers)).toEqual(new Set([65_534, 65_535, 0, 1]))
})

test("where the beginning is lost, a keyframe comes within half a second", () => {
  const { ids, camera } = run({ loses: ({ pictureId }) => pictureId === 0 })
  expect(ids[0]).toBeLessThan(12)
  expect(camera.plisMs[0]).toBeLessThan(200)
})
