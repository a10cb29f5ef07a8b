/** One media section of an SDP as its lines say. */
export interface SdpSection {
  readonly kind: string
  readonly port: number
  readonly payloadTypes: readonly string[]
  /** Attributes without `a=`. */
  readonly attributes: readonly string[]
}

/** An SDP as far as the checks look at it; it is not checked beyond its shape. */
export interface SdpText {
  readonly text: string
  readonly attributes: readonly string[]
  readonly sections: readonly SdpSection[]
}

/** Cuts an SDP into its sections. */
export function readSdp(text: string): SdpText {
  const [session = "", ...media] = text.replace(/\r\n/g, "\n").split(/\n(?=m=)/)
  const sections = media.map((part): SdpSection => {
    const [, kind = "", port = "0", formats = ""] = /^m=(\S+) (\d+)\S* \S+ ?(.*)/.exec(part) ?? []
    return { kind, port: Number(port), payloadTypes: formats.trim().split(/ +/), attributes: attributesOf(part) }
  })
  return { text, attributes: attributesOf(session), sections }
}

/** The value of the first attribute of that name, empty for one without a value, undefined where there is none. */
export function attributeValue(attributes: readonly string[], name: string): string | undefined {
  return attributeValues(attributes, name)[0]
}

/** The values of all attributes of that name. */
export function attributeValues(attributes: readonly string[], name: string): string[] {
  return attributes
    .filter((attribute) => attribute === name || attribute.startsWith(`${name}:`))
    .map((attribute) => attribute.slice(name.length + 1).trim())
}

/** The first value of an attribute anywhere, sections first: transport attributes may stand at either level. */
export function findValue({ attributes, sections }: SdpText, name: string): string | undefined {
  return attributeValue([...sections.flatMap((section) => section.attributes), ...attributes], name)
}

/** Direction of a section, which that of the session stands in for; `sendrecv` where nobody says. */
export function directionOf(section: SdpSection, { attributes }: SdpText): string {
  const isDirection = (attribute: string) => /^(sendrecv|sendonly|recvonly|inactive)$/.test(attribute)
  return section.attributes.find(isDirection) ?? attributes.find(isDirection) ?? "sendrecv"
}

/** Sections that were not rejected: port 0 means so, but with bundle-only. */
export function acceptedSections({ sections }: SdpText): SdpSection[] {
  return sections.filter(
    ({ port, attributes }) => port !== 0 || attributeValue(attributes, "bundle-only") !== undefined,
  )
}

function attributesOf(part: string): string[] {
  return part
    .split("\n")
    .filter((line) => line.startsWith("a="))
    .map((line) => line.slice(2).trimEnd())
}
