import { HEADER_EXTENSION_URIS, type HeaderExtensionIds, type HeaderExtensionName } from "../media/header-extension.ts"
import { DIRECTIONS, type Direction, reverseDirection } from "./codec.ts"
import { findAttributes, parseDecimal, type SdpAttribute } from "./description.ts"

/** A header extension that we know, as a section offers it (RFC 8285 section 5). */
export interface OfferedExtension {
  readonly name: HeaderExtensionName
  /** 1 to 14, the ids of the one-byte form. */
  readonly id: number
  /** As the peer sees it; `sendrecv` where it says none. */
  readonly direction: Direction
}

/**
 * Collects the extensions of a section and of the session; others, those with ids for the two-byte form alone, and
 * those whose id another has are left out.
 */
export function offeredExtensions(
  section: readonly SdpAttribute[],
  session: readonly SdpAttribute[],
): OfferedExtension[] {
  const extensions: OfferedExtension[] = []
  for (const value of [...findAttributes(section, "extmap"), ...findAttributes(session, "extmap")]) {
    const [idAndDirection = "", uri = ""] = value.trim().split(/ +/)
    const [idText, directionText = "sendrecv"] = idAndDirection.split("/")
    const id = parseDecimal(idText, MAX_ONE_BYTE_ID)
    const name = NAMES.get(uri)
    const direction = DIRECTIONS.find((known) => known === directionText)
    if (!id || name === undefined || direction === undefined) continue
    if (!extensions.some((known) => known.id === id || known.name === name)) extensions.push({ name, id, direction })
  }
  return extensions
}

/** The extensions of those names that the peer sends (or receives), in the order of its offer. */
export function selectExtensions(
  offered: readonly OfferedExtension[],
  names: readonly HeaderExtensionName[],
  peer: "sends" | "receives",
): OfferedExtension[] {
  const opposite = peer === "sends" ? "recvonly" : "sendonly"
  return offered.filter(
    ({ name, direction }) => names.includes(name) && direction !== opposite && direction !== "inactive",
  )
}

/** The ids by short name. */
export function extensionIds(extensions: readonly OfferedExtension[]): HeaderExtensionIds {
  return Object.fromEntries(extensions.map(({ name, id }) => [name, id]))
}

/** The line that answers an offered extension under the same id. */
export function extensionLine({ name, id, direction }: OfferedExtension): string {
  const suffix = direction === "sendrecv" ? "" : `/${reverseDirection(direction)}`
  return `a=extmap:${id}${suffix} ${HEADER_EXTENSION_URIS[name]}`
}

const NAMES: ReadonlyMap<string, HeaderExtensionName> = new Map(
  Object.entries(HEADER_EXTENSION_URIS).map(([name, uri]) => [uri, name as HeaderExtensionName]),
)
/** 15 is reserved in the one-byte form, RFC 8285 section 4.2. */
const MAX_ONE_BYTE_ID = 14
