import fc from "fast-check"
import type { MiniSdpPacket } from "../../src/minisdp/packet.ts"
import type { MiniCandidate, MiniCodec, MiniMedia, MiniSession } from "../../src/minisdp/session.ts"
import { CLOCK_RATES_HZ, CODEC_NAMES, EXTENSION_URIS } from "../../src/minisdp/tables.ts"

const ssrc = fc.nat(0xffff_ffff)
const text = (maxLength: number) => fc.string({ unit: "grapheme", maxLength }).filter((each) => !/\p{Cc}/u.test(each))
const base64 = fc.base64String({ maxLength: 40 })

const aac = fc.record({
  object: fc.nat(255),
  config: fc.stringMatching(/^[\da-f]{0,20}$/),
  hasPs: fc.boolean(),
  hasSbr: fc.boolean(),
  isStereo: fc.boolean(),
  hasConfigInBand: fc.boolean(),
})

const codec = fc.record({
  payloadType: fc.nat(127),
  name: fc.constantFrom(...CODEC_NAMES),
  clockRateHz: fc.constantFrom(...CLOCK_RATES_HZ),
  channels: fc.nat(3),
  feedback: fc.record({ nack: fc.boolean(), transportCc: fc.boolean(), googRemb: fc.boolean(), rrtr: fc.boolean() }),
  hasBFrames: fc.boolean(),
  aac,
  apt: fc.nat(127),
})

const extension = fc.record({ id: fc.nat(255), uri: fc.constantFrom(...EXTENSION_URIS) })

const video = {
  parameterSets: fc.tuple(
    fc.record({ codec: fc.constant("H264" as const), sps: base64, pps: base64 }),
    fc.record({ codec: fc.constant("H265" as const), sps: base64, pps: base64, vps: base64 }),
  ),
  picture: fc.option(fc.record({ width: ssrc, height: ssrc }), { nil: undefined }),
}

function section(kind: MiniMedia["kind"], hasAacConfig: boolean): fc.Arbitrary<MiniMedia> {
  return fc
    .record({
      ssrc,
      secondSsrc: ssrc,
      rtxSsrc: ssrc,
      codecs: fc.uniqueArray(codec, { selector: ({ payloadType }) => payloadType, maxLength: 12 }),
      extensions: fc.uniqueArray(extension, { selector: ({ id }) => id, maxLength: 8 }),
      ...video,
    })
    .map((media): MiniMedia => {
      const codecs = media.codecs
        .sort((a, b) => a.payloadType - b.payloadType)
        .map((each) => fitting(each, hasAacConfig))
      const isVideo = kind === "video"
      return {
        ...media,
        kind,
        codecs,
        rtxSsrc: media.rtxSsrc,
        extensions: media.extensions.sort((a, b) => a.id - b.id),
        parameterSets: isVideo ? media.parameterSets : [],
        picture: isVideo ? media.picture : undefined,
      }
    })
}

/** Leaves to a codec what its name and the session allow. */
function fitting(
  codec: Omit<MiniCodec, "aac" | "apt"> & { aac: MiniCodec["aac"]; apt: number },
  hasAac: boolean,
): MiniCodec {
  const isAac = codec.name === "MP4A-LATM" || codec.name === "MP4A-ADTS"
  return { ...codec, aac: isAac && hasAac ? codec.aac : undefined, apt: codec.name === "rtx" ? codec.apt : undefined }
}

const candidates = (family: 4 | 6) =>
  fc.uniqueArray(
    fc.record({
      transport: fc.constantFrom("udp" as const, "tcp" as const),
      address: fc.constantFrom(...(family === 4 ? ["192.0.2.1", "198.51.100.7"] : ["2001:db8::1", "fe80::2:0:0:3"])),
      port: fc.integer({ min: 1, max: 65_535 }),
    }),
    { selector: ({ transport, address, port }) => `${transport} ${address} ${port}`, maxLength: 12 },
  )

const session: fc.Arbitrary<MiniSession> = fc
  .record({ family: fc.constantFrom(4 as const, 6 as const), hasAacConfig: fc.boolean() })
  .chain(({ family, hasAacConfig }) => {
    const kinds = fc.shuffledSubarray(["audio", "video", "data"] as const)
    const media = kinds.chain((list) => fc.tuple(...list.map((kind) => section(kind, hasAacConfig))))
    return fc.record({
      direction: fc.constantFrom("sendonly" as const, "recvonly" as const, "sendrecv" as const),
      role: fc.constantFrom("actpass" as const, "active" as const, "passive" as const),
      isEncrypted: fc.boolean(),
      ufrag: text(8),
      pwd: text(30),
      fingerprint: fc.option(fc.record({ algorithm: fc.stringMatching(/^[a-z\d-]{0,8}$/), value: text(100) }), {
        nil: undefined,
      }),
      addressFamily: fc.constant(family),
      candidates: candidates(family).map(inPacketOrder),
      media: media.map(withoutLostRtx),
      hasNamedMids: fc.boolean(),
      hasAacConfig: fc.constant(hasAacConfig),
      isSequenceAligned: fc.boolean(),
    })
  })

/** Sources of retransmission travel only where some section has an rtx codec that says what it repeats. */
function withoutLostRtx(media: MiniMedia[]): MiniMedia[] {
  const hasRtx = media.some(({ codecs }) => codecs.some(({ apt }) => apt !== undefined))
  return hasRtx ? media : media.map((each) => ({ ...each, rtxSsrc: 0 }))
}

/** Header and footer first, then TCP, then the rest of UDP, by address and by the bytes of the port swapped. */
function inPacketOrder(list: MiniCandidate[]): MiniCandidate[] {
  const swapped = ({ port }: MiniCandidate) => ((port & 255) << 8) | (port >> 8)
  const first = list.find(({ transport }) => transport === "udp")
  const leading = list.filter((c) => c.transport === "udp" && c.address === first?.address).slice(0, 5)
  const rest = list
    .filter((each) => !leading.includes(each))
    .sort(
      (a, b) =>
        a.transport.localeCompare(b.transport) ||
        (a.address < b.address ? -1 : a.address > b.address ? 1 : swapped(a) - swapped(b)),
    )
  return [...leading, ...rest]
}

/** A packet of v0-ext such as decoding gives, of any content; it may be too long to encode. */
export const anyPacket: fc.Arbitrary<MiniSdpPacket> = fc.record({
  generation: fc.constant("ext" as const),
  type: fc.constantFrom("offer" as const, "answer" as const),
  status: fc.nat(0xffff),
  seq: fc.nat(0xffff),
  immSend: fc.boolean(),
  streamUrl: text(80),
  svrsig: text(20),
  push: fc.option(fc.boolean(), { nil: undefined }),
  session,
  extras: fc.record({
    networks: fc.nat(255),
    agentId: fc.integer({ min: 1, max: 0xffff }), // a footer of zeros is that of v0-base
    hasChecksum: fc.constant(false),
    client: fc.option(fc.record({ type: fc.stringMatching(/^[a-z]{0,8}$/), version: ssrc }), { nil: undefined }),
  }),
})
