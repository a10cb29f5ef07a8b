/* In a page: a small WHIP and WHEP client of its own, and instruments for pictures and sound. */
window.harness = (() => {
  /** Posts an offer and gives the answer and when the request was made; refusals are errors with the response's text. */
  async function exchange(pc, url) {
    await pc.setLocalDescription()
    const postedAt = performance.now()
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/sdp" },
      body: pc.localDescription.sdp,
    })
    const body = await response.text()
    if (response.status !== 201) throw new Error(`${response.status} ${body}`)
    await pc.setRemoteDescription({ type: "answer", sdp: body })
    return { postedAt, location: new URL(response.headers.get("location"), url).href }
  }

  /** Watches a stream in a new video element; resolves when the first picture is presented. */
  async function watch(url, { audio = true } = {}) {
    const pc = new RTCPeerConnection()
    const video = document.createElement("video")
    video.autoplay = true
    video.playsInline = true
    document.body.append(video)
    const stream = new MediaStream()
    video.srcObject = stream
    pc.addTransceiver("video", { direction: "recvonly" })
    if (audio) pc.addTransceiver("audio", { direction: "recvonly" })
    pc.addEventListener("track", ({ track }) => stream.addTrack(track))
    const firstPicture = new Promise((resolve) => video.requestVideoFrameCallback(() => resolve(performance.now())))
    const { postedAt, location } = await exchange(pc, url)
    window.session = { pc, video, stream, location }
    return { firstPictureMs: (await firstPicture) - postedAt, location }
  }

  /** Publishes a media stream as H.264 and Opus; resolves when the connection stands. */
  async function publish(url, stream, { maxBitrateBps = 2_500_000 } = {}) {
    const pc = new RTCPeerConnection()
    for (const track of stream.getTracks()) {
      const transceiver = pc.addTransceiver(track, { direction: "sendonly", streams: [stream] })
      if (track.kind !== "video") continue
      const { codecs } = RTCRtpSender.getCapabilities("video")
      transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => /h264|rtx/i.test(mimeType)))
    }
    const { location } = await exchange(pc, url)
    window.session = { pc, stream, location }
    await new Promise((resolve, reject) => {
      const check = () => {
        if (pc.connectionState === "connected") resolve()
        if (pc.connectionState === "failed") reject(new Error("the connection failed"))
      }
      pc.addEventListener("connectionstatechange", check)
      check()
    })
    const sender = pc.getSenders().find(({ track }) => track?.kind === "video")
    if (sender) {
      const parameters = sender.getParameters()
      for (const encoding of parameters.encodings) encoding.maxBitrate = maxBitrateBps
      parameters.degradationPreference = "maintain-resolution"
      await sender.setParameters(parameters)
    }
    return { location }
  }

  /** Chromium's fake camera and microphone. */
  function camera({ width = 640, height = 360, frameRate = 30 } = {}) {
    return navigator.mediaDevices.getUserMedia({ video: { width, height, frameRate }, audio: true })
  }

  /** The same, published. */
  async function publishCamera(url, options) {
    return publish(url, await camera(options), options)
  }

  /** Counts pictures presented over some seconds, and the longest time without one. */
  function countFrames(seconds, video = document.querySelector("video")) {
    return new Promise((resolve) => {
      const startedAt = performance.now()
      let lastAt = startedAt
      let frames = 0
      let longestGapMs = 0
      let frozenMs = 0
      const note = (now) => {
        const gapMs = now - lastAt
        longestGapMs = Math.max(longestGapMs, gapMs)
        if (gapMs > 200) frozenMs += gapMs
        lastAt = now
      }
      let firstPresented
      const onFrame = (_, { presentedFrames }) => {
        // The callback misses pictures when the page is busy; the counter does not.
        firstPresented ??= presentedFrames - 1
        frames = presentedFrames - firstPresented
        note(performance.now())
        video.requestVideoFrameCallback(onFrame)
      }
      video.requestVideoFrameCallback(onFrame)
      setTimeout(() => {
        note(performance.now())
        const elapsedS = (performance.now() - startedAt) / 1000
        resolve({
          frames,
          framesPerSecond: frames / elapsedS,
          longestGapMs: Math.round(longestGapMs),
          frozenMs: Math.round(frozenMs),
          width: video.videoWidth,
          height: video.videoHeight,
        })
      }, seconds * 1000)
    })
  }

  /** The loudest root mean square (0 to 1) of a video element's sound over some seconds, and its strongest frequency. */
  async function listen(seconds, video = document.querySelector("video")) {
    const context = new AudioContext()
    await context.resume()
    const analyser = context.createAnalyser()
    analyser.fftSize = 4096
    context.createMediaStreamSource(video.srcObject).connect(analyser)
    const wave = new Float32Array(analyser.fftSize)
    const spectrum = new Float32Array(analyser.frequencyBinCount)
    let loudest = 0
    let frequencyHz = 0
    const endsAt = performance.now() + seconds * 1000
    while (performance.now() < endsAt) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      analyser.getFloatTimeDomainData(wave)
      const level = Math.sqrt(wave.reduce((sum, sample) => sum + sample * sample, 0) / wave.length)
      if (level <= loudest) continue
      loudest = level
      analyser.getFloatFrequencyData(spectrum)
      frequencyHz = (spectrum.indexOf(Math.max(...spectrum)) * context.sampleRate) / analyser.fftSize
    }
    await context.close()
    return { loudest, frequencyHz: Math.round(frequencyHz) }
  }

  /** Numbers of the receiving side: freezes, losses, buffer. */
  async function receiverStats(pc = window.session?.pc ?? window.whipstitch?.pc) {
    const all = {}
    for (const report of (await pc.getStats()).values()) {
      if (report.type === "inbound-rtp") all[report.kind] = report
    }
    return all
  }

  /** On a page with a player of its own: from its last POST to the first picture, once both have happened. */
  function firstPictureMs() {
    return firstPictureAt === undefined || postedAt === undefined ? undefined : firstPictureAt - postedAt
  }

  let postedAt
  let firstPictureAt
  const pageFetch = window.fetch
  window.fetch = (input, options) => {
    if (options?.method === "POST" && firstPictureAt === undefined) postedAt = performance.now()
    return pageFetch(input, options)
  }
  document.addEventListener("DOMContentLoaded", () => {
    const video = document.querySelector("video")
    video?.requestVideoFrameCallback(() => (firstPictureAt = performance.now()))
  })

  return { firstPictureMs, watch, publish, publishCamera, camera, countFrames, listen, receiverStats }
})()
