import { findAttribute, findAttributes, type SdpAttribute } from "./description.ts"

/** An encoding that a publisher declares with `a=rid`, RFC 8851. */
export interface OfferedLayer {
  readonly rid: string
  /** What follows the direction in its line, such as `pt=96;max-width=1280`; empty for most. */
  readonly restrictions: string
}

/**
 * The simulcast streams that a section sends, RFC 8853 section 5.1, in the order of its `a=simulcast` line; each is a
 * list of alternatives, best first. Paused ones (`~`) are among them: they may be sent later. Ids without `a=rid` line
 * are left out, as the RFC demands.
 */
export function offeredLayers(section: readonly SdpAttribute[]): OfferedLayer[][] {
  const declared = new Map<string, OfferedLayer>()
  for (const value of findAttributes(section, "rid")) {
    const [rid = "", direction, restrictions = ""] = value.trim().split(/ +/)
    if (direction === "send" && RID.test(rid) && !declared.has(rid)) declared.set(rid, { rid, restrictions })
  }
  const words = (findAttribute(section, "simulcast") ?? "").trim().split(/ +/)
  const sent = words[words.indexOf("send") + 1]
  if (!words.includes("send") || sent === undefined) return []
  return sent
    .split(";")
    .map((stream) => stream.split(",").flatMap((id) => declared.get(id.replace(/^~/, "")) ?? []))
    .filter((alternatives) => alternatives.length > 0)
}

/** Takes the first alternative of each stream that may use the payload type; not the same id twice, and not more than we carry. */
export function chooseLayers(streams: readonly (readonly OfferedLayer[])[], payloadType: number): OfferedLayer[] {
  const chosen = new Set<OfferedLayer>()
  for (const alternatives of streams) {
    const layer = alternatives.find((candidate) => !chosen.has(candidate) && mayUse(candidate, payloadType))
    if (layer !== undefined) chosen.add(layer)
  }
  return [...chosen].slice(0, MAX_LAYERS)
}

/** The lines that accept layers, RFC 8853 section 5.3.2; paused ones are asked for like the others. */
export function layerLines(layers: readonly OfferedLayer[]): string[] {
  if (layers.length === 0) return []
  return [
    ...layers.map(({ rid, restrictions }) => `a=rid:${rid} recv${restrictions === "" ? "" : ` ${restrictions}`}`),
    `a=simulcast:recv ${layers.map(({ rid }) => rid).join(";")}`,
  ]
}

function mayUse({ restrictions }: OfferedLayer, payloadType: number): boolean {
  const formats = restrictions.split(";").find((restriction) => restriction.startsWith("pt="))
  return formats === undefined || formats.slice("pt=".length).split(",").includes(String(payloadType))
}

/** RFC 8851 section 10; no longer than a one-byte header extension. */
const RID = /^[A-Za-z0-9_-]{1,16}$/
const MAX_LAYERS = 4
