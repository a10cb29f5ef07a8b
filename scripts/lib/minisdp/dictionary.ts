import { readFileSync } from "node:fs"
import { BinaryCoder } from "../../../src/minisdp/lossless/binary-coder.ts"
import { SdpModel } from "../../../src/minisdp/lossless/sdp-model.ts"

/** One text that the dictionary is made of. */
export interface TrainingText {
  /** Whose: `chromium`, …, `whipstitch` for our answers, `registry` for a list of registered names. */
  readonly client: string
  /** Which build; those that begin with `here-` are of the programs on the machine that made the dictionary. */
  readonly build: string
  readonly text: string
}

/** The texts of dictionary 1, in its order. */
export function trainingTexts(): TrainingText[] {
  const source = readFileSync(new URL("dictionary-1.txt", import.meta.url), "utf8")
  return source
    .split(/^=== /m)
    .slice(1)
    .map((part) => {
      const [heading = "", ...lines] = part.split("\n")
      const [client = "", build = ""] = heading.split(" ")
      return { client, build, text: lines.join("\r\n") }
    })
}

/** The texts of dictionary 2: what a page says and hears. */
export function pageTexts(): TrainingText[] {
  const all = trainingTexts()
  return PAGE_TEXTS.map(([client, build]) => {
    const found = all.find((text) => text.client === client && text.build === build)
    if (found === undefined) throw new Error(`no text ${client} ${build}`)
    return found
  })
}

const PAGE_TEXTS = [
  ["firefox", "140-recvonly"],
  ["chromium", "receiver-recvonly"],
  ["chromium", "128-recvonly"],
  ["firefox", "here-whep"],
  ["chromium", "here-whep"],
  ["whipstitch", "answer-chromium-whep"],
] as const

/** A model that knows these texts and nothing else. */
export function trainedModel(texts: readonly TrainingText[]): SdpModel {
  const model = new SdpModel()
  const coder = BinaryCoder.encoder()
  for (const { text } of texts) model.prime(coder, text)
  model.freeze()
  return model
}

/** How the texts stand in the module: coded one after the other by a model that starts with nothing. */
export function packDictionary(texts: readonly TrainingText[]): Uint8Array {
  const model = new SdpModel()
  const coder = BinaryCoder.encoder()
  for (const { text } of texts) model.prime(coder, text)
  return coder.finish()
}
