import { malformed } from "./malformed.ts"
import type { MiniDirection, MiniMedia, MiniSession } from "./session.ts"

/** SDP text as Tencent's parser sees it. */
export interface ReferenceSdp {
  readonly sessionId: string
  readonly addressFamily: 4 | 6
  /** In the byte order of their mids, which is that of packets. */
  readonly sections: readonly ReferenceSection[]
}

/** One media section; absent attributes are undefined, and those of the session do not count. */
export interface ReferenceSection {
  readonly kind: MiniMedia["kind"]
  readonly protocol: string
  mid: string | undefined
  direction: MiniDirection | undefined
  role: MiniSession["role"] | undefined
  ufrag: string | undefined
  pwd: string | undefined
  /** `<hash> <fingerprint>`. */
  key: string | undefined
  readonly candidates: { readonly transport: string; readonly address: string; readonly port: number }[]
  /** By payload type. */
  readonly codecs: Map<
    number,
    { name: string; clock: string; channels: number; feedback: Set<string>; fmtp: Map<string, string> }
  >
  /** By id. */
  readonly extensions: Map<number, string>
  /** In the order in which they appear. */
  readonly ssrcs: Set<number>
  readonly groups: { readonly semantics: string; readonly ssrc: number; readonly partner: number }[]
}

/** Parses text by the rules of SPEC section 13.1. Throws `minisdp.packet` for what Tencent's parser rejects. */
export function parseReferenceSdp(text: string, generation: "base" | "ext"): ReferenceSdp {
  if (text.length > MAX_TEXT_CHARS) throw malformed(`SDP text has at most ${MAX_TEXT_CHARS} characters`)
  let origin = { sessionId: "", family: "IP4" }
  const sections: ReferenceSection[] = []
  for (const line of text.split(/[\r\n]+/)) {
    if (line === "") continue
    if (!/^[abceikmoprstuvz]/.test(line)) throw malformed("a line has a type that SDP does not know")
    const value = line.slice(2)
    const section = sections.at(-1)
    if (line.startsWith("o=")) origin = parseOrigin(value)
    else if (line.startsWith("c=")) checkConnection(value, section === undefined ? origin.family : undefined)
    else if (line.startsWith("m=")) sections.push(parseMediaLine(value))
    else if (line.startsWith("a=") && section !== undefined) parseAttribute(section, value, generation)
  }
  nameSections(sections)
  sections.sort((a, b) => ((a.mid as string) < (b.mid as string) ? -1 : 1))
  return { sessionId: origin.sessionId, addressFamily: origin.family === "IP6" ? 6 : 4, sections }
}

function parseOrigin(value: string): { sessionId: string; family: string } {
  const tokens = words(value)
  const [, sessionId = "", , , family = ""] = tokens
  if (tokens.length !== 6 || !FAMILIES.includes(family)) throw malformed("the o= line has another form")
  return { sessionId, family }
}

function checkConnection(value: string, expected: string | undefined): void {
  const family = words(value)[1] ?? ""
  if (!FAMILIES.includes(family) || (expected !== undefined && family !== expected)) {
    throw malformed("the c= line has another family")
  }
}

function parseMediaLine(value: string): ReferenceSection {
  const [type = "", , protocol = "", ...formats] = words(value)
  const kind = KINDS[type]
  if (kind === undefined || formats.length === 0) throw malformed("an m= line has another form")
  return {
    kind,
    protocol,
    mid: undefined,
    direction: undefined,
    role: undefined,
    ufrag: undefined,
    pwd: undefined,
    key: undefined,
    candidates: [],
    codecs: new Map(),
    extensions: new Map(),
    ssrcs: new Set(),
    groups: [],
  }
}

function parseAttribute(section: ReferenceSection, line: string, generation: "base" | "ext"): void {
  const colon = line.indexOf(":")
  const name = colon < 0 ? line : line.slice(0, colon)
  const value = colon < 0 ? "" : line.slice(colon + 1)
  const direction = DIRECTIONS[name]
  if (name in DIRECTIONS) section.direction = direction
  else ATTRIBUTES[name]?.(section, value, generation)
}

const ATTRIBUTES: Readonly<
  Record<string, (section: ReferenceSection, value: string, generation: "base" | "ext") => void>
