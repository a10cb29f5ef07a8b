import { $, el, formatBitrate, renderRows, streamOfPage, tokenOfPage } from "./dom.js"
import { WhepPlayer } from "./player/whep-player.js"

const { name, path } = streamOfPage()
const stage = $("#stage")
const video = $("#video")
const statsPanel = $("#stats")

document.title = `${name} · Whipstitch`
$("#title").textContent = name

const player = new WhepPlayer(`/whep/${path}`, {
  token: tokenOfPage(),
  video,
  onState: showState,
  onMedia: updateControls,
  onEvent: showEvent,
})
let lastStats

/** For tests and for the curious: the connection, the state, and a reading of the statistics. */
window.whipstitch = {
  get pc() {
    return player.pc
  },
  get state() {
    return player.state
  },
  stats: () => player.stats(),
}

function showState({ state, detail }) {
  if (state === "stopped") return // the page is going away
  stage.dataset.state = state
  const [title, text] = NOTICES[state] ?? ["", ""]
  $("#notice-title").textContent = title
  $("#notice-text").textContent = state === "failed" ? detail : state === "locked" ? lockedText() : text
  $("#key-form").hidden = state !== "locked"
  if (state === "locked") $("#key").focus()
  $("#retry").hidden = state !== "failed"
  $("#badge").textContent = state === "live" ? "Live" : "Off air"
  if (state !== "live") for (const id of ["#facts", "#viewers"]) $(id).textContent = ""
  if (state !== "live" && state !== "away") showLayers([])
  updateControls()
}

const NOTICES = {
  connecting: ["Connecting", ""],
  waiting: ["Not live yet", "The picture appears here by itself as soon as somebody publishes."],
  ended: ["The stream has ended", "Should it come back, it will play on here by itself."],
  away: ["One moment", "The publisher has lost its connection. The picture goes on when it is back."],
  locked: ["This stream needs a key", ""],
  failed: ["No connection", ""],
  live: ["", ""],
}

function lockedText() {
  return player.token ? "This key does not open it." : "Whoever publishes it can give you one."
}

function showEvent({ type, data }) {
  if (type === "viewercount") $("#viewers").textContent = `· ${data.viewercount} watching`
  if (type === "layers") showLayers(Object.values(data)[0] ?? [])
}

/** The sizes that the publisher sends; one alone is nothing to choose from. */
function showLayers(layers) {
  const select = $("#layer")
  const chosen = select.value
  const options = layers.map(({ rid, height, bitrate }) => {
    const label = [height ? `${height}p` : rid, bitrate > 0 && formatBitrate(bitrate)].filter(Boolean).join(", ")
    return el("option", { value: rid, disabled: bitrate === 0 }, label)
  })
  select.replaceChildren(el("option", { value: "" }, "Auto"), ...options)
  select.value = layers.some(({ rid }) => rid === chosen) ? chosen : ""
  $("#layer-field").hidden = layers.length < 2
}

function updateControls() {
  const isSilent = video.muted || video.volume === 0
  setToggle($("#mute"), isSilent, isSilent ? "Sound on" : "Sound off")
  setToggle($("#pause"), player.isPaused, player.isPaused ? "Play" : "Pause")
  // The gateway offers both kinds whatever the stream has; a track without packets is muted.
  const hasAudio = video.srcObject?.getAudioTracks().some((track) => !track.muted) ?? false
  $("#sound-hint").hidden = !(player.state === "live" && hasAudio && video.muted && !hintDone)
  $("#volume").value = video.muted ? 0 : video.volume
}

function setToggle(button, isOn, label) {
  button.classList.toggle("is-on", isOn)
  button.setAttribute("aria-label", label)
}

let hintDone = false

function toggleMute() {
  hintDone = true
  video.muted = !video.muted
  if (!video.muted && video.volume === 0) video.volume = 1
  if (!player.isPaused) video.play().catch(() => {})
}

function togglePause() {
  player.isPaused = !player.isPaused
  // A live picture goes on at the present moment, not where it was left.
  if (player.isPaused) video.pause()
  else video.play().catch(() => {})
  updateControls()
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen()
  else if (stage.requestFullscreen) stage.requestFullscreen().catch(() => {})
  else video.webkitEnterFullscreen?.()
}

