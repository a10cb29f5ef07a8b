/* In a page: pictures that show the time they were drawn at, as test/support/barcode.ts describes them. */
window.barcode = (() => {
  const COLUMNS = 12
  const ROWS = 2
  const CELL_PX = 48
  const LEFT_PX = 32
  const TOP_PX = 16
  const WIDTH_PX = 640
  const HEIGHT_PX = 360

  /** The machine's clock with the resolution of performance.now(): the largest difference seen is the one at a tick. */
  const offsetMs = (() => {
    let offset = Number.NEGATIVE_INFINITY
    const endsAt = performance.now() + 30
    while (performance.now() < endsAt) offset = Math.max(offset, Date.now() - performance.now())
    return offset
  })()
  const nowMs = () => offsetMs + performance.now()

  const checksum = (ticks) => (0xa ^ (ticks + (ticks >> 4) + (ticks >> 8) + (ticks >> 12) + (ticks >> 16))) & 15

  /** A canvas that is drawn 30 times a second, as a media stream; with a tone if asked for. */
  function createStream({ sound = false } = {}) {
    const canvas = document.createElement("canvas")
    canvas.width = WIDTH_PX
    canvas.height = HEIGHT_PX
    document.body.append(canvas)
    const context = canvas.getContext("2d", { alpha: false })
    const stream = canvas.captureStream(0)
    const [track] = stream.getVideoTracks()
    let frame = 0
    let nextAt = performance.now()
    const draw = () => {
      requestAnimationFrame(draw)
      const now = performance.now()
      if (now < nextAt - 4) return
      nextAt = Math.max(nextAt + 1000 / 30, now - 1000 / 30)
      frame++
      context.fillStyle = "#446"
      context.fillRect(0, 0, WIDTH_PX, HEIGHT_PX)
      context.fillStyle = "#c84"
      context.fillRect((frame * 4) % WIDTH_PX, 200, 80, 80)
      const ticks = Math.floor(nowMs() * 10) & 0xfffff
      const bits = (ticks << 4) | checksum(ticks)
      for (let cell = 0; cell < COLUMNS * ROWS; cell++) {
        context.fillStyle = bits & (1 << cell) ? "#fff" : "#000"
        const column = cell % COLUMNS
        const row = (cell - column) / COLUMNS
        context.fillRect(LEFT_PX + column * CELL_PX, TOP_PX + row * CELL_PX, CELL_PX, CELL_PX)
      }
      track.requestFrame()
    }
    draw()
    if (sound) {
      const audio = new AudioContext()
      const tone = audio.createOscillator()
      const out = audio.createMediaStreamDestination()
      tone.frequency.value = 1000
      tone.connect(out)
      tone.start()
      stream.addTrack(out.stream.getAudioTracks()[0])
    }
    return stream
  }

  /** Publishes such a stream by WHIP, with a keyframe every so often if asked for; by itself Chromium makes none. */
  async function publish(url, { sound = false, keyframeIntervalMs } = {}) {
    await window.harness.publish(url, createStream({ sound }))
    if (keyframeIntervalMs === undefined) return
    const sender = window.session.pc.getSenders().find(({ track }) => track.kind === "video")
    setInterval(
      () => sender.setParameters(sender.getParameters(), { encodingOptions: [{ keyFrame: true }] }),
      keyframeIntervalMs,
    )
  }

  /** Ages of the pictures that a video element presents over some seconds, in ms, and how many could not be read. */
  async function readAges(seconds, video = document.querySelector("video")) {
    const pictures = await read(video, performance.now() + seconds * 1000)
    const agesMs = pictures.map(({ ageMs }) => ageMs).filter((ageMs) => ageMs !== undefined)
    return { agesMs, unreadable: pictures.length - agesMs.length }
  }

  /**
   * The pictures that a video element presents from its first one on, for some seconds: when each was seen, by `performance.now()`, and its age,
   * undefined where it could not be read. None in 15 s is an error.
   */
  async function watch(video, seconds) {
    const first = new Promise((resolve) => video.requestVideoFrameCallback(resolve))
    const tooLate = new Promise((_, reject) => setTimeout(() => reject(new Error("no picture in 15 s")), 15_000))
    const reading = read(video, Number.POSITIVE_INFINITY)
    await Promise.race([first, tooLate])
    reading.until(performance.now() + seconds * 1000)
    return reading
  }

  /** Reads all pictures until a moment, which `until` may set later. */
  function read(video, endsAt) {
    const canvas = new OffscreenCanvas(COLUMNS, ROWS)
    const context = canvas.getContext("2d", { willReadFrequently: true })
    let end = endsAt
    const reading = new Promise((resolve) => {
      const pictures = []
      const onFrame = () => {
        const seenAt = performance.now()
        if (seenAt >= end) return resolve(pictures)
        video.requestVideoFrameCallback(onFrame)
        pictures.push({ seenAt, ageMs: ageOf(video, context, offsetMs + seenAt) })
      }
      video.requestVideoFrameCallback(onFrame)
    })
    return Object.assign(reading, { until: (later) => (end = later) })
  }

  function ageOf(video, context, seenAtMs) {
    const scale = video.videoWidth / WIDTH_PX
    const area = [LEFT_PX, TOP_PX, COLUMNS * CELL_PX, ROWS * CELL_PX].map((px) => px * scale)
    context.drawImage(video, ...area, 0, 0, COLUMNS, ROWS)
    const { data } = context.getImageData(0, 0, COLUMNS, ROWS)
    let bits = 0
    for (let cell = 0; cell < COLUMNS * ROWS; cell++) if (data[cell * 4 + 1] > 127) bits |= 1 << cell
    const ticks = bits >>> 4
    return checksum(ticks) === (bits & 15) ? ((Math.floor(seenAtMs * 10) - ticks) & 0xfffff) / 10 : undefined
  }

  return { publish, readAges, watch, createStream }
})()
