import { findAttributes, type SdpAttribute } from "./description.ts"

/**
 * The MediaStreams that a section's track belongs to, RFC 8830, also in the older form on `a=ssrc` lines; empty where
 * it names none. `-` says that there is no stream.
 */
export function streamIds(section: readonly SdpAttribute[]): string[] {
  const msids = findAttributes(section, "msid")
  for (const value of findAttributes(section, "ssrc")) {
    const [, attribute = "", ...rest] = value.split(/[ :]/)
    if (attribute === "msid") msids.push(rest.join(" "))
  }
  const ids = msids.map((msid) => msid.trim().split(/ +/, 1)[0] ?? "").filter((id) => id !== "" && id !== "-")
  return [...new Set(ids)]
}

/**
 * True where all tracks can be of one MediaStream, RFC 9725 section 4.4.2. Tracks that name none belong to any: many
 * clients leave the attribute out.
 */
export function shareOneStream(tracks: readonly (readonly string[])[]): boolean {
  const [first, ...others] = tracks.filter((ids) => ids.length > 0)
  return first === undefined || first.some((id) => others.every((ids) => ids.includes(id)))
}
