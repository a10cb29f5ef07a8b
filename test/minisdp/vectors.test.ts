import { describe, expect, test } from "vitest"
import { classifyDatagram } from "../../src/minisdp/datagram.ts"
import { decodeDetect, encodeDetect } from "../../src/minisdp/detect.ts"
import { decodePacket, encodePacket, errorPacket, stopSignature } from "../../src/minisdp/packet.ts"
import { referencePacket } from "../../src/minisdp/reference-packet.ts"
import { referenceText } from "../../src/minisdp/reference-text.ts"
import { decodeStop, encodeStop } from "../../src/minisdp/stop.ts"
import { ownXorKey, unwrapStun, wrapInStun } from "../../src/minisdp/stun.ts"
import { bytesOf, type DecodedVector, hexOf, type Vector, vectors } from "./vectors.ts"

const encoded = [...vectors("v0-base"), ...vectors("v0-ext")]
const named = (list: readonly Vector[]) =>
  list.map((vector) => ({ ...vector, label: `${vector.profile} ${vector.name}` }))

describe("the public vectors", () => {
  test.each(named(encoded))("encodes $label byte for byte", (vector) => {
    expect(hexOf(encodeVector(vector))).toBe(vector.packet_hex)
  })

  test.each(named([...encoded, ...vectors("control").filter(({ options }) => options !== undefined)]))(
    "decodes $label to the reference text",
    (vector) => {
      for (const generation of ["base", "ext"] as const) {
        const expected = vector[`decoded_by_v0-${generation}`]
        if (expected !== undefined) expectDecoded(bytesOf(vector.packet_hex), generation, expected)
      }
    },
  )

  test.each(vectors("cross-decode"))("decodes $name of v0-base as v0-ext", ({ packet_hex, decoded }) => {
    expectDecoded(bytesOf(packet_hex), "ext", decoded as DecodedVector)
  })

  test.each(vectors("cross-decode"))("finds the same session in $name as either generation", ({ packet_hex }) => {
    const bytes = bytesOf(packet_hex)
    expect(decodePacket(bytes, { as: "ext" }).session).toEqual(decodePacket(bytes, { as: "base" }).session)
  })

  // An address that is not of the packet's family stands there as zeros: nothing can be read back from it.
  const UNREADABLE = /^edge_mdns|ipv6|normalised/
  test.each(named(encoded.filter(({ name }) => !UNREADABLE.test(name))))("encodes $label again as it was", (vector) => {
    const packet = plainPacket(bytesOf(vector.packet_hex))
    expect(hexOf(encodePacket(decodePacket(packet), "reference"))).toBe(hexOf(packet))
  })
})

describe("the control vectors", () => {
  const control = named(vectors("control"))
  test.each(control.filter(({ svrsig }) => svrsig !== undefined))("$label", ({ packet_hex, status, seq, svrsig }) => {
    const bytes = bytesOf(packet_hex)
    const stop = { status: status as number, seq: seq as number, svrsig: svrsig as string }
    expect(decodeStop(plainPacket(bytes))).toEqual(stop)
    expect(hexOf(likewise(bytes, encodeStop(stop)))).toBe(packet_hex)
  })

  test.each(control.filter(({ token }) => token !== undefined))("$label", ({ packet_hex, stime, token }) => {
    const bytes = bytesOf(packet_hex)
    const detect = { sentAtMs: stime as number, token: Uint8Array.from(Buffer.from(token as string)) }
    expect(decodeDetect(plainPacket(bytes))).toEqual(detect)
    expect(hexOf(likewise(bytes, encodeDetect(detect)))).toBe(packet_hex)
  })

  test.each(control.filter(({ options }) => options !== undefined))("$label $options.status_code", (vector) => {
    const { options, profile, packet_hex } = vector
    if (options === undefined) throw new Error("no options")
    const packet = errorPacket({ seq: options.seq, streamUrl: options.stream_url.slice(9) }, options.status_code)
    const extras = { networks: 0, agentId: 0x2104, hasChecksum: options.crc === true, client: undefined }
    const asBase = { ...packet.session, hasAacConfig: true, isSequenceAligned: true }
    const own =
      profile === "v0-ext" ? { ...packet, extras } : { ...packet, generation: "base" as const, session: asBase }
    expect(hexOf(likewise(bytesOf(packet_hex), encodePacket(own, "reference")))).toBe(packet_hex)
  })
})

