import { capture, captureProblem, listDevices, QUALITIES } from "./capture.js"
import { $, el, formatBitrate, formatDuration, renderRows, streamOfPage, tokenOfPage, wireCopyButtons } from "./dom.js"
import { Publisher } from "./publisher.js"

const { name, path } = streamOfPage()
const stage = $("#stage")
const preview = $("#preview")
const form = $("#panel")
const go = $("#go")

let stream = null
let publisher = null
let liveSince = 0

/** For tests and for the curious: the connection, the state, and a reading of the statistics. */
window.whipstitch = {
  get pc() {
    return publisher?.pc ?? null
  },
  get state() {
    return publisher?.state ?? (stream === null ? "idle" : "preview")
  },
  stats: async () => publisher?.stats(),
}

document.title = `Publish ${name} · Whipstitch`
$("#title").textContent = name
$("#share").textContent = `${location.origin}/watch/${path}`
$("#share").href = `/watch/${path}`
for (const [value, { label }] of Object.entries(QUALITIES)) {
  $("#quality").append(el("option", { value, selected: value === "medium" }, label))
}
$("#token").value = tokenOfPage() ?? sessionStorage.getItem(`token ${name}`) ?? ""
wireCopyButtons()

const problem = captureProblem()
if (problem !== undefined) {
  showNotice("The camera is out of reach here", problem)
  $("#choices").hidden = true
  for (const control of form.querySelectorAll("input, select")) control.disabled = true
} else if (navigator.mediaDevices.getDisplayMedia === undefined) {
  for (const control of document.querySelectorAll('[value="screen"], [data-source="screen"]')) control.disabled = true
}

async function openPreview() {
  showError("")
  const before = stream
  try {
    const options = chosenOptions()
    // Some cameras serve one user at a time: the old one is released first.
    if (publisher === null) stopTracks(before)
    const captured = await capture(options)
    if (publisher !== null) {
      for (const track of captured.getTracks()) await publisher.replaceTrack(track)
      stopTracks(before)
    }
    stream = captured
    const [picture] = stream.getVideoTracks()
    // The browser has its own button to end screen sharing.
    picture?.addEventListener("ended", () => stream === captured && closePreview())
    preview.srcObject = stream
    stage.classList.toggle("is-mirrored", options.source === "camera")
    await showDevices()
  } catch (error) {
    showError(error.message)
    if (publisher === null) stream = null
  }
  update()
}

function closePreview() {
  publisher?.stop()
  stopTracks(stream)
  stream = null
  preview.srcObject = null
  update()
}

function stopTracks(media) {
  for (const track of media?.getTracks() ?? []) track.stop()
}

function chosenOptions() {
  return {
    source: form.elements.source.value,
    cameraId: $("#camera").value,
    microphoneId: $("#microphone").value,
    quality: $("#quality").value,
    hasVoiceCleanup: $("#voice").checked,
  }
}

async function showDevices() {
  const { cameras, microphones } = await listDevices()
  const inUse = (kind) =>
    stream
      ?.getTracks()
      .find((track) => track.kind === kind)
      ?.getSettings().deviceId
  fill($("#camera"), cameras, [], inUse("video"))
  fill(
    $("#microphone"),
    microphones,
    [["none", "No sound"]],
    $("#microphone").value === "none" ? "none" : inUse("audio"),
  )
}

function fill(select, devices, extra, selected) {
  const known = devices.map(({ deviceId, label }, i) => [deviceId, label || `Device ${i + 1}`])
  if (known.length === 0) known.push(["", "Default"])
  select.replaceChildren(...[...known, ...extra].map(([value, label]) => el("option", { value }, label)))
  if ([...select.options].some((option) => option.value === selected)) select.value = selected
}

async function goLive() {
  showError("")
  const token = $("#token").value.trim()
  sessionStorage.setItem(`token ${name}`, token)
  publisher = new Publisher({ endpoint: `/whip/${path}`, onState: onPublisherState })
  liveSince = 0
  update()
  const { maxBitrateBps } = QUALITIES[$("#quality").value]
  await publisher.run(stream, { token, maxBitrateBps, isSimulcast: $("#simulcast").checked })
}

function onPublisherState({ state, detail }) {
  if (state === "live" && liveSince === 0) liveSince = Date.now()
  if (state === "reconnecting") showError(detail)
  if (state === "live") showError("")
  if (state === "stopped") {
    publisher = null
    showError(detail)
  }
  update()
}

function update() {
  const state = window.whipstitch.state
  stage.dataset.state = state
  const isOn = publisher !== null
  $("#badge").textContent = LABELS[state] ?? state
  $("#timer").hidden = state !== "live"
  for (const id of ["#sources", "#token", "#quality", "#simulcast"]) $(id).disabled = isOn || problem !== undefined
  go.disabled = stream === null && !isOn
  go.textContent = isOn ? "Stop" : "Go live"
  go.classList.toggle("danger", isOn)
  $("#camera-field").hidden = form.elements.source.value === "screen"
  $("#stats").hidden = !isOn
  if (state === "idle" && problem === undefined) showNotice("What shall be seen?", "Nothing is sent until you go live.")
}

const LABELS = { idle: "Off", preview: "Preview", connecting: "Connecting", live: "Live", reconnecting: "Reconnecting" }

function showNotice(title, text) {
  $("#notice-title").textContent = title
  $("#notice-text").textContent = text
}

function showError(text) {
  $("#error").hidden = text === ""
  $("#error").textContent = text
}

async function showStats() {
  if (publisher === null) return
  if (liveSince > 0) $("#timer").textContent = formatDuration(Date.now() - liveSince)
  const reading = await publisher?.stats()
  if (reading === undefined) return
  const { video: v, audio: a } = reading.outbound
  const limit = v?.raw.qualityLimitationReason
  renderRows($("#stats"), [
    ["Picture", v?.widthPx === undefined ? "–" : `${v.widthPx}×${v.heightPx} at ${Math.round(v.fps ?? 0)} fps`],
    ["Video", [formatBitrate(v?.bitrateBps), v?.codec].filter(Boolean).join(" · ")],
    ["Audio", a === undefined ? "none" : formatBitrate(a.bitrateBps)],
    ["Round trip", reading.rttMs === undefined ? "–" : `${reading.rttMs.toFixed(1)} ms`],
    ["Loss", reading.remoteLoss === undefined ? "–" : `${(reading.remoteLoss * 100).toFixed(1)} %`],
    ["Held back by", limit === undefined || limit === "none" ? "nothing" : limit],
    ["Encoder", v?.raw.encoderImplementation ?? v?.codec ?? "–"],
  ])
}

form.addEventListener("submit", (event) => {
  event.preventDefault()
  if (publisher !== null) publisher.stop()
  else if (stream !== null) void goLive()
})
form.addEventListener("change", ({ target }) => {
  if (target.name === "source") {
    update()
    if (stream !== null || target.value === "screen") void openPreview()
  } else if (stream !== null && ["camera", "microphone", "quality", "voice"].includes(target.id)) void openPreview()
})
for (const button of document.querySelectorAll("[data-source]")) {
  button.addEventListener("click", () => {
    form.elements.source.value = button.dataset.source
    void openPreview()
  })
}
navigator.mediaDevices?.addEventListener("devicechange", () => stream !== null && showDevices())
window.addEventListener("pagehide", () => publisher?.stop())
window.addEventListener("beforeunload", (event) => {
  if (publisher !== null) event.preventDefault()
})
setInterval(showStats, 1_000)
update()
