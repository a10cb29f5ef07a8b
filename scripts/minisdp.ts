import { existsSync, readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { GatewayError } from "../src/errors.ts"
import { classifyDatagram } from "../src/minisdp/datagram.ts"
import { decodeDetect } from "../src/minisdp/detect.ts"
import { explainDatagram } from "../src/minisdp/explain.ts"
import { decodeLossless, encodeLossless, isLossless } from "../src/minisdp/lossless/envelope.ts"
import { decodePacket, encodePacket, type MiniSdpPacket, stopSignature } from "../src/minisdp/packet.ts"
import { referenceText } from "../src/minisdp/reference-text.ts"
import { sessionFromSdp } from "../src/minisdp/session-from-sdp.ts"
import { sessionToSdp } from "../src/minisdp/session-to-sdp.ts"
import { decodeStop } from "../src/minisdp/stop.ts"
import { unwrapStun, wrapInStun } from "../src/minisdp/stun.ts"

const USAGE = `usage:
  scripts/minisdp encode  [SDP] [options]     SDP text to a packet
  scripts/minisdp decode  [PACKET] [options]  a packet to SDP text; what else it says goes to standard error
  scripts/minisdp explain [PACKET]            a packet of any kind field by field, with offsets

SDP is a file. PACKET is a file (raw bytes, or hexadecimal or base64 text) or the text itself. Without either it is read from
standard input.

encode:
  --form public|lossless     v0-ext, or our own form that keeps every byte (default: public)
  --type offer|answer        (default: offer)
  --url URL                  public: host/app/stream?query, with or without webrtc://; lossless: app/stream?query
  --seq N                    sequence number, 0 to 65535 (default: 1)
  --push, --pull             publish or play, instead of what the direction says (public form)
  --imm-send                 ask for 0-RTT
  --svrsig TEXT              session signature (public form); the ufrag of the offer in an answer
  --session-id TEXT          (lossless form)
  --stun                     wrap the packet in a STUN binding request, or response for an answer
  --as hex|base64|binary     how to write the packet (default: hex; binary where standard output is no terminal)

decode:
  --reference                the text that Tencent's decoder makes, not the one for browsers
`

const STDIN = 0 // its file descriptor
const MAX_VALUE_CHARS = 80

const { values, positionals } = readArguments()
const [command, argument] = positionals
try {
  if (values.help) process.stdout.write(USAGE)
  else if (command === "encode") encode(readFileSync(argument ?? STDIN, "utf8"))
  else if (command === "decode") decode(readPacketBytes(argument))
  else if (command === "explain") explain(readPacketBytes(argument))
  else fail(USAGE, 2)
} catch (error) {
  const isExpected = error instanceof GatewayError || (error instanceof Error && "code" in error) // of the file system
  if (isExpected) fail(`${error.message}\n`, 1)
  throw error
}

function encode(sdp: string): void {
  const type = oneOf(["offer", "answer"] as const, values.type, "type")
  const form = oneOf(["public", "lossless"] as const, values.form, "form")
  const [seq, streamUrl, immSend] = [Number(values.seq), values.url.replace(/^webrtc:\/\//, ""), values["imm-send"]]
  const packet =
    form === "lossless"
      ? encodeLossless({
          type,
          seq,
          status: 0,
          immSend,
          streamUrl,
          cookie: new Uint8Array(),
          sessionId: values["session-id"],
          sdp,
        })
      : encodePacket({
          generation: "ext",
          type,
          status: 0,
          seq,
          immSend,
          streamUrl,
          svrsig: values.svrsig,
          push: values.push ? true : values.pull ? false : undefined,
          session: sessionFromSdp(sdp),
        })
  const isResponse = type === "answer"
  write(values.stun ? wrapInStun({ kind: "sdp", isResponse, packet, xorKey: undefined }) : packet)
}

function decode(datagram: Uint8Array): void {
  const kind = classifyDatagram(datagram)
  const bytes = kind?.startsWith("stun-") ? unwrapStun(datagram).packet : datagram
  if (kind === "stop" || kind === "stun-stop") note({ kind: "stop", ...decodeStop(bytes) })
  else if (kind === "detect" || kind === "stun-detect") {
    const { sentAtMs, token } = decodeDetect(bytes)
    note({ kind: "detect", sentAtMs, token: Buffer.from(token).toString("hex") })
  } else if (isLossless(bytes)) {
    const { sdp, cookie, ...rest } = decodeLossless(bytes)
    note({ form: "lossless", ...rest, cookie: Buffer.from(cookie).toString("hex") })
    process.stdout.write(sdp)
  } else {
    const packet = decodePacket(bytes)
    const { session, extras, ...rest } = packet
    note({ form: `public, v0-${packet.generation}`, ...rest, ...extras, stopSignature: stopSignature(packet) })
    process.stdout.write(textOf(packet))
  }
}

function textOf(packet: MiniSdpPacket): string {
  if (values.reference || packet.session.media.length === 0) return referenceText(packet)
  return sessionToSdp(packet.session, { type: packet.type })
}

function explain(datagram: Uint8Array): void {
  const { kind, fields, error } = explainDatagram(datagram)
  process.stdout.write(`${kind}, ${datagram.length} bytes\n\noffset  bytes  field                         value\n`)
  for (const { offset, length, name, value, meaning } of fields) {
    const shown = value.length > MAX_VALUE_CHARS ? `${value.slice(0, MAX_VALUE_CHARS)}…` : value
    const columns = [String(offset).padStart(6), String(length).padStart(5), name.padEnd(28)]
    process.stdout.write(`${columns.join("  ")}  ${shown}${meaning === "" ? "" : `  (${meaning})`}\n`)
  }
  if (error !== undefined) fail(`broken: ${error}\n`, 1)
}

function write(packet: Uint8Array): void {
  const form = oneOf(["hex", "base64", "binary"] as const, values.as ?? (process.stdout.isTTY ? "hex" : "binary"), "as")
  process.stdout.write(form === "binary" ? packet : `${Buffer.from(packet).toString(form)}\n`)
}

/** The bytes of a file, of standard input or of the argument itself, and what text they may be written as. */
function readPacketBytes(source: string | undefined): Uint8Array {
  const isText = source !== undefined && !existsSync(source)
  const raw = isText ? Buffer.from(source) : readFileSync(source ?? STDIN)
  if (classifyDatagram(raw) !== undefined) return raw
  const text = raw.toString("latin1").replace(/\s+/g, "")
  if (/^([\da-f]{2})+$/i.test(text)) return Buffer.from(text, "hex")
  return /^[\w+/-]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : raw
}

function note(facts: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(facts)) {
    if (value !== undefined)
      process.stderr.write(`${name}: ${typeof value === "object" ? JSON.stringify(value) : value}\n`)
  }
}

function oneOf<Value extends string>(known: readonly Value[], value: string, name: string): Value {
  return known.find((each) => each === value) ?? fail(`--${name} must be one of ${known.join(", ")}\n`, 2)
}

function fail(message: string, status: number): never {
  process.stderr.write(message)
  process.exit(status)
}

function readArguments() {
  const flag = { type: "boolean", default: false } as const
  const text = (value: string) => ({ type: "string", default: value }) as const
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { ...flag, short: "h" },
        form: text("public"),
        type: text("offer"),
        url: text(""),
        seq: text("1"),
        push: flag,
        pull: flag,
        "imm-send": flag,
        svrsig: text(""),
        "session-id": text(""),
        stun: flag,
        as: { type: "string" },
        reference: flag,
      },
    })
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}\n${USAGE}`, 2)
  }
}
