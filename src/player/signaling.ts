import { decodeLossless, encodeLossless } from "../minisdp/lossless/envelope.ts"
import { PAGE_DICTIONARY, prepareDictionary } from "../minisdp/lossless/sdp.ts"

/** Whether offers go as MiniSDP where the server takes it (`auto`), or as SDP text always. */
export type MiniSdpMode = "auto" | "off"

/** What a server answers in place of 201, from its problem details (RFC 9457). */
export class SignalingError extends Error {
  override readonly name = "SignalingError"
  /** The HTTP status. */
  readonly status: number
  /** The gateway's name for it, such as `stream.not_live`; `unknown` from other servers. */
  readonly code: string

  constructor(status: number, code: string, detail: string) {
    super(detail)
    this.status = status
    this.code = code
  }
}

/** A session that a server has opened. */
export interface SignalingSession {
  /** Ends it, also while the page is being left. */
  end(): void
  /** Addresses of the WHEP extensions (webrtc-http-egress-events); undefined where the session has them not. */
  readonly eventsUrl: URL | undefined
  readonly layersUrl: URL | undefined
}

/** What belongs to one session. */
export interface OpenOptions {
  /** Sent as a bearer token. */
  readonly token?: string | undefined
  readonly signal?: AbortSignal
  /** What a publisher begins with. Chromium reads it from the answer, others ignore it. */
  readonly startBitrateBps?: number
}

/**
 * Opens sessions at one WHIP or WHEP endpoint. An offer goes out at once, without waiting for candidates: the gateway is
 * ICE-lite and learns ours from the checks. A server that does not take MiniSDP gets the same offer as SDP, and from then on
 * nothing else.
 */
export class SignalingClient {
  readonly #endpoint: string | URL
  #usesMiniSdp: boolean

  constructor(endpoint: string | URL, minisdp: MiniSdpMode) {
    this.#endpoint = endpoint
    this.#usesMiniSdp = minisdp === "auto"
  }

  /** Posts the connection's offer and applies the answer. Throws SignalingError for any status but 201. */
  async open(pc: RTCPeerConnection, { token, signal, startBitrateBps }: OpenOptions = {}): Promise<SignalingSession> {
    if (pc.localDescription === null) {
      const offer = pc.createOffer()
      if (this.#usesMiniSdp) prepareDictionary(PAGE_DICTIONARY) // while the browser works on the offer
      await pc.setLocalDescription(withStereo(await offer))
    } // else it was refused before, and asks again with the same offer
    const authorization: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}
    const response = await this.#exchange(pc.localDescription?.sdp ?? "", authorization, signal)
    if (response.status !== 201) throw await signalingError(response)
    const end = sessionEnd(response, authorization)
    try {
      const answer = await this.#readAnswer(response)
      if (signal?.aborted) throw new DOMException("aborted", "AbortError")
      await pc.setRemoteDescription({ type: "answer", sdp: withStartBitrate(answer, startBitrateBps) })
    } catch (error) {
      end()
      throw error
    }
    const links = response.headers.get("link") ?? ""
    const extension = (name: string) => extensionUrl(links, name, response.url)
    return { end, eventsUrl: extension("server-sent-events"), layersUrl: extension("layer") }
  }

  async #exchange(sdp: string, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<Response> {
    const post = (type: string, body: BodyInit) =>
      postOffer(this.#endpoint, { headers: { ...headers, "content-type": type }, body }, signal)
    if (this.#usesMiniSdp) {
      const response = await post(MINISDP, encodeOffer(sdp))
      if (!(await refusesMiniSdp(response))) return response
      this.#usesMiniSdp = false
    }
    return post(SDP, sdp)
  }

  async #readAnswer(response: Response): Promise<string> {
    if (!(response.headers.get("content-type") ?? "").startsWith(MINISDP)) return response.text()
    try {
      return decodeLossless(new Uint8Array(await response.arrayBuffer())).sdp
    } catch (error) {
      this.#usesMiniSdp = false
      throw error
    }
  }
}

