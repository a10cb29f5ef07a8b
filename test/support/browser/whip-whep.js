/* In a page: WHIP and WHEP as a client that knows all of it would do them. `rtc` is also what Firefox runs. */
window.rtc = (() => {
  /** Publishes camera and microphone with one codec, in layers where `encodings` has several. */
  async function publish(url, { codec, encodings = [{}], token, ...size } = {}) {
    const { width = 640, height = 360 } = size
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width, height, frameRate: 30 }, audio: true })
    const pc = new RTCPeerConnection()
    for (const track of stream.getTracks()) {
      const isVideo = track.kind === "video"
      const options = { direction: "sendonly", streams: [stream], ...(isVideo && { sendEncodings: encodings }) }
      const transceiver = pc.addTransceiver(track, options)
      if (isVideo && codec) prefer(transceiver, RTCRtpSender, codec)
    }
    const sender = pc.getSenders().find(({ track }) => track.kind === "video")
    const session = await open(pc, url, { token })
    // Otherwise the first second's small estimate decides the size for a long time.
    const parameters = sender.getParameters()
    parameters.degradationPreference = "maintain-resolution"
    await sender.setParameters(parameters)
    return session
  }

  /** Plays a stream in a new video element; `codec` leaves only one in the offer, `accept` asks for a counter-offer. */
  async function play(url, { codec, accept } = {}) {
    const pc = receiver(codec)
    return open(pc, url, { accept })
  }

  /** Leaves the offer to the gateway: POST without a body, PATCH with the answer. */
  async function playWithoutOffer(url) {
    const pc = new RTCPeerConnection()
    show(pc)
    const response = await fetch(url, { method: "POST", headers: { accept: SDP } })
    return answer(pc, response, await response.text())
  }

  /** An offer to receive one codec, not sent to anybody. */
  async function offerToReceive(codec) {
    const pc = receiver(codec)
    const { sdp } = await pc.createOffer()
    pc.close()
    return sdp
  }

  function receiver(codec) {
    const pc = new RTCPeerConnection()
    show(pc)
    const video = pc.addTransceiver("video", { direction: "recvonly" })
    pc.addTransceiver("audio", { direction: "recvonly" })
    if (codec) prefer(video, RTCRtpReceiver, codec)
    return pc
  }

  function show(pc) {
    const video = document.createElement("video")
    Object.assign(video, { autoplay: true, playsInline: true, muted: true, srcObject: new MediaStream() })
    document.body.append(video)
    pc.addEventListener("track", ({ track }) => {
      video.srcObject.addTrack(track)
      video.play().catch(() => {}) // Firefox plays no element that had no track when it began
    })
  }

  function prefer(transceiver, side, codec) {
    const wanted = side.getCapabilities("video").codecs.filter(({ mimeType }) => {
      const name = mimeType.toLowerCase()
      return name === `video/${codec}` || name === "video/rtx"
    })
    transceiver.setCodecPreferences(wanted)
  }

  async function open(pc, url, { accept, token }) {
    await pc.setLocalDescription()
    const headers = {
      "content-type": SDP,
      ...(accept && { accept }),
      ...(token && { authorization: `Bearer ${token}` }),
    }
    const response = await fetch(url, { method: "POST", headers, body: pc.localDescription.sdp })
    const body = await response.text()
    if (response.status === 406 && accept) {
      pc.close()
      const second = new RTCPeerConnection()
      show(second)
      return answer(second, response, body)
    }
    if (response.status !== 201) throw new Error(`${response.status} ${body}`)
    await pc.setRemoteDescription({ type: "answer", sdp: body })
    return keep(pc, response, { status: response.status, answer: body })
  }

  /** Answers a counter-offer, draft-ietf-wish-whep section 4.3.2. */
  async function answer(pc, response, offer) {
    if (response.status !== 406) throw new Error(`${response.status} ${offer}`)
    await pc.setRemoteDescription({ type: "offer", sdp: offer })
    await pc.setLocalDescription()
    const location = new URL(response.headers.get("location"), response.url)
    const headers = { "content-type": SDP, "if-match": response.headers.get("etag") }
    const patched = await fetch(location, { method: "PATCH", headers, body: pc.localDescription.sdp })
    if (!patched.ok) throw new Error(`${patched.status} ${await patched.text()}`)
    const type = response.headers.get("content-type")
    return keep(pc, response, { status: response.status, patchStatus: patched.status, type })
  }

  async function keep(pc, response, facts) {
    const links = response.headers.get("link") ?? ""
    const find = (name) => new RegExp(`<([^>]*)>; *rel="urn:ietf:params:whep:ext:core:${name}"`).exec(links)?.[1]
    window.session = {
      pc,
      location: new URL(response.headers.get("location"), response.url).href,
      etag: response.headers.get("etag"),
      events: find("server-sent-events"),
      layers: find("layer"),
    }
    await connected(pc)
    const { pc: _, ...told } = window.session
    return { ...told, ...facts }
  }

  function connected(pc) {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (pc.connectionState === "connected") resolve()
        if (pc.connectionState === "failed") reject(new Error("the connection failed"))
      }
      pc.addEventListener("connectionstatechange", check)
      check()
    })
  }

  /** Restarts ICE by PATCH, RFC 9725 section 4.3.3, and takes the gateway's new credentials over. */
  async function restartIce({ pc, location, etag } = window.session) {
    pc.restartIce()
    await pc.setLocalDescription()
    const body = fragment(pc, [])
    const headers = { "content-type": FRAGMENT, "if-match": etag }
    const response = await fetch(location, { method: "PATCH", headers, body })
    const login = await response.text()
    if (response.status !== 200) throw new Error(`${response.status} ${login}`)
    let { sdp } = pc.remoteDescription
    for (const name of ["ice-ufrag", "ice-pwd"]) {
      const line = new RegExp(`^a=${name}:.*$`, "m").exec(login)[0].trim()
      sdp = sdp.replace(new RegExp(`^a=${name}:.*$`, "gm"), line)
    }
    await pc.setRemoteDescription({ type: "answer", sdp })
    window.session.etag = response.headers.get("etag")
    return { before: etag, after: window.session.etag, status: response.status }
  }

  /** Sends a candidate as trickle does, and returns the status. */
  async function trickle({ pc, location, etag } = window.session) {
    const candidate = "a=candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host"
    const headers = { "content-type": FRAGMENT, "if-match": etag }
    const body = fragment(pc, [candidate, "a=end-of-candidates"])
    return (await fetch(location, { method: "PATCH", headers, body })).status
  }

  /** A fragment of the local description (RFC 8840) with more lines at its end. */
  function fragment(pc, lines) {
    const line = (start) => new RegExp(`^${start}.*$`, "m").exec(pc.localDescription.sdp)[0].trim()
    const own = ["a=group:BUNDLE", "a=ice-ufrag:", "a=ice-pwd:", "m=", "a=mid:"].map(line)
    return `${[...own, ...lines].join("\r\n")}\r\n`
  }

  /** Reads the session's events into a list that the page keeps as `told`. */
  async function listen({ events } = window.session) {
    const response = await fetch(events, { method: "POST" })
    const source = new EventSource(new URL(response.headers.get("location"), events))
    window.told = []
    for (const type of ["active", "inactive", "layers", "viewercount", "reconnect"]) {
      source.addEventListener(type, ({ data }) => window.told.push({ type, data: JSON.parse(data) }))
    }
    await new Promise((resolve) => source.addEventListener("open", resolve))
    return response.status
  }

  /** Numbers of the present session, or of the gateway's own player: what came, in which codec; what goes out. */
  async function stats(pc = window.session?.pc ?? window.whipstitch?.pc) {
    const reports = [...(await pc.getStats()).values()]
    const codecOf = ({ codecId }) => reports.find(({ id }) => id === codecId)?.mimeType
    const of = (type, kind) => reports.filter((report) => report.type === type && report.kind === kind)
    const [video] = of("inbound-rtp", "video")
    const [audio] = of("inbound-rtp", "audio")
    const pair = reports.find(({ type, nominated }) => type === "candidate-pair" && nominated)
    return {
      connection: pc.connectionState,
      codec: video && codecOf(video),
      video: video?.framesDecoded ?? 0,
      widthPx: video?.frameWidth ?? 0,
      heightPx: video?.frameHeight ?? 0,
      frozenMs: Math.round(1000 * (video?.totalFreezesDuration ?? 0)),
      audioPackets: audio?.packetsReceived ?? 0,
      audioCodec: audio && codecOf(audio),
      availableBps: pair?.availableOutgoingBitrate ?? 0,
      sent: of("outbound-rtp", "video").map((report) => ({
        rid: report.rid,
        codec: codecOf(report),
        widthPx: report.frameWidth,
        frames: report.framesEncoded,
        targetBps: report.targetBitrate,
        limitedBy: report.qualityLimitationReason,
      })),
    }
  }

  const SDP = "application/sdp"
  const FRAGMENT = "application/trickle-ice-sdpfrag"
  return { publish, play, playWithoutOffer, offerToReceive, restartIce, trickle, listen, stats }
})()
