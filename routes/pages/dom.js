/** Finds an element of the page that must be there. */
export function $(selector) {
  const element = document.querySelector(selector)
  if (element === null) throw new Error(`the page has no ${selector}`)
  return element
}

/** Makes an element with attributes and children; text is always text, never markup. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, "")
    else if (value !== false && value !== undefined) element.setAttribute(name, value)
  }
  element.append(...children)
  return element
}

/** The `app/stream` of a page address such as `/watch/live/cam1`. */
export function streamOfPage() {
  const [, , app = "live", stream = "stream"] = location.pathname.split("/")
  return { name: `${safeDecode(app)}/${safeDecode(stream)}`, path: `${app}/${stream}` }
}

/** The key in a page address such as `/watch/live/cam1?token=KEY`; undefined where there is none. */
export function tokenOfPage() {
  return new URLSearchParams(location.search).get("token") || undefined
}

/** Copies text; where the browser allows that only over HTTPS, through a hidden field. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const field = el("textarea", { class: "visually-hidden", readonly: true })
    field.value = text
    document.body.append(field)
    field.select()
    document.execCommand("copy")
    field.remove()
  }
}

/** Turns every `data-copy="#id"` button into one that copies that element's text or value. */
export function wireCopyButtons() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const label = button.textContent
    button.addEventListener("click", async () => {
      const source = $(button.dataset.copy)
      await copyText(source.value ?? source.textContent)
      button.textContent = "Copied"
      button.classList.add("is-done")
      setTimeout(() => {
        button.textContent = label
        button.classList.remove("is-done")
      }, 1_600)
    })
  }
}

/** `3:07` or `1:02:45`. */
export function formatDuration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const parts = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60]
  if (parts[0] === 0) parts.shift()
  return parts.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, "0"))).join(":")
}

/** `2.4 Mbit/s`, `96 kbit/s`. */
export function formatBitrate(bps) {
  if (!Number.isFinite(bps)) return "–"
  return bps >= 1_000_000 ? `${(bps / 1_000_000).toFixed(1)} Mbit/s` : `${Math.round(bps / 1_000)} kbit/s`
}

/** Fills a definition list with rows of a label and a value, changing only what changed. */
export function renderRows(list, rows) {
  while (list.children.length > rows.length * 2) list.lastChild.remove()
  rows.forEach(([label, value], i) => {
    if (list.children.length < (i + 1) * 2) list.append(el("dt"), el("dd"))
    for (const [offset, text] of [label, value].entries()) {
      const cell = list.children[i * 2 + offset]
      if (cell.textContent !== text) cell.textContent = text
    }
  })
}

function safeDecode(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
