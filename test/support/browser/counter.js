/* In a page: reads the number that each picture of the clips `counted…` shows, as test/support/media.ts draws it. */
window.counter = (() => {
  const COLUMNS = 12
  const ROWS = 2
  const CELL_PX = 48
  const LEFT_PX = 32
  const TOP_PX = 16
  const WIDTH_PX = 640

  const canvas = new OffscreenCanvas(COLUMNS, ROWS)
  const context = canvas.getContext("2d", { willReadFrequently: true })

  /** The number that a picture shows, -1 for one that cannot be read: the lower row has the opposite of the upper one. */
  function numberOf(picture, widthPx) {
    const scale = widthPx / WIDTH_PX
    const area = [LEFT_PX, TOP_PX, COLUMNS * CELL_PX, ROWS * CELL_PX].map((px) => px * scale)
    context.drawImage(picture, ...area, 0, 0, COLUMNS, ROWS)
    const { data } = context.getImageData(0, 0, COLUMNS, ROWS)
    let number = 0
    for (let column = 0; column < COLUMNS; column++) {
      const isSet = data[column * 4 + 1] > 127
      if (data[(column + COLUMNS) * 4 + 1] > 127 === isSet) return -1
      if (isSet) number |= 1 << column
    }
    return number
  }

  /** The numbers of all pictures that a video element gets over some seconds, and of those that it presents while the page looks. */
  async function read(seconds, video = document.querySelector("video")) {
    const [track] = video.srcObject.getVideoTracks()
    const copy = track.clone()
    const reader = new MediaStreamTrackProcessor({ track: copy, maxBufferSize: 60 }).readable.getReader()
    const received = []
    const sizes = []
    const presented = []
    const endsAt = performance.now() + seconds * 1000
    const onFrame = () => {
      if (performance.now() >= endsAt) return
      video.requestVideoFrameCallback(onFrame)
      presented.push(numberOf(video, video.videoWidth))
    }
    video.requestVideoFrameCallback(onFrame)
    while (performance.now() < endsAt) {
      const { value, done } = await reader.read()
      if (done) break
      received.push(numberOf(value, value.displayWidth))
      const size = `${value.displayWidth}x${value.displayHeight}`
      if (sizes.at(-1) !== size) sizes.push(size)
      value.close()
    }
    await reader.cancel()
    copy.stop()
    return { received, presented, sizes }
  }

  /** The timed metadata of a session over some seconds, and the RTP timestamps of the pictures that are presented meanwhile. */
  async function followMetadata({ location, video }, seconds) {
    const response = await fetch(`${location}/events`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '["timedmetadata"]',
    })
    const source = new EventSource(new URL(response.headers.get("location"), location))
    const metadata = []
    const timestamps = []
    source.addEventListener("timedmetadata", ({ data }) => metadata.push(JSON.parse(data)))
    const onFrame = (_, { rtpTimestamp }) => {
      timestamps.push(rtpTimestamp)
      video.requestVideoFrameCallback(onFrame)
    }
    video.requestVideoFrameCallback(onFrame)
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    source.close()
    return { metadata, timestamps }
  }

  return { read, followMetadata }
})()
