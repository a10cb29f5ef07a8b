/* In a page: a flash and a beep in the same instant, once a second, sent and measured; see test/support/clapper.ts. */
window.clapper = (() => {
  const LENGTH_S = 0.1

  /** A picture that flashes while a tone sounds, as a media stream. */
  function createStream() {
    const audio = new AudioContext()
    const tone = audio.createOscillator()
    const gate = audio.createGain()
    const out = audio.createMediaStreamDestination()
    tone.frequency.value = 1000
    gate.gain.value = 0
    tone.connect(gate).connect(out)
    tone.start()
    const canvas = document.createElement("canvas")
    canvas.width = 640
    canvas.height = 360
    document.body.append(canvas)
    const context = canvas.getContext("2d", { alpha: false })
    const stream = canvas.captureStream(30)
    stream.addTrack(out.stream.getAudioTracks()[0])
    let scheduledTo = 0
    const draw = () => {
      requestAnimationFrame(draw)
      const now = audio.currentTime
      for (; scheduledTo < now + 2; scheduledTo++) {
        gate.gain.setValueAtTime(0.8, scheduledTo)
        gate.gain.setValueAtTime(0, scheduledTo + LENGTH_S)
      }
      context.fillStyle = now % 1 < LENGTH_S ? "#fff" : "#000"
      context.fillRect(0, 0, canvas.width, canvas.height)
    }
    draw()
    return stream
  }

  /** Publishes it by WHIP. */
  function publish(url) {
    return window.harness.publish(url, createStream())
  }

  /** For each clap in some seconds: how many ms the beep came after the flash (before it: negative). */
  async function measure(seconds, { pc, video } = window.session) {
    const flashes = []
    const beeps = []
    const endsAt = performance.now() + seconds * 1000
    const note = (list, isOn) => {
      const now = performance.now()
      if (isOn && !list.isOn && now - (list.at(-1) ?? 0) > 500) list.push(now)
      list.isOn = isOn
    }
    const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true })
    const onFrame = () => {
      if (performance.now() < endsAt) video.requestVideoFrameCallback(onFrame)
      context.drawImage(video, 300, 160, 20, 20, 0, 0, 1, 1)
      note(flashes, context.getImageData(0, 0, 1, 1).data[1] > 127)
    }
    video.requestVideoFrameCallback(onFrame)
    const track = pc
      .getReceivers()
      .find((receiver) => receiver.track.kind === "audio")
      .track.clone()
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader()
    while (performance.now() < endsAt) {
      const { value, done } = await reader.read()
      if (done) break
      const samples = new Float32Array(value.numberOfFrames)
      value.copyTo(samples, { planeIndex: 0, format: "f32-planar" })
      value.close()
      note(
        beeps,
        samples.some((sample) => Math.abs(sample) > 0.1),
      )
    }
    track.stop()
    return flashes.flatMap((flash) => {
      const beep = beeps.find((time) => Math.abs(time - flash) < 400)
      return beep === undefined ? [] : [beep - flash]
    })
  }

  return { publish, measure }
})()