function toggleStats() {
  statsPanel.hidden = !statsPanel.hidden
  $("#stats-toggle").setAttribute("aria-pressed", String(!statsPanel.hidden))
  renderStats()
}

function renderStats() {
  const { video: v, audio: a } = lastStats?.inbound ?? {}
  const size = v?.widthPx === undefined ? undefined : `${v.widthPx}×${v.heightPx}`
  if (player.state === "live")
    $("#facts").textContent = [
      size,
      v?.raw.bytesReceived > 0 && codecTitle(v.codec),
      a?.raw.bytesReceived > 0 && "Opus",
    ]
      .filter(Boolean)
      .join(" · ")
  if (statsPanel.hidden) return
  const number = (value, unit, digits = 0) => (value === undefined ? "–" : `${value.toFixed(digits)}${unit}`)
  renderRows(statsPanel, [
    ["Picture", size === undefined ? "–" : `${size} at ${number(v.fps, " fps")}`],
    ["Video", `${formatBitrate(v?.bitrateBps)} · ${v?.codec ?? "–"}`],
    ["Audio", a === undefined ? "none" : `${formatBitrate(a.bitrateBps)} · ${a.codec ?? "–"}`],
    ["Packets lost", `${(v?.packetsLost ?? 0) + (a?.packetsLost ?? 0)}`],
    ["Jitter buffer", `${number(v?.jitterBufferMs, " ms")} video, ${number(a?.jitterBufferMs, " ms")} audio`],
    ["Round trip", number(lastStats?.rttMs, " ms", 1)],
    ["Freezes", `${v?.raw.freezeCount ?? 0} (${number(v?.raw.totalFreezesDuration, " s", 1)})`],
    ["Frames dropped", `${v?.raw.framesDropped ?? 0}`],
    ["First picture", number(lastStats?.firstFrameMs, " ms")],
  ])
}

/** `H264 (42001f)` as people write it. */
function codecTitle(codec = "") {
  const [name] = codec.split(" ")
  return { H264: "H.264", H265: "HEVC" }[name] ?? name
}

$("#mute").addEventListener("click", toggleMute)
$("#sound-hint").addEventListener("click", toggleMute)
$("#pause").addEventListener("click", togglePause)
$("#stats-toggle").addEventListener("click", toggleStats)
$("#fullscreen").addEventListener("click", toggleFullscreen)
$("#retry").addEventListener("click", () => player.play())
$("#layer").addEventListener("change", ({ target }) => player.selectLayer(target.value || undefined))
$("#key-form").addEventListener("submit", (event) => {
  event.preventDefault()
  player.token = $("#key").value.trim()
  player.play()
})
$("#volume").addEventListener("input", ({ target }) => {
  hintDone = true
  video.volume = Number(target.value)
  video.muted = video.volume === 0
})
video.addEventListener("volumechange", updateControls)
video.addEventListener("dblclick", toggleFullscreen)
// Full screen on a phone and the media keys can pause the element without our button.
video.addEventListener("pause", updateControls)

const KEYS = { m: toggleMute, f: toggleFullscreen, s: toggleStats, " ": togglePause }
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return
  if (event.target.matches("select, #key")) return
  if (event.key === " " && event.target.closest("button, a, input, select")) return
  const action = KEYS[event.key.toLowerCase()]
  if (action === undefined) return
  event.preventDefault()
  action()
})

let idleTimer
function showControls() {
  stage.classList.add("is-active")
  clearTimeout(idleTimer)
  idleTimer = setTimeout(() => stage.classList.remove("is-active"), 2_500)
}
for (const type of ["pointermove", "pointerdown", "focusin"]) stage.addEventListener(type, showControls)

setInterval(async () => {
  lastStats = await player.stats()
  renderStats()
}, 1_000)

window.addEventListener("pagehide", () => player.stop())
// The page came back from the browser's memory, where its connection could not live on.
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) location.reload()
})
window.addEventListener("online", () => player.state !== "locked" && player.play())
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && player.state !== "live" && player.state !== "locked") player.play()
})

updateControls()
player.play()