> = {
  mid: (section, value) => {
    section.mid = value
  },
  "ice-ufrag": (section, value) => {
    section.ufrag = value
  },
  "ice-pwd": (section, value) => {
    section.pwd = value
  },
  fingerprint: (section, value) => {
    section.key = value
  },
  setup: (section, value) => {
    if (value !== "actpass" && value !== "active" && value !== "passive") throw malformed("setup has another value")
    section.role = value
  },
  msid: (_section, value) => {
    tokens("msid", value, 2)
  },
  candidate: (section, value) => {
    const [, , transport = "", , address = "", port] = tokens("candidate", value, 6)
    section.candidates.push({ transport, address, port: Number.parseInt(port ?? "", 10) & 0xffff })
  },
  extmap: ({ extensions }, value) => {
    const [id = "", uri = ""] = exactlyTwo("extmap", value)
    const key = Number.parseInt(id, 10) & 255
    if (!extensions.has(key)) extensions.set(key, uri)
  },
  rtpmap: ({ codecs }, value) => {
    const [pt, encoding = ""] = exactlyTwo("rtpmap", value)
    const [codec = "", clock = "", channels = "0"] = encoding.split("/")
    const key = payloadTypeOf(pt)
    if (codecs.has(key)) return
    codecs.set(key, {
      name: codec,
      clock,
      channels: Number.parseInt(channels, 10) || 0,
      feedback: new Set(),
      fmtp: new Map(),
    })
  },
  "rtcp-fb": ({ codecs }, value, generation) => {
    const space = value.indexOf(" ")
    const pt = value.slice(0, space)
    if (pt === "*" && generation === "ext") return
    codecOf(codecs, pt).feedback.add(value.slice(space + 1))
  },
  fmtp: ({ codecs }, value) => {
    const [pt, parameters = ""] = exactlyTwo("fmtp", value)
    const { fmtp } = codecOf(codecs, pt)
    for (const parameter of parameters.split(";")) {
      const [key = "", ...rest] = parameter.split("=")
      if (key !== "" && !fmtp.has(key)) fmtp.set(key, rest.join("="))
    }
  },
  ssrc: ({ ssrcs }, value) => {
    ssrcs.add(ssrcOf(tokens("ssrc", value, 2)[0]))
  },
  "ssrc-group": ({ ssrcs, groups }, value, generation) => {
    if (generation === "base") return
    const [semantics = "", ...members] = tokens("ssrc-group", value, 3)
    const [ssrc = 0, partner = 0] = members.map(ssrcOf)
    for (const member of members) ssrcs.add(ssrcOf(member))
    groups.push({ semantics, ssrc, partner })
  },
}

/** A section without a mid gets the next number that is free, and so does one whose mid is taken. */
function nameSections(sections: readonly ReferenceSection[]): void {
  const taken = new Set<string>()
  let counter = 0
  for (const section of sections) {
    let mid = section.mid
    while (mid === undefined || taken.has(mid)) mid = String(counter++)
    taken.add(mid)
    section.mid = mid
  }
}

function codecOf(codecs: ReferenceSection["codecs"], pt: string | undefined) {
  const codec = codecs.get(payloadTypeOf(pt))
  if (codec === undefined) throw malformed("a payload type is used before its rtpmap")
  return codec
}

function payloadTypeOf(text: string | undefined): number {
  const value = Number.parseInt(text ?? "", 10)
  if (Number.isNaN(value)) throw malformed("a payload type is not a number")
  return value & 0xff
}

function ssrcOf(text: string | undefined): number {
  return Number.parseInt(text ?? "", 10) >>> 0
}

function exactlyTwo(name: string, value: string): string[] {
  const list = tokens(name, value, 2)
  if (list.length > 2) throw malformed(`${name} has more than two words`)
  return list
}

function tokens(name: string, value: string, least: number): string[] {
  const list = words(value)
  if (list.length < least) throw malformed(`${name} has fewer than ${least} words`)
  return list
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "")
}

const MAX_TEXT_CHARS = 65_536
const FAMILIES = ["IP4", "IP6"]
const KINDS: Readonly<Record<string, MiniMedia["kind"]>> = { audio: "audio", video: "video", application: "data" }
/** `inactive` counts as nothing said. */
const DIRECTIONS: Readonly<Record<string, MiniDirection | undefined>> = {
  sendonly: "sendonly",
  recvonly: "recvonly",
  sendrecv: "sendrecv",
  inactive: undefined,
}
