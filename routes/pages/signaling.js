/** What the gateway answers instead of 201, from its problem details (RFC 9457). */
export class SignalingError extends Error {
  constructor(status, code, detail) {
    super(detail)
    this.status = status
    this.code = code
  }
}

/**
 * Opens a WHIP or WHEP session: posts the local offer at once, without waiting for candidates (the gateway is ICE-lite
 * and learns ours from the checks), and applies the answer. Returns `end`, which ends the session, also while the page
 * is being left, and the addresses of what the session offers besides: `eventsUrl` and `layersUrl`.
 */
export async function openSession(pc, endpoint, { token, signal, startBitrateBps } = {}) {
  // A connection that was refused before asks again with the same offer.
  if (pc.localDescription === null) await pc.setLocalDescription(withStereo(await pc.createOffer()))
  const headers = { "content-type": "application/sdp" }
  if (token) headers.authorization = `Bearer ${token}`
  const response = await post(endpoint, headers, pc.localDescription.sdp, signal)
  if (response.status !== 201) throw await signalingError(response)
  const session = new URL(response.headers.get("location"), response.url)
  let hasEnded = false
  const end = () => {
    if (hasEnded) return
    hasEnded = true
    const auth = token ? { authorization: `Bearer ${token}` } : {}
    fetch(session, { method: "DELETE", headers: auth, keepalive: true }).catch(() => {})
  }
  try {
    const sdp = await response.text()
    if (signal?.aborted) throw new DOMException("aborted", "AbortError")
    await pc.setRemoteDescription({ type: "answer", sdp: withStartBitrate(sdp, startBitrateBps) })
  } catch (error) {
    end()
    throw error
  }
  const links = response.headers.get("link") ?? ""
  return { end, eventsUrl: extensionUrl(links, "server-sent-events"), layersUrl: extensionUrl(links, "layer") }
}

/** The address of a WHEP extension in the Link headers; undefined where the session has it not. */
function extensionUrl(links, name) {
  return new RegExp(`<([^>]*)>; *rel="urn:ietf:params:whep:ext:core:${name}"`).exec(links)?.[1]
}

/** Asks for two channels of Opus, both ways; browsers settle for one without it. */
function withStereo({ type, sdp }) {
  const payloadType = /^a=rtpmap:(\d+) opus\/48000/im.exec(sdp)?.[1]
  if (payloadType === undefined) return { type, sdp }
  const fmtp = new RegExp(`^a=fmtp:${payloadType} (?!.*\\bstereo=1).*$`, "m")
  return { type, sdp: sdp.replace(fmtp, "$&;stereo=1;sprop-stereo=1") }
}

/** A wish that Chromium reads from the answer and others ignore. */
function withStartBitrate(sdp, bitrateBps) {
  const payloadType = /^a=rtpmap:(\d+) H264\//im.exec(sdp)?.[1]
  if (payloadType === undefined || bitrateBps === undefined) return sdp
  const fmtp = new RegExp(`^(a=fmtp:${payloadType} .*?)(\\r?)$`, "m")
  return sdp.replace(fmtp, `$1;x-google-start-bitrate=${Math.round(bitrateBps / 1_000)}$2`)
}

async function post(endpoint, headers, body, signal) {
  const timeout = AbortSignal.timeout(POST_TIMEOUT_MS)
  const either = signal === undefined || AbortSignal.any === undefined ? timeout : AbortSignal.any([signal, timeout])
  try {
    return await fetch(endpoint, { method: "POST", headers, body, signal: either })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Error("The gateway does not answer.", { cause: error })
  }
}

async function signalingError(response) {
  const problem = await response.json().catch(() => ({}))
  const isRefused = problem.code === "sdp.not_acceptable" || problem.code === "sdp.unsupported"
  const lacksH264 = isRefused && !hasH264()
  const detail = lacksH264 ? NO_H264 : (problem.detail ?? `the gateway answered ${response.status}`)
  return new SignalingError(response.status, problem.code ?? "unknown", detail)
}

function hasH264() {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs ?? []
  return codecs.some(({ mimeType }) => mimeType.toLowerCase() === "video/h264")
}

const NO_H264 =
  "This browser has no H.264 for WebRTC. In Firefox, enable the OpenH264 plugin (Add-ons, Plugins); other browsers have it built in."
const POST_TIMEOUT_MS = 8_000
