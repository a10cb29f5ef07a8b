import { expect, vi } from "vitest"
import { VideoRtpToFrames } from "../../src/bridge/rtp-to-frames.ts"
import { GatewayError } from "../../src/errors.ts"
import { RemoteAddress } from "../../src/io/webrtc/remote-address.ts"
import { KEYING_BYTES, type SrtpKeys } from "../../src/io/webrtc/srtp/keys.ts"
import { createUnprotector } from "../../src/io/webrtc/srtp/unprotect.ts"
import type { WebRtcPeer } from "../../src/io/webrtc/transport-peer.ts"
import { WhepViewer } from "../../src/io/webrtc/whep-viewer.ts"
import { WhipPublisher } from "../../src/io/webrtc/whip-publisher.ts"
import type { VideoCodec } from "../../src/media/codec.ts"
import type { VideoFrame } from "../../src/media/frame.ts"
import { ticksToUs, unwrapU16, unwrapU32 } from "../../src/media/time.ts"
import { readTransportSequenceNumber } from "../../src/rtp/header-extension.ts"
import { NackGenerator } from "../../src/rtp/nack-generator.ts"
import { parseRtpHeader, parseRtpPacket, type RtpPacket, serializeRtpPacket } from "../../src/rtp/packet.ts"
import { ReceiverStatistics } from "../../src/rtp/receiver-statistics.ts"
import { parseRtcp, type RtcpPacket, serializeRtcp } from "../../src/rtp/rtcp.ts"
import { TransportFeedbackRecorder } from "../../src/rtp/transport-feedback.ts"
import type { AnsweredMedia } from "../../src/sdp/answer.ts"
import { NAME, type TestGateway } from "./support-gateway.ts"
import { type LinkOptions, LossyLink } from "./support-link.ts"
import { TOKEN } from "./support-rtmp.ts"

/** SSRCs, timestamp offsets and first sequence numbers of viewers: the same ones in each run. */
vi.mock("node:crypto", async (importOriginal) => {
  const random = (await import("../rtp/h264-stream.ts")).seededRandom(1)
  const randomInt = (a: number, b?: number) =>
    b === undefined ? Math.floor(random() * a) : a + Math.floor(random() * (b - a))
  return { ...(await importOriginal<object>()), randomInt }
})

/** What is agreed with a peer for one kind. */
function answered(
  codec: VideoCodec | "opus",
  direction: "send" | "receive",
  hasRtx = true,
  tellsArrivals = false,
): AnsweredMedia {
  const isVideo = codec !== "opus"
  const kind = isVideo ? "video" : "audio"
  const local = { ssrc: isVideo ? 0x10 : 0x20, rtxSsrc: 0x11, cname: "c", streamId: "s", trackId: kind }
  return {
    kind,
    codec,
    mid: isVideo ? "0" : "1",
    payloadType: PAYLOAD_TYPE[kind],
    rtxPayloadType: isVideo && hasRtx ? PAYLOAD_TYPE.rtx : undefined,
    clockRateHz: isVideo ? 90_000 : 48_000,
    packetizationMode: codec === "h264" ? 1 : undefined,
    remoteSources: [],
    extensionIds: { mid: 4, ...(isVideo && tellsArrivals && { transportCc: TRANSPORT_CC_ID }) },
    redPayloadType: undefined,
    prefersRed: false,
    profileIdc: undefined,
    rids: [],
    parameterSets: [],
    feedback: isVideo && direction === "send" ? ["nack", "nack pli", "ccm fir", "goog-remb"] : [],
    local: direction === "send" ? local : undefined,
  }
}

/** A peer whose transport is the test. */
export function fakePeer(
  id: string,
  remote: RemoteAddress,
  onRtcp: (packets: RtcpPacket[]) => void,
  onClose: (text: string) => void,
): WebRtcPeer {
  return {
    id,
    localUfrag: "",
    localPwd: "",
    setup: "passive",
    setRemote: () => undefined,
    restartIce: () => ({ ufrag: "", pwd: "" }),
    remote,
    stats: { receivedPackets: 0, receivedBytes: 0, droppedPackets: 0 },
    trustPath: () => undefined,
    sendRtcp: (compound) => onRtcp(parseRtcp(compound)),
    close: onClose,
  }
}

/** What a viewer has agreed on. */
export interface TestViewerOptions {
  readonly codec?: VideoCodec
  readonly hasRtx?: boolean
  readonly port?: number
  /** Reports each second on what came, so that the gateway knows loss and round trip. */
  readonly reports?: boolean
  /** Reports when packets arrived that have a transport-wide number, as browsers do. */
  readonly tellsArrivals?: boolean
}

