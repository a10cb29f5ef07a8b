/* In a page: joins a stream as a small WHEP client and notes when picture and sound come; see scripts/bench/first-picture. */
window.joins = (() => {
  /**
   * Joins, watches for some seconds after the first picture and leaves. The stream's pictures show the time (barcode.js) and its sound is a
   * steady tone. Times are from the POST on, in ms; `pictures` are those presented, with their ages.
   */
  async function once(url, { seconds = 5 } = {}) {
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" })
    const video = document.createElement("video")
    Object.assign(video, { autoplay: true, playsInline: true, srcObject: new MediaStream() })
    document.body.append(video)
    const receivers = ["video", "audio"].map((kind) => pc.addTransceiver(kind, { direction: "recvonly" }).receiver)
    const at = {}
    pc.addEventListener("track", ({ track, receiver }) => {
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0
      video.srcObject.addTrack(track)
    })
    pc.addEventListener("connectionstatechange", () => (at[pc.connectionState] ??= performance.now()))
    pc.addEventListener("iceconnectionstatechange", () => (at[`ice ${pc.iceConnectionState}`] ??= performance.now()))
    await pc.setLocalDescription()
    const headers = { "content-type": "application/sdp" }
    const postedAt = performance.now()
    const watching = window.barcode.watch(video, seconds)
    const response = await fetch(url, { method: "POST", headers, body: pc.localDescription.sdp })
    const sdp = await response.text()
    at.answered = performance.now()
    if (response.status !== 201) throw new Error(`${response.status} ${sdp}`)
    await pc.setRemoteDescription({ type: "answer", sdp })
    const sound = firstSound(receivers[1].track)
    const pictures = await watching
    const [inbound] = [...(await pc.getStats()).values()].filter(
      (entry) => entry.type === "inbound-rtp" && entry.kind === "video",
    )
    const since = (time) => time - postedAt
    const result = {
      firstSoundMs: since((await Promise.race([sound, Promise.resolve(undefined)])) ?? Number.NaN),
      steps: Object.fromEntries(Object.entries(at).map(([name, time]) => [name, since(time)])),
      pictures: pictures.map(({ seenAt, ageMs }) => ({ atMs: since(seenAt), ageMs })),
      freezes: inbound.freezeCount,
      frozenMs: inbound.totalFreezesDuration * 1000,
      nacks: inbound.nackCount,
      plis: inbound.pliCount,
      lost: inbound.packetsLost,
      framesDecoded: inbound.framesDecoded,
      framesDropped: inbound.framesDropped,
      jitterBufferMs: (inbound.jitterBufferDelay / inbound.jitterBufferEmittedCount) * 1000,
    }
    pc.close()
    video.remove()
    await fetch(new URL(response.headers.get("location"), url), { method: "DELETE" })
    return result
  }

  /** When the first sample that is not silence is there to be heard. */
  async function firstSound(track) {
    const copy = track.clone()
    const reader = new MediaStreamTrackProcessor({ track: copy }).readable.getReader()
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return undefined
      const samples = new Float32Array(value.numberOfFrames)
      value.copyTo(samples, { planeIndex: 0, format: "f32-planar" })
      value.close()
      if (samples.some((sample) => Math.abs(sample) > 0.05)) break
    }
    copy.stop()
    return performance.now()
  }

  return { once }
})()
