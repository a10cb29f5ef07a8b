/** Picture sizes and bitrates to choose from. */
export const QUALITIES = {
  low: { label: "360p · 0.8 Mbit/s", widthPx: 640, heightPx: 360, maxFps: 30, maxBitrateBps: 800_000 },
  medium: { label: "720p · 2.5 Mbit/s", widthPx: 1280, heightPx: 720, maxFps: 30, maxBitrateBps: 2_500_000 },
  high: { label: "1080p · 5 Mbit/s", widthPx: 1920, heightPx: 1080, maxFps: 30, maxBitrateBps: 5_000_000 },
  smooth: { label: "1080p 60 fps · 8 Mbit/s", widthPx: 1920, heightPx: 1080, maxFps: 60, maxBitrateBps: 8_000_000 },
}

/** A sentence that says why nothing can be captured here, `undefined` where it can. */
export function captureProblem() {
  if (navigator.mediaDevices?.getUserMedia !== undefined) return undefined
  if (window.isSecureContext) return "This browser cannot capture a camera or a screen."
  return `Browsers give camera and screen only to pages that came over HTTPS, or from this same machine. This page came from ${location.origin}: put the gateway behind HTTPS, or open it as http://localhost:${location.port || 80}.`
}

/**
 * Captures `camera` or `screen`, with sound where it is wanted and to be had. Throws an Error whose message is for
 * people.
 */
export async function capture({ source, cameraId, microphoneId, quality, hasVoiceCleanup }) {
  const { widthPx, heightPx, maxFps } = QUALITIES[quality]
  const picture = { width: { ideal: widthPx }, height: { ideal: heightPx }, frameRate: { ideal: maxFps, max: maxFps } }
  const sound = {
    channelCount: { ideal: hasVoiceCleanup ? 1 : 2 },
    echoCancellation: hasVoiceCleanup,
    noiseSuppression: hasVoiceCleanup,
    autoGainControl: hasVoiceCleanup,
  }
  const wantsMicrophone = microphoneId !== "none"
  try {
    if (source === "screen") return await captureScreen(picture, sound, wantsMicrophone ? microphoneId : undefined)
    const stream = await navigator.mediaDevices.getUserMedia({
      video: { ...picture, ...exactly(cameraId) },
      audio: wantsMicrophone ? { ...sound, ...exactly(microphoneId) } : false,
    })
    hint(stream, "motion")
    return stream
  } catch (error) {
    throw new Error(explain(error, source), { cause: error })
  }
}

/** Cameras and microphones; their names are known only after the first permission. */
export async function listDevices() {
  const devices = await navigator.mediaDevices.enumerateDevices()
  const ofKind = (kind) => devices.filter((device) => device.kind === kind && device.deviceId !== "")
  return { cameras: ofKind("videoinput"), microphones: ofKind("audioinput") }
}

async function captureScreen(picture, sound, microphoneId) {
  const stream = await navigator.mediaDevices.getDisplayMedia({
    video: picture,
    audio: { ...sound, suppressLocalAudioPlayback: false },
  })
  hint(stream, "detail")
  if (stream.getAudioTracks().length > 0 || microphoneId === undefined) return stream
  // Many systems share no sound with the screen; the microphone stands in.
  const microphone = await navigator.mediaDevices
    .getUserMedia({ audio: { ...sound, ...exactly(microphoneId) } })
    .catch(() => undefined)
  for (const track of microphone?.getAudioTracks() ?? []) stream.addTrack(track)
  return stream
}

function hint(stream, videoHint) {
  for (const track of stream.getVideoTracks()) track.contentHint = videoHint
}

function exactly(deviceId) {
  return deviceId ? { deviceId: { exact: deviceId } } : {}
}

function explain(error, source) {
  const device = source === "screen" ? "screen" : "camera or microphone"
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return `The browser was not allowed to use the ${device}. Permit it in the address bar or in the system's privacy settings, then try again.`
    case "NotFoundError":
      return `No ${device} was found. Connect one, or choose another source.`
    case "NotReadableError":
    case "AbortError":
      return `The ${device} is in use by another program, or failed to start.`
    case "OverconstrainedError":
      return `The chosen ${device} is no longer there. Choose another one.`
    default:
      return error.message
  }
}