/** A WHEP viewer behind a bad network: decrypts, asks again for what is missing, and puts pictures together. */
export class TestViewer {
  /** Complete pictures in the order of decoding. */
  readonly frames: VideoFrame[] = []
  /** Every packet of video in the order of arrival, unwrapped numbers. */
  readonly video: { readonly sequenceNumber: number; readonly packet: RtpPacket }[] = []
  readonly audio: RtpPacket[] = []
  /** SSRC and number of datagrams that were sent with two contents. */
  readonly reusedNumbers: string[] = []
  /** Packets that are not authentic or came twice. */
  refusedCount = 0
  keyframeRequests = 0
  isLossy = true
  /** The system refuses to send to this viewer. */
  failsToSend = false
  endedBecause: string | undefined
  readonly link: LossyLink
  readonly #gateway: TestGateway
  readonly #viewer: WhepViewer
  readonly #sent = new Map<string, string>()
  readonly #unprotector
  readonly #nack = new NackGenerator()
  readonly #toFrames: VideoRtpToFrames
  readonly #poll: NodeJS.Timeout
  #newest: number | undefined
  #newestTicks = 0
  readonly #statistics = new ReceiverStatistics(0x10, 90_000)
  readonly #reporting: NodeJS.Timeout | undefined
  readonly #arrivals = new TransportFeedbackRecorder({ senderSsrc: 1 })
  readonly #telling: NodeJS.Timeout | undefined
  tellsArrivals: boolean
  /** Packets that had a transport-wide number. */
  numberedCount = 0

