import { readdirSync, readFileSync } from "node:fs"
import { performance } from "node:perf_hooks"
import { BinaryCoder } from "../../src/minisdp/lossless/binary-coder.ts"
import { decodeLossless, encodeLossless, type LosslessPacket } from "../../src/minisdp/lossless/envelope.ts"
import { prepareDictionary } from "../../src/minisdp/lossless/sdp.ts"
import type { SdpModel } from "../../src/minisdp/lossless/sdp-model.ts"
import { encodePacket } from "../../src/minisdp/packet.ts"
import { sessionFromSdp } from "../../src/minisdp/session-from-sdp.ts"
import { type CapturedOffer, captureOffers } from "../lib/minisdp/capture.ts"
import { type TrainingText, trainedModel, trainingTexts } from "../lib/minisdp/dictionary.ts"

/**
 * Bytes of each offer as text, in the public form, and in the lossless form as whole packets: with the dictionary as it is
 * shipped, with one in which this client is known by other builds only, and with one that has never seen the client. The
 * offers are made anew by the programs that are installed, so that no key in them is in any dictionary.
 */
const ROUNDS = 2_000

const captured = await captureOffers()
const offers = captured.length > 0 ? captured : fixtures()
const texts = trainingTexts()
const models = new Map<string, SdpModel>()
prepareDictionary()
print(
  "client       offer                 text  public  lossless  times  other builds  never seen  encode µs  decode µs",
)
for (const offer of offers) print(row(offer))
process.exit(0)

function row({ client, name, text }: CapturedOffer): string {
  const packet = encodeLossless(packetOf(text))
  const others = sizeWith(
    `other builds of ${client}`,
    text,
    (known) => known.client !== client || !known.build.startsWith("here-"),
  )
  const unseen = sizeWith(`never ${client}`, text, (known) => known.client !== client)
  return [
    client.padEnd(12),
    name.padEnd(20),
    cell(text.length, 5),
    cell(publicBytes(text), 7),
    cell(packet.length, 9),
    cell((text.length / packet.length).toFixed(0), 6),
    cell(others, 13),
    cell(unseen, 11),
    cell(
      medianUs(() => encodeLossless(packetOf(text))),
      10,
    ),
    cell(
      medianUs(() => decodeLossless(packet)),
      10,
    ),
  ].join(" ")
}

function packetOf(sdp: string): LosslessPacket {
  const nothing = { seq: 0, status: 0, immSend: false, streamUrl: "", cookie: new Uint8Array(0), sessionId: "" }
  return { type: "offer", ...nothing, sdp }
}

/** Bytes of the packet where the dictionary has only the texts that pass. */
function sizeWith(name: string, text: string, passes: (known: TrainingText) => boolean): number {
  let model = models.get(name)
  if (model === undefined) {
    model = trainedModel(texts.filter(passes))
    models.set(name, model)
  }
  const coder = BinaryCoder.encoder(1)
  model.run(coder, text)
  const { length } = coder.finish()
  return encodeLossless(packetOf("")).length - 1 + (length < 128 ? 1 : 2) + length
}

function publicBytes(text: string): string {
  try {
    const packet = {
      generation: "ext",
      status: 0,
      seq: 1,
      type: "offer",
      immSend: false,
      streamUrl: "",
      svrsig: "",
      push: undefined,
      session: sessionFromSdp(text),
    } as const
    return String(encodePacket(packet).length)
  } catch {
    return "-"
  }
}

function medianUs(action: () => unknown): string {
  for (let i = 0; i < ROUNDS / 4; i++) action()
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now()
    action()
    return performance.now() - start
  })
  return ((times.sort((a, b) => a - b)[ROUNDS / 2] as number) * 1000).toFixed(0)
}

/** Offers that were captured before, for machines that have none of the programs. */
function fixtures(): CapturedOffer[] {
  const folder = new URL("../../test/fixtures/sdp/", import.meta.url)
  return readdirSync(folder)
    .filter((file) => file.endsWith(".sdp"))
    .map((file) => {
      const [client = "", ...rest] = file.slice(0, -4).split("-")
      return { client, name: rest.join("-"), text: readFileSync(new URL(file, folder), "utf8") }
    })
}

function cell(value: number | string, width: number): string {
  return String(value).padStart(width)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
