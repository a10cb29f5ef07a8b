import { $, el, formatDuration, wireCopyButtons } from "./dom.js"
import { sleep } from "./player/sleep.js"

const list = $("#streams")
const cards = new Map()
let rtmpPort = 1935

/** One card per stream, kept from reading to reading so that focus and hover stay where they are. */
function showStreams(streams) {
  const names = new Set(streams.map((stream) => stream.name))
  for (const [name, card] of cards) {
    if (names.has(name)) continue
    card.item.remove()
    cards.delete(name)
  }
  for (const stream of streams) {
    const card = cards.get(stream.name) ?? addCard(stream.name)
    card.describe(stream)
  }
  $("#empty").hidden = streams.length > 0
  const viewers = streams.reduce((sum, stream) => sum + stream.viewers, 0)
  setText($("#summary"), `${count(streams.length, "stream")}, ${count(viewers, "viewer")}`)
}

function addCard(name) {
  const path = name.split("/").map(encodeURIComponent).join("/")
  const facts = el("span", { class: "stream-facts" })
  const since = el("span", { class: "stream-since" })
  const viewers = el("span", { class: "stream-viewers" })
  const cover = el("span", { class: "cover", "aria-hidden": "true" })
  cover.style.setProperty("--hue", String(hueOf(name)))
  const item = el(
    "li",
    {},
    el(
      "a",
      { class: "stream", href: `/watch/${path}` },
      cover,
      el("span", { class: "stream-top" }, el("span", { class: "badge" }, "Live"), viewers),
      el("strong", { class: "stream-name" }, name),
      facts,
      since,
    ),
  )
  list.append(item)
  const card = {
    item,
    describe(stream) {
      setText(facts, describeTracks(stream))
      setText(viewers, count(stream.viewers, "viewer"))
      setText(since, `for ${formatDuration(Date.now() - Date.parse(stream.since))}`)
    },
  }
  cards.set(name, card)
  return card
}

function describeTracks({ publisher, tracks }) {
  const video = tracks.find((track) => track.kind === "video")
  const audio = tracks.find((track) => track.kind === "audio")
  const parts = [publisher.protocol.toUpperCase()]
  if (video?.widthPx) parts.push(`${video.widthPx}×${video.heightPx}`)
  for (const track of [video, audio]) if (track !== undefined) parts.push(CODEC_NAMES[track.codec] ?? track.codec)
  return parts.join(" · ")
}

const CODEC_NAMES = {
  h264: "H.264",
  h265: "HEVC",
  av1: "AV1",
  vp9: "VP9",
  vp8: "VP8",
  aac: "AAC",
  opus: "Opus",
}

/** A colour of its own for every name, the same on every visit. */
function hueOf(name) {
  let hash = 0
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) % 360
  return hash
}

function count(number, noun) {
  return `${number === 0 ? "no" : number} ${noun}${number === 1 ? "" : "s"}`
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

function showAddresses() {
  const name = $("#name").value.trim()
  const isValid = NAME.test(name)
  $("#name-error").hidden = isValid
  if (!isValid) return
  const slash = name.indexOf("/")
  const host = location.hostname
  const rtmp = `rtmp://${host}${rtmpPort === 1935 ? "" : `:${rtmpPort}`}/${name.slice(0, slash)}`
  setText($("#whip-url"), `${location.origin}/whip/${name}`)
  setText($("#rtmp-url"), rtmp)
  setText($("#rtmp-key"), name.slice(slash + 1))
  setText(
    $("#ffmpeg"),
    `ffmpeg -re -i input.mp4 -c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60 -c:a aac -f flv ${rtmp}/${name.slice(slash + 1)}`,
  )
  setText($("#watch-link"), `${location.origin}/watch/${name}`)
  $("#watch-link").href = `/watch/${name}`
  setText($("#flv-url"), `${location.origin}/flv/${name}.flv`)
  $("#publish-link").href = `/publish/${name}`
}

const NAME = /^[\w-][\w.-]{0,63}\/[\w-][\w.-]{0,63}$/

async function refreshForever() {
  for (;;) {
    try {
      const response = await fetch("/api/v1/streams")
      if (!response.ok) throw new Error(`status ${response.status}`)
      showStreams((await response.json()).streams)
      document.body.classList.remove("is-offline")
    } catch {
      document.body.classList.add("is-offline")
      setText($("#summary"), "the gateway does not answer")
    }
    await sleep(document.hidden ? 10_000 : 2_000)
  }
}

async function showInfo() {
  try {
    const info = await (await fetch("/api/v1/info")).json()
    rtmpPort = info.rtmpPort
    setText($("#version"), `Whipstitch ${info.version}`)
  } catch {
    // The list says that the gateway does not answer.
  }
  showAddresses()
}

$("#name").addEventListener("input", showAddresses)
wireCopyButtons()
showAddresses()
void showInfo()
void refreshForever()
