import type { Audio, PeerConnection, Track, Video } from "node-datachannel"
import { assume, Unmet } from "./check.ts"
import { candidatesOf } from "./checks/answer.ts"
import { type OpenSession, type ProtocolContext, readSession, summary } from "./context.ts"
import { type Exchange, isSuccess, SDP } from "./http.ts"
import type { SdpText } from "./sdp-text.ts"
import { type UdpAddress, udpAddresses } from "./stun-probe.ts"
import { sendTestMedia } from "./test-media.ts"
import { UdpRelay } from "./udp-relay.ts"

/** A WebRTC peer that is connected to the server through a relay of ours. */
export interface ConnectedPeer extends OpenSession {
  readonly url: string
  readonly relay: UdpRelay
  /** `connected`, `disconnected`, `failed`, `closed`. */
  state(): string
  /** Frees everything. */
  close(): void
}

/** How to connect. */
export interface ConnectOptions {
  /** DTLS role of the offer. */
  readonly setup?: "actpass" | "active" | "passive"
}

type Library = typeof import("node-datachannel")

/**
 * Connects libdatachannel to the endpoint, as publisher that sends a picture and silence or as viewer. Throws `Unmet` where no
 * connection comes about, `NotApplicable` where there is nothing to connect to.
 */
export async function connect(
  context: ProtocolContext,
  { setup = "actpass" }: ConnectOptions = {},
): Promise<ConnectedPeer> {
  const peer = await createPeer(context.protocol === "whip" ? "SendOnly" : "RecvOnly")
  try {
    const offer = (await peer.offer()).replaceAll("a=setup:actpass", `a=setup:${setup}`)
    const answered = await context.post(offer)
    assume(isSuccess(answered), `no session to test: ${summary(answered)}`)
    const session = readSession(offer, answered)
    return await join(context, peer, session, (sdp) => peer.connection.setRemoteDescription(sdp, "answer"))
  } catch (error) {
    peer.close()
    throw error
  }
}

/** The same with an offer of the server's, which is answered by PATCH. */
export async function connectByAnswer(context: ProtocolContext, countered: OpenSession): Promise<ConnectedPeer> {
  const peer = await createPeer(undefined)
  try {
    return await join(context, peer, countered, async (sdp, url) => {
      const answer = await peer.answer(sdp)
      const { etag } = countered
      const headers = { "content-type": SDP, ...(etag !== undefined && { "if-match": etag }) }
      const answered: Exchange = await context.request(url, { method: "PATCH", headers, body: answer })
      if (!isSuccess(answered)) throw new Unmet(summary(answered))
    })
  } catch (error) {
    peer.close()
    throw error
  }
}

type Describe = (sdp: string, url: string) => void | Promise<void>

async function join(
  context: ProtocolContext,
  peer: Peer,
  session: OpenSession,
  describe: Describe,
): Promise<ConnectedPeer> {
  const { url } = session
  assume(url !== undefined, "the session has no Location")
  const [address] = byPreference(udpAddresses(candidatesOf(session.answer)))
  assume(address !== undefined, "the answer has no UDP candidate with an address")
  const relay = await UdpRelay.open(address)
  try {
    await describe(withCandidate(session.answer, relay.candidate), url)
    const { connectMs } = context.options.patience
    if (!(await within(connectMs, () => peer.isOpen()))) {
      const { stun, dtls } = relay.fromServer
      throw new Unmet(`no connection after ${connectMs / 1000} s; the server sent ${stun} STUN, ${dtls} DTLS packets`)
    }
  } catch (error) {
    relay.close()
    throw error
  }
  const stop = peer.sendMedia()
  const close = () => {
    stop()
    peer.close()
    relay.close()
  }
  return { ...session, url, relay, state: () => peer.connection.state(), close }
}

/** Waits until something is so; false when the time is over first. */
export async function within(timeoutMs: number, isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() >= deadline) return false
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  return true
}

interface Peer {
  readonly connection: PeerConnection
  offer(): Promise<string>
  answer(offer: string): Promise<string>
  isOpen(): boolean
  sendMedia(): () => void
  close(): void
}

async function createPeer(direction: "SendOnly" | "RecvOnly" | undefined): Promise<Peer> {
  const library = await import("node-datachannel").catch(() => undefined)
  assume(library !== undefined, "node-datachannel is not installed: no peer to test media with")
  const { PeerConnection } = library
  const connection = new PeerConnection("conformance", { iceServers: [], disableAutoNegotiation: true })
  const tracks = direction === undefined ? [] : addTracks(library, connection, direction)
  const described = Promise.withResolvers<string>()
  connection.onLocalDescription((sdp) => described.resolve(sdp))
  connection.onTrack((track) => void tracks.push(track))
  return {
    connection,
    offer() {
      connection.setLocalDescription("offer")
      return described.promise
    },
    answer(offer) {
      connection.setRemoteDescription(offer, "offer")
      connection.setLocalDescription("answer")
      return described.promise
    },
    isOpen: () => connection.state() === "connected" && tracks.every((track) => track.isOpen()),
    sendMedia: () => (direction === "SendOnly" ? sendOn(tracks) : () => undefined),
    close: () => connection.close(),
  }
}

function addTracks({ Audio, Video }: Library, connection: PeerConnection, direction: "SendOnly" | "RecvOnly"): Track[] {
  const audio: Audio = new Audio("0", direction)
  audio.addOpusCodec(AUDIO_PAYLOAD_TYPE, "minptime=10;useinbandfec=1")
  const video: Video = new Video("1", direction)
  video.addH264Codec(VIDEO_PAYLOAD_TYPE, "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1")
  if (direction === "SendOnly") {
    audio.addSSRC(AUDIO_SSRC, "conformance", "conformance", "audio")
    video.addSSRC(VIDEO_SSRC, "conformance", "conformance", "video")
  }
  return [connection.addTrack(audio), connection.addTrack(video)]
}

function sendOn([audio, video]: readonly Track[]): () => void {
  const sender = (track: Track | undefined) => (packet: Buffer) => {
    if (track?.isOpen()) track.sendMessageBinary(packet)
  }
  return sendTestMedia(
    { send: sender(audio), payloadType: AUDIO_PAYLOAD_TYPE, ssrc: AUDIO_SSRC },
    { send: sender(video), payloadType: VIDEO_PAYLOAD_TYPE, ssrc: VIDEO_SSRC },
  )
}

/** The server's description with the relay's candidate in place of its own. */
function withCandidate({ text }: SdpText, candidate: string): string {
  const [session = "", first = "", ...others] = text
    .replace(/a=(candidate:.*|end-of-candidates)\r?\n/g, "")
    .split(/(?=^m=)/m)
  return [session, `${first}a=candidate:${candidate}\r\n`, ...others].join("")
}

/** IPv4 first: it is there almost everywhere. */
export function byPreference(addresses: readonly UdpAddress[]): UdpAddress[] {
  return [...addresses].sort((a, b) => a.family.localeCompare(b.family))
}

const AUDIO_PAYLOAD_TYPE = 111
const VIDEO_PAYLOAD_TYPE = 96
const AUDIO_SSRC = 0x0a0d0101
const VIDEO_SSRC = 0x0a0d0102
const POLL_MS = 100