function encodeOffer(sdp: string): Uint8Array<ArrayBuffer> {
  const nothing = new Uint8Array(0)
  const packet = {
    type: "offer",
    seq: 0,
    status: 0,
    immSend: false,
    streamUrl: "",
    cookie: nothing,
    sessionId: "",
    sdp,
    dictionary: PAGE_DICTIONARY,
  } as const
  return new Uint8Array(encodeLossless(packet))
}

/**
 * Whether the server cannot read the body. One that lists MiniSDP in Accept-Post can, unless it speaks another version;
 * others have several ways to say no to a body that they take for bad SDP.
 */
async function refusesMiniSdp(response: Response): Promise<boolean> {
  if (!REFUSALS.has(response.status)) return false
  if (!(response.headers.get("accept-post") ?? "").includes(MINISDP)) return true
  return (await problemOf(response.clone())).code === "minisdp.packet"
}

function sessionEnd(response: Response, headers: Readonly<Record<string, string>>): () => void {
  const location = response.headers.get("location")
  let hasEnded = location === null
  return () => {
    if (hasEnded) return
    hasEnded = true
    const session = new URL(location ?? "", response.url)
    fetch(session, { method: "DELETE", headers: { ...headers }, keepalive: true }).catch(() => {})
  }
}

/** The address of a WHEP extension in the Link headers. */
function extensionUrl(links: string, name: string, base: string): URL | undefined {
  const address = new RegExp(`<([^>]*)>; *rel="?urn:ietf:params:whep:ext:core:${name}\\b`).exec(links)?.[1]
  return address === undefined ? undefined : new URL(address, base)
}

/** Asks for two channels of Opus, both ways; browsers settle for one without it. */
function withStereo({ type, sdp = "" }: RTCSessionDescriptionInit): RTCSessionDescriptionInit {
  const payloadType = /^a=rtpmap:(\d+) opus\/48000/im.exec(sdp)?.[1]
  if (payloadType === undefined) return { type, sdp }
  const fmtp = new RegExp(`^a=fmtp:${payloadType} (?!.*\\bstereo=1).*$`, "m")
  return { type, sdp: sdp.replace(fmtp, "$&;stereo=1;sprop-stereo=1") }
}

function withStartBitrate(sdp: string, bitrateBps: number | undefined): string {
  const payloadType = /^a=rtpmap:(\d+) H264\//im.exec(sdp)?.[1]
  if (payloadType === undefined || bitrateBps === undefined) return sdp
  const fmtp = new RegExp(`^(a=fmtp:${payloadType} .*?)(\\r?)$`, "m")
  return sdp.replace(fmtp, `$1;x-google-start-bitrate=${Math.round(bitrateBps / 1_000)}$2`)
}

async function postOffer(endpoint: string | URL, request: RequestInit, signal?: AbortSignal): Promise<Response> {
  const timeout = AbortSignal.timeout(POST_TIMEOUT_MS)
  const either = signal === undefined || AbortSignal.any === undefined ? timeout : AbortSignal.any([signal, timeout])
  try {
    return await fetch(endpoint, { method: "POST", ...request, signal: either })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Error("The gateway does not answer.", { cause: error })
  }
}

async function signalingError(response: Response): Promise<SignalingError> {
  const { code = "unknown", detail = `the gateway answered ${response.status}` } = await problemOf(response)
  const isRefused = code === "sdp.not_acceptable" || code === "sdp.unsupported"
  return new SignalingError(response.status, code, isRefused && !hasH264() ? NO_H264 : detail)
}

async function problemOf(response: Response): Promise<{ code?: string; detail?: string }> {
  try {
    return (await response.json()) ?? {}
  } catch {
    return {}
  }
}

function hasH264(): boolean {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs ?? []
  return codecs.some(({ mimeType }) => mimeType.toLowerCase() === "video/h264")
}

const SDP = "application/sdp"
const MINISDP = "application/x-minisdp"
/** 404 and 409 are about the stream, 401 and 403 about the viewer, 429 and 503 about the moment. */
const REFUSALS: ReadonlySet<number> = new Set([400, 406, 415, 422, 500, 501])
const NO_H264 =
  "This browser has no H.264 for WebRTC. In Firefox, enable the OpenH264 plugin (Add-ons, Plugins); other browsers have it built in."
const POST_TIMEOUT_MS = 8_000