describe("what the vectors refuse", () => {
  const negative = named(vectors("negative"))
  const decodes = negative.filter(({ op, decoded }) => op === "decode" && typeof decoded !== "string")
  const isOurs = ({ name }: Vector) => name === "magic_wrong_but_parsed" || name === "version_1_accepted_as_v0"
  test.each(decodes)("decodes or refuses $label", (vector) => {
    const { packet_hex, decoded, crc } = vector
    const decode = () => decodePacket(bytesOf(packet_hex), { as: "ext", verifyChecksum: crc === true })
    const { ret } = decoded as { ret: number }
    if (ret < 0 || isOurs(vector)) expect(decode).toThrow(expect.objectContaining({ code: "minisdp.packet" }))
    else expect(referenceText(decode())).toBe((decoded as DecodedVector).sdp)
  })

  const refused = negative.filter(({ op, sdp_in, result }) => op === "encode" && sdp_in !== undefined && result !== 277)
  test.each(refused)("does not encode $label", (vector) => {
    expect(() => encodeVector(vector)).toThrow(expect.objectContaining({ code: "minisdp.packet" }))
  })

  const [offer] = vectors("v0-base")
  test.each([
    { urlBytes: 1201, packetBytes: undefined },
    { urlBytes: 1200, packetBytes: undefined },
    { urlBytes: 1109, packetBytes: 1326 },
  ])("a URL of $urlBytes bytes with its prefix", ({ urlBytes, packetBytes }) => {
    const streamUrl = "webrtc://".padEnd(urlBytes, "x")
    const options = { generation: "base", type: "offer", seq: 1, streamUrl } as const
    const encode = () => encodePacket(referencePacket(offer?.sdp_in as string, options), "reference")
    if (packetBytes === undefined) expect(encode).toThrow(expect.objectContaining({ code: "minisdp.packet" }))
    else expect(encode().length).toBe(packetBytes)
  })

  test("refuses a checksum that is wrong only where it is asked to look", () => {
    const vector = vectors("v0-ext").find(({ name }) => name === "ext_crc_netset")
    const bytes = bytesOf(vector?.packet_hex as string)
    bytes[27] = 99
    expect(decodePacket(bytes).seq).toBe(99)
    const verify = () => decodePacket(bytes, { verifyChecksum: true })
    expect(verify).toThrow(expect.objectContaining({ code: "minisdp.packet" }))
  })
})

function encodeVector(vector: Vector): Uint8Array {
  const { options = DEFAULT_OPTIONS, profile, sdp_in = "" } = vector
  const { sdp_type, is_push, client_type, client_version = 0, stun_type, xor_code_key } = options
  const packet = referencePacket(sdp_in, {
    generation: profile === "v0-base" ? "base" : "ext",
    type: sdp_type === "answer" ? "answer" : "offer",
    seq: options.seq,
    streamUrl: options.stream_url,
    svrsig: options.svrsig,
    status: options.status_code,
    immSend: options.imm_send,
    hasAacConfig: options.aac_fmtp,
    push: is_push === "default" ? undefined : is_push === "push",
    networks: options.netset ?? 0,
    hasChecksum: options.crc ?? false,
    client: client_type === undefined ? undefined : { type: client_type, version: client_version },
  })
  const bytes = encodePacket(packet, "reference")
  if (stun_type === undefined) return bytes
  const xorKey =
    xor_code_key === undefined ? undefined : xor_code_key === 0xffff_ffff ? ownXorKey(bytes) : keyOf(xor_code_key)
  return wrapInStun({ kind: "sdp", isResponse: stun_type === "0x0101", packet: bytes, xorKey }, "reference")
}

function expectDecoded(bytes: Uint8Array, as: "base" | "ext", expected: DecodedVector): void {
  const wrapped = classifyDatagram(bytes) === "stun-sdp" ? unwrapStun(bytes) : undefined
  const packet = decodePacket(wrapped?.packet ?? bytes, { as })
  expect(referenceText(packet)).toBe(expected.sdp)
  expect({
    sdp_type: packet.type,
    seq: packet.seq,
    status_code: packet.status,
    imm_send: packet.immSend,
    aac_fmtp: packet.session.hasAacConfig,
    is_push: packet.push === undefined ? "default" : packet.push ? "push" : "pull",
    stream_url: `webrtc://${packet.streamUrl}`,
    svrsig: stopSignature(packet),
  }).toEqual(Object.fromEntries(Object.entries(expected).filter(([name]) => name in COMMON)))
  if (expected.netset === undefined) return
  const { networks, agentId, client } = packet.extras ?? { networks: 0, agentId: 0, client: undefined }
  const { netset, agentid, client_type = "", client_version = 0, xor_code_key = 0 } = expected
  expect({ networks, agentId }).toEqual({ networks: netset, agentId: agentid })
  expect(client ?? { type: "", version: 0 }).toEqual({ type: client_type, version: client_version })
  expect(wrapped?.xorKey ?? keyOf(0)).toEqual(keyOf(xor_code_key))
}

/** Wraps a packet the way that a datagram is. */
function likewise(datagram: Uint8Array, packet: Uint8Array): Uint8Array {
  if (!classifyDatagram(datagram)?.startsWith("stun")) return packet
  return wrapInStun({ ...unwrapStun(datagram), packet }, "reference")
}

function plainPacket(datagram: Uint8Array): Uint8Array {
  return classifyDatagram(datagram)?.startsWith("stun") ? unwrapStun(datagram).packet : datagram
}

function keyOf(value: number): Uint8Array {
  return Uint8Array.of(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24)
}

const COMMON = {
  sdp_type: 0,
  seq: 0,
  status_code: 0,
  imm_send: 0,
  aac_fmtp: 0,
  is_push: 0,
  stream_url: 0,
  svrsig: 0,
}
const DEFAULT_OPTIONS: NonNullable<Vector["options"]> = {
  sdp_type: "offer",
  seq: 1,
  stream_url: "webrtc://edge.example.com/live/stream1",
  svrsig: "",
  status_code: 0,
  imm_send: false,
  aac_fmtp: true,
  is_push: "default",
}
