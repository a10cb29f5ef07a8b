/** A connection that is to receive audio and video, and what comes in by it. */
export interface Connection {
  readonly pc: RTCPeerConnection
  readonly media: MediaStream
  /** By the clock of `performance.now()`. */
  readonly madeAtMs: number
}

/** What a connection has received from its beginning. */
export interface ReceivedMedia {
  readonly bytes: number
  readonly videoBytes: number
  readonly frames: number
}

/** Makes a connection; `onTrack` learns of each track that the answer promises, also before anything comes. */
export function createConnection(onTrack: (track: MediaStreamTrack, media: MediaStream) => void): Connection {
  const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" })
  const media = new MediaStream()
  for (const kind of ["audio", "video"]) pc.addTransceiver(kind, { direction: "recvonly" })
  pc.addEventListener("track", ({ track, receiver }) => {
    // The least delay that the network allows; the browser raises it by itself where packets come unevenly.
    for (const name of ["jitterBufferTarget", "playoutDelayHint"]) {
      if (name in receiver) Object.assign(receiver, { [name]: 0 })
    }
    media.addTrack(track)
    onTrack(track, media)
  })
  return { pc, media, madeAtMs: performance.now() }
}

/** True where nothing will come any more. The gateway closes DTLS when the stream ends; the connection state notices much later. */
export function isGone(pc: RTCPeerConnection): boolean {
  const isClosed = pc.getReceivers().some(({ transport }) => transport?.state === "closed")
  return pc.connectionState === "failed" || pc.connectionState === "closed" || isClosed
}

/** Returns a function that waits for the next change of the connection, at most for some milliseconds. */
export function stateChanges(pc: RTCPeerConnection, signal: AbortSignal): (timeoutMs: number) => Promise<void> {
  let wake = () => {}
  const onChange = () => wake()
  pc.addEventListener("connectionstatechange", onChange, { signal })
  for (const { transport } of pc.getReceivers()) transport?.addEventListener("statechange", onChange, { signal })
  signal.addEventListener("abort", onChange)
  return (timeoutMs) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
}

/** Adds up what has come. */
export async function receivedMedia(pc: RTCPeerConnection): Promise<ReceivedMedia> {
  const entries: RTCInboundRtpStreamStats[] = [...(await pc.getStats()).values()]
  const inbound = entries.filter(({ type }) => type === "inbound-rtp")
  const bytesOf = (some: RTCInboundRtpStreamStats[]) => some.reduce((sum, entry) => sum + (entry.bytesReceived ?? 0), 0)
  return {
    bytes: bytesOf(inbound),
    videoBytes: bytesOf(inbound.filter(({ kind }) => kind === "video")),
    frames: inbound.reduce((sum, entry) => sum + (entry.framesDecoded ?? 0), 0),
  }
}
