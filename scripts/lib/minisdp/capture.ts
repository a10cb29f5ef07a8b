import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { promisify } from "node:util"
import { Audio, PeerConnection, RtcpReceivingSession, Video } from "node-datachannel"
import { startChromium } from "../../../test/support/chromium.ts"
import { openFirefoxPage } from "../../../test/support/firefox.ts"
import { CHROMIUM } from "../../../test/support/paths.ts"
import { Scope } from "../../../test/support/scope.ts"

/** An offer that a program on this machine has just made. */
export interface CapturedOffer {
  /** `chromium`, `firefox`, `datachannel`, `gstreamer` or `aiortc`. */
  readonly client: string
  readonly name: string
  readonly text: string
}

/** Asks each program that is installed for its offers. */
export async function captureOffers(): Promise<CapturedOffer[]> {
  const scope = new Scope()
  const offers: CapturedOffer[] = []
  try {
    if (existsSync(CHROMIUM)) offers.push(...(await fromChromium(scope)))
    if (existsSync("/usr/bin/firefox-esr")) offers.push(...(await fromFirefox(scope)))
    offers.push(...(await fromPython("aiortc")))
    for (const action of ["whip", "whep"]) {
      for (const codec of ["h264", "vp8"]) offers.push(...(await fromPython("gstreamer", action, codec)))
    }
    offers.push(...fromDataChannel())
  } finally {
    await scope.close()
  }
  return offers
}

/** Offers of Chromium started with these flags. */
export async function fromChromium(scope: Scope, flags: readonly string[] = []): Promise<CapturedOffer[]> {
  const browser = await startChromium(scope, flags)
  const page = await browser.newPage()
  await page.goto(await blankPage(scope))
  const offers: CapturedOffer[] = []
  for (const [name, script] of Object.entries(PAGE_OFFERS)) {
    offers.push({ client: "chromium", name, text: await page.evaluate<string>(inPage(script)) })
  }
  return offers
}

/** Offers of Firefox ESR. */
export async function fromFirefox(scope: Scope): Promise<CapturedOffer[]> {
  const page = await openFirefoxPage(scope, await blankPage(scope))
  const offers: CapturedOffer[] = []
  for (const [name, script] of Object.entries(PAGE_OFFERS)) {
    const text = await page.evaluate<string>(inPage(script)).catch(() => "")
    if (text !== "") offers.push({ client: "firefox", name, text })
  }
  return offers
}

async function fromPython(kind: string, ...args: string[]): Promise<CapturedOffer[]> {
  const script = join(import.meta.dirname, `${kind}_offers.py`)
  try {
    const { stdout } = await promisify(execFile)("/usr/bin/python3", [script, ...args], { timeout: 60_000 })
    return Object.entries<string>(JSON.parse(stdout)).map(([name, text]) => ({ client: kind, name, text }))
  } catch {
    return [] // the library is not installed
  }
}

/** What OBS's WHIP output makes of libdatachannel, and a viewer. */
function fromDataChannel(): CapturedOffer[] {
  return (["SendOnly", "RecvOnly"] as const).map((direction) => {
    const peer = new PeerConnection("bench", { iceServers: [], disableAutoNegotiation: true })
    const audio = new Audio("0", direction)
    audio.addOpusCodec(111, "minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1")
    const video = new Video("1", direction)
    video.addH264Codec(96, "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1")
    if (direction === "SendOnly") {
      const [audioSsrc, videoSsrc] = [randomSsrc(), randomSsrc()]
      audio.addSSRC(audioSsrc, "whipstitch", "whipstitch", "whipstitch-audio")
      video.addSSRC(videoSsrc, "whipstitch", "whipstitch", "whipstitch-video")
    }
    for (const media of [audio, video]) peer.addTrack(media).setMediaHandler(new RtcpReceivingSession())
    peer.setLocalDescription("offer" as never)
    const text = peer.localDescription()?.sdp ?? ""
    peer.close()
    return { client: "datachannel", name: direction === "SendOnly" ? "whip" : "whep", text }
  })
}

function randomSsrc(): number {
  return Math.floor(Math.random() * 2 ** 32)
}

async function blankPage(scope: Scope): Promise<string> {
  const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html>"))
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  scope.defer(() => server.close())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`
}

/** An expression that makes a peer connection, prepares it and gives the text of its offer. */
function inPage(prepare: string): string {
  return `(async () => {
    const peer = new RTCPeerConnection()
    const only = (kind, names) => RTCRtpReceiver.getCapabilities(kind).codecs.filter(({ mimeType }) => names.some((name) => mimeType.toLowerCase() === kind + "/" + name))
    const media = () => navigator.mediaDevices.getUserMedia({ audio: true, video: true })
    const gathered = async () => {
      await peer.setLocalDescription(await peer.createOffer())
      for (let i = 0; i < 50 && peer.iceGatheringState !== "complete"; i++) await new Promise((done) => setTimeout(done, 100))
      return peer.localDescription.sdp
    }
    try { ${prepare} } finally { peer.close() }
  })()`
}

const RECEIVE = `for (const kind of ["audio", "video"]) peer.addTransceiver(kind, { direction: "recvonly" });`
const SEND = `const stream = await media(); for (const track of stream.getTracks()) peer.addTransceiver(track, { direction: "sendonly", streams: [stream] });`
const OFFER = "return (await peer.createOffer()).sdp"
const H264_ONLY = `for (const t of peer.getTransceivers()) { const kind = t.receiver.track.kind; t.setCodecPreferences(only(kind, kind === "audio" ? ["opus"] : ["h264"])) };`

/** What is asked of a browser. */
export const PAGE_OFFERS: Readonly<Record<string, string>> = {
  whep: `${RECEIVE} ${OFFER}`,
  "whep-h264": `${RECEIVE} ${H264_ONLY} ${OFFER}`,
  "whep-gathered": `${RECEIVE} return await gathered()`,
  whip: `${SEND} ${OFFER}`,
  "whip-h264": `${SEND} ${H264_ONLY} ${OFFER}`,
  "whip-gathered": `${SEND} return await gathered()`,
  simulcast: `const stream = await media()
    peer.addTransceiver(stream.getAudioTracks()[0], { direction: "sendonly", streams: [stream] })
    peer.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", streams: [stream], sendEncodings: [{ rid: "h" }, { rid: "m", scaleResolutionDownBy: 2 }, { rid: "l", scaleResolutionDownBy: 4 }] }); ${OFFER}`,
  call: `const stream = await media(); for (const track of stream.getTracks()) peer.addTrack(track, stream); ${OFFER}`,
  "whep-data": `${RECEIVE} peer.createDataChannel("x"); ${OFFER}`,
  "whep-video-first": `for (const kind of ["video", "audio"]) peer.addTransceiver(kind, { direction: "recvonly" }); ${OFFER}`,
  "whep-video": `peer.addTransceiver("video", { direction: "recvonly" }); ${OFFER}`,
  "whep-audio": `peer.addTransceiver("audio", { direction: "recvonly" }); ${OFFER}`,
}
