import { readFileSync } from "node:fs"
import {
  Audio,
  H264RtpPacketizer,
  PeerConnection,
  RtcpNackResponder,
  RtcpSrReporter,
  RtpPacketizationConfig,
  RtpPacketizer,
  type Track,
  Video,
} from "node-datachannel"
import { clip } from "./media.ts"
import { until } from "./wait.ts"

/*
 * A process: publishes a test picture and a tone by WHIP to the URL in its argument until it is killed, in the way of OBS. No
 * candidates in the offer and no trickle; one H.264 format that is called 42e01f whatever the stream is; SPS and PPS in
 * packets of their own; PLI ignored; no transport-cc. Once connected it prints one line of JSON: offer, answer, location.
 */

const VIDEO_FPS = 30
const OPUS_PACKET_MS = 20
const VIDEO_PAYLOAD_TYPE = 96
const AUDIO_PAYLOAD_TYPE = 111
const AUD_BYTES = 6

const [url = ""] = process.argv.slice(2)
const pc = new PeerConnection("obs", { iceServers: [], disableAutoNegotiation: true })
const audio = addAudio(pc)
const video = addVideo(pc)
const described = Promise.withResolvers<string>()
pc.onLocalDescription((sdp) => described.resolve(sdp))
pc.setLocalDescription("offer")
const offer = await described.promise

const response = await fetch(url, { method: "POST", headers: { "content-type": "application/sdp" }, body: offer })
const answer = await response.text()
if (response.status !== 201) {
  process.stderr.write(`${response.status} ${answer}\n`)
  process.exit(1)
}
pc.setRemoteDescription(answer, "answer")
await until("the publisher to connect", () => pc.state() === "connected" && video.track.isOpen())
const units = accessUnits(readFileSync(await clip("h264")))
const packets = opusPackets(readFileSync(await clip("opus")))
sendInStep(1000 / VIDEO_FPS, (index) => video.send(units[index % units.length], (index * 90_000) / VIDEO_FPS))
sendInStep(OPUS_PACKET_MS, (index) => audio.send(packets[index % packets.length], index * 48 * OPUS_PACKET_MS))
const location = new URL(response.headers.get("location") ?? "", url).href
process.stdout.write(`${JSON.stringify({ offer, answer, location })}\n`)

/** A track and how a whole frame goes out on it. */
interface Sender {
  readonly track: Track
  send(frame: Uint8Array | undefined, timestamp: number): void
}

function addVideo(pc: PeerConnection): Sender {
  const description = new Video("1", "SendOnly")
  description.addH264Codec(VIDEO_PAYLOAD_TYPE, "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1")
  description.addSSRC(42, "obs", "stream", "stream-video")
  const config = new RtpPacketizationConfig(42, "obs", VIDEO_PAYLOAD_TYPE, 90_000)
  return startTrack(pc.addTrack(description), config, new H264RtpPacketizer("StartSequence", config, 1200))
}

function addAudio(pc: PeerConnection): Sender {
  const description = new Audio("0", "SendOnly")
  description.addOpusCodec(
    AUDIO_PAYLOAD_TYPE,
    "minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1",
  )
  description.addSSRC(43, "obs", "stream", "stream-audio")
  const config = new RtpPacketizationConfig(43, "obs", AUDIO_PAYLOAD_TYPE, 48_000)
  return startTrack(pc.addTrack(description), config, new RtpPacketizer(config))
}

function startTrack(track: Track, config: RtpPacketizationConfig, packetizer: RtpPacketizer): Sender {
  packetizer.addToChain(new RtcpSrReporter(config))
  packetizer.addToChain(new RtcpNackResponder())
  track.setMediaHandler(packetizer)
  const base = config.timestamp
  const send = (frame: Uint8Array | undefined, timestamp: number) => {
    if (frame === undefined || !track.isOpen()) return
    config.timestamp = (base + timestamp) >>> 0
    track.sendMessageBinary(Buffer.from(frame))
  }
  return { track, send }
}

/** Calls `send` with 0, 1, 2, … at a steady pace that late timers do not slow down. */
function sendInStep(intervalMs: number, send: (index: number) => void): void {
  const startedAt = performance.now()
  let next = 0
  setInterval(() => {
    while (next * intervalMs <= performance.now() - startedAt) send(next++)
  }, intervalMs / 4)
}

/** Cuts an H.264 byte stream before each access unit delimiter (00 00 00 01 09). */
function accessUnits(stream: Buffer): Buffer[] {
  const delimiter = Buffer.of(0, 0, 0, 1, 9)
  const starts: number[] = []
  for (let at = stream.indexOf(delimiter); at >= 0; at = stream.indexOf(delimiter, at + 1)) starts.push(at)
  return starts.map((start, index) => stream.subarray(start + AUD_BYTES, starts[index + 1] ?? stream.length))
}

/** The packets of an Ogg file that has one in each page (RFC 3533), without the two header packets of Opus. */
function opusPackets(file: Buffer): Buffer[] {
  const packets: Buffer[] = []
  for (let at = 0; at + 27 <= file.length; ) {
    const segmentCount = file.readUInt8(at + 26)
    const bodyAt = at + 27 + segmentCount
    const bodyBytes = file.subarray(at + 27, bodyAt).reduce((sum, segment) => sum + segment, 0)
    packets.push(file.subarray(bodyAt, bodyAt + bodyBytes))
    at = bodyAt + bodyBytes
  }
  return packets.slice(2)
}
