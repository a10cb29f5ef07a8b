import { writeFileSync } from "node:fs"
import { packDictionary, pageTexts, trainingTexts } from "./lib/minisdp/dictionary.ts"

/**
 * Writes src/minisdp/lossless/dictionary.ts from scripts/lib/minisdp/dictionary-1.txt. A dictionary that has been released
 * never changes: other texts, or any change to how the model learns, need a new number beside the old ones.
 */
const entries = [trainingTexts(), pageTexts()].map((texts, i) => {
  const packed = packDictionary(texts)
  const characters = texts.reduce((sum, { text }) => sum + text.length, 0)
  process.stdout.write(`dictionary ${i + 1}: ${texts.length} texts, ${characters} characters, ${packed.length} bytes\n`)
  return `  ${i + 1}: {
    texts: ${texts.length},
    base64:
      "${Buffer.from(packed).toString("base64")}",
  },
`
})
const source = `/** The number of a dictionary; packets name it. */
export type DictionaryNumber = 1 | 2

/** How many texts each dictionary holds, and the texts, packed by a model that begins with nothing. Made by scripts/train-minisdp.ts. */
export const DICTIONARIES: Readonly<Record<DictionaryNumber, { readonly texts: number; readonly base64: string }>> = {
${entries.join("")}}
`
writeFileSync(new URL("../src/minisdp/lossless/dictionary.ts", import.meta.url), source)