  constructor(gateway: TestGateway, options: LinkOptions & TestViewerOptions = {}) {
    const { codec = "h264", hasRtx = true, port = 1, reports = false, tellsArrivals = false, ...link } = options
    this.#gateway = gateway
    this.#toFrames = new VideoRtpToFrames(codec, { maxDelayMs: 2_000 })
    const keys = keysFrom(port)
    this.#unprotector = createUnprotector(keys.local)
    const remote = new RemoteAddress()
    remote.moveTo({ transport: "udp", family: 4, address: "192.0.2.1", port })
    this.link = new LossyLink((datagram) => this.#receive(datagram), link)
    gateway.route(remote, (datagram) => this.#onSent(datagram))
    const peer = fakePeer(
      `viewer ${port}`,
      remote,
      (packets) => setTimeout(() => this.#onRtcp(packets), this.link.queuedMs),
      (text) => {
        this.endedBecause = text
      },
    )
    this.#viewer = new WhepViewer({
      ...gateway,
      peer,
      media: [answered(codec, "send", hasRtx, tellsArrivals), answered("opus", "send")],
      stream: gateway.stream,
      pumps: gateway.pumps,
      videoIndex: 0,
      grant: EVERYBODY,
      catchUpBitrateBps: 50_000_000,
      startBitrateBps: 5_000_000,
    })
    this.#viewer.onConnected(keys)
    this.#poll = setInterval(() => this.#askAgain(), 20)
    if (reports) this.#reporting = setInterval(() => this.#report(), 1_000)
    this.tellsArrivals = tellsArrivals
    if (tellsArrivals) this.#telling = setInterval(() => this.#tellArrivals(link.delayMs ?? 0), ARRIVALS_INTERVAL_MS)
  }

  /** Numbers after that of the first packet that arrived, which is all that a receiver can know of. */
  get missingNumbers(): number[] {
    const seen = new Set(this.video.map(({ sequenceNumber }) => sequenceNumber))
    const first = this.video[0]?.sequenceNumber ?? 0
    return Array.from({ length: Math.max(...seen) - first }, (_, i) => first + i).filter((number) => !seen.has(number))
  }

  /** Each packet of video once, by number. */
  get videoInOrder(): RtpPacket[] {
    const packets = new Map(this.video.map(({ sequenceNumber, packet }) => [sequenceNumber, packet]))
    return [...packets].toSorted(([a], [b]) => a - b).map(([, packet]) => packet)
  }

  /** What the receiver takes the link to carry. */
  sendRemb(bitrateBps: number): void {
    this.#viewer.onRtcp(serializeRtcp([{ type: "remb", senderSsrc: 1, bitrateBps, ssrcs: [0x10] }]))
  }

  /** Feedback of any kind. */
  sendRtcp(...packets: RtcpPacket[]): void {
    this.#viewer.onRtcp(serializeRtcp(packets))
  }

  /** As the API shows it. */
  describe(): ReturnType<WhepViewer["describe"]> {
    return this.#viewer.describe()
  }

  selectLayer(constraint: Parameters<WhepViewer["selectLayer"]>[0]): void {
    this.#viewer.selectLayer(constraint)
  }

  sendPli(): void {
    this.#viewer.onRtcp(serializeRtcp([{ type: "pli", senderSsrc: 1, mediaSsrc: 0x10 }]))
  }

  sendFir(): void {
    const requests = [{ ssrc: 0x10, sequenceNumber: 1 }]
    this.#viewer.onRtcp(serializeRtcp([{ type: "fir", senderSsrc: 1, requests }]))
  }

  close(): void {
    clearInterval(this.#poll)
    clearInterval(this.#reporting)
    clearInterval(this.#telling)
    this.#viewer.onClosed({ type: "closedByPeer" })
  }

  #onRtcp(packets: readonly RtcpPacket[]): void {
    for (const packet of packets) {
      if (packet.type === "sender_report" && packet.senderSsrc === 0x10) {
        this.#statistics.onSenderReport(packet, this.#gateway.nowMs() * 1000)
      }
    }
  }

  #report(): void {
    const block = this.#statistics.report(this.#gateway.nowMs() * 1000)
    if (block === undefined) return
    this.sendRtcp({ type: "receiver_report", senderSsrc: 1, reports: [block] })
  }

  #tellArrivals(delayMs: number): void {
    const feedback = this.#arrivals.poll(this.#gateway.nowMs() * 1000)
    if (feedback !== undefined && this.tellsArrivals) setTimeout(() => this.sendRtcp(feedback), delayMs)
  }

  #onSent(datagram: Uint8Array): void {
    if (this.failsToSend) throw new Error("cannot send")
    const { ssrc, sequenceNumber } = parseRtpHeader(datagram)
    const key = `${ssrc} ${sequenceNumber}`
    const bytes = Buffer.from(datagram).toString("latin1")
    if ((this.#sent.get(key) ?? bytes) !== bytes) this.reusedNumbers.push(key)
    this.#sent.set(key, bytes)
    if (this.isLossy) this.link.send(datagram)
    else this.#receive(new Uint8Array(datagram))
  }

  #receive(datagram: Uint8Array): void {
    try {
      const packet = parseRtpPacket(this.#unprotector.unprotect(datagram))
      const number = readTransportSequenceNumber(packet, TRANSPORT_CC_ID)
      if (number !== undefined) {
        this.numberedCount++
        this.#arrivals.onPacket(number, this.#gateway.nowMs() * 1000, packet.ssrc)
      }
      if (packet.payloadType === PAYLOAD_TYPE.audio) this.audio.push(packet)
      else if (packet.payloadType === PAYLOAD_TYPE.video) {
        this.#statistics.onPacket(packet.sequenceNumber, packet.timestamp, this.#gateway.nowMs() * 1000)
        this.#onVideo(packet)
      } else {
        const [high = 0, low = 0] = packet.payload
        this.#onVideo({ ...packet, sequenceNumber: (high << 8) | low, payload: packet.payload.subarray(2) })
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      this.refusedCount++
    }
  }

  #onVideo(packet: RtpPacket): void {
    const nowMs = this.#gateway.nowMs()
    const sequenceNumber = unwrapU16(packet.sequenceNumber, this.#newest ?? packet.sequenceNumber)
    this.#newest = Math.max(sequenceNumber, this.#newest ?? sequenceNumber)
    this.#newestTicks = unwrapU32(packet.timestamp, this.#newestTicks)
    this.video.push({ sequenceNumber, packet })
    this.#nack.onPacket(packet.sequenceNumber, nowMs)
    const ptsUs = ticksToUs(this.#newestTicks, 90_000)
    const batch = {
      kind: "video" as const,
      timestamp: packet.timestamp,
      ptsUs,
      startsKeyframe: false,
      packets: [packet],
    }
    const frames = this.#toFrames.push(batch, nowMs)
    this.frames.push(...frames)
    if (frames.some(({ isKeyframe }) => isKeyframe)) this.#nack.onKeyframe(packet.sequenceNumber)
  }

  #askAgain(): void {
    this.frames.push(...this.#toFrames.onTimeout(this.#gateway.nowMs()))
    const { sequenceNumbers, wantsKeyframe } = this.#nack.poll(this.#gateway.nowMs(), 40)
    const target = { senderSsrc: 1, mediaSsrc: 0x10 }
    if (sequenceNumbers.length > 0) this.#viewer.onRtcp(serializeRtcp([{ type: "nack", ...target, sequenceNumbers }]))
    if (!wantsKeyframe) return
    this.keyframeRequests++
    this.sendPli()
  }
}

/** What a publisher has agreed on, and where its numbers begin. */
export interface WhipSourceOptions {
  readonly codec?: VideoCodec
  readonly ssrc?: number
  readonly firstSequenceNumber?: number
}

/** A WHIP publisher; its packets go to the session as if the transport had decrypted them. */
export class WhipSource {
  readonly publisher: WhipPublisher
  readonly feedback: RtcpPacket[] = []
  endedBecause: string | undefined
  readonly #sequenceNumbers
  readonly #ssrcs

  constructor(
    gateway: TestGateway,
    { codec = "h264", ssrc = 0x100, firstSequenceNumber = 65_500 }: WhipSourceOptions = {},
  ) {
    this.#ssrcs = { video: ssrc, audio: ssrc + 1 }
    this.#sequenceNumbers = { video: firstSequenceNumber, audio: firstSequenceNumber }
    const remote = new RemoteAddress()
    const onRtcp = (packets: RtcpPacket[]) => this.feedback.push(...packets)
    const peer = fakePeer(`whip ${ssrc}`, remote, onRtcp, (text) => {
      this.endedBecause = text
    })
    const media = [answered(codec, "receive"), answered("opus", "receive")]
    const bounds = { maxBitrateBps: 1_000_000, keyframeIntervalMs: 1_000_000 }
    this.publisher = new WhipPublisher({
      protocol: "whip",
      ...gateway,
      ...bounds,
      peer,
      media,
      name: NAME,
      grant: { ...EVERYBODY, identity: TOKEN },
    })
    this.publisher.onConnected()
  }

  /** Numbers payloads of one timestamp; what becomes of the packets is the test's business. */
  packets(kind: "video" | "audio", timestamp: number, payloads: readonly Uint8Array[]): Uint8Array[] {
    return payloads.map((payload, i) => {
      const sequenceNumber = this.#sequenceNumbers[kind]++ & 0xffff
      const marker = kind === "video" && i === payloads.length - 1
      const header = { payloadType: PAYLOAD_TYPE[kind], ssrc: this.#ssrcs[kind], timestamp: timestamp >>> 0 }
      return serializeRtpPacket({ ...header, sequenceNumber, marker, payload })
    })
  }

  send(...packets: readonly Uint8Array[]): void {
    for (const packet of packets) this.publisher.onRtp(packet)
  }

  /** A sender report that puts an RTP timestamp to a moment of the sender's wall clock. */
  report(kind: "video" | "audio", timestamp: number, wallUs: number): void {
    const seconds = Math.floor(wallUs / 1_000_000)
    const ntpFraction = Math.floor(((wallUs % 1_000_000) / 1_000_000) * 2 ** 32)
    const counts = { packetCount: 0, octetCount: 0, reports: [] }
    const times = { ntpSeconds: 3_900_000_000 + seconds, ntpFraction, rtpTimestamp: timestamp >>> 0 }
    this.publisher.onRtcp(
      serializeRtcp([{ type: "sender_report", senderSsrc: this.#ssrcs[kind], ...times, ...counts }]),
    )
  }
}

/** All that was sent has arrived, in numbers and timestamps that rise, and no number stood for two packets. */
export function expectContinuous(gateway: TestGateway, viewer: TestViewer): void {
  expect(gateway.bugs).toEqual([])
  expect(viewer.reusedNumbers).toEqual([])
  expect(viewer.missingNumbers).toEqual([])
  const timestamps = viewer.videoInOrder.map(({ timestamp }) => timestamp)
  const steps = timestamps.slice(1).map((timestamp, i) => (timestamp - (timestamps[i] ?? 0)) | 0)
  expect(Math.min(...steps)).toBeGreaterThanOrEqual(0)
}

/** The same, and each picture has a timestamp of its own and ends with a marker. */
export function expectIntact(gateway: TestGateway, viewer: TestViewer): void {
  expectContinuous(gateway, viewer)
  const packets = viewer.videoInOrder
  const wrong = packets
    .slice(1)
    .filter(({ timestamp }, i) => packets[i]?.marker === (packets[i]?.timestamp === timestamp))
  expect(wrong).toEqual([])
}

function keysFrom(seed: number): SrtpKeys {
  const profile = seed % 2 === 0 ? "AEAD_AES_128_GCM" : "AES128_CM_SHA1_80"
  const { key, salt } = KEYING_BYTES[profile]
  const master = { profile, key: new Uint8Array(key).fill(seed), salt: new Uint8Array(salt).fill(seed + 1) } as const
  return { profile, local: master, remote: master }
}

/** A grant for whoever asks. */
export const EVERYBODY = { identity: undefined, ended: () => undefined }
const TRANSPORT_CC_ID = 5
const ARRIVALS_INTERVAL_MS = 60
const PAYLOAD_TYPE = { video: 96, rtx: 97, audio: 111 } as const
