import { writeFileSync } from "node:fs"
import { packDictionary, trainingTexts } from "./lib/minisdp/dictionary.ts"

/**
 * Writes src/minisdp/lossless/dictionary.ts from scripts/lib/minisdp/dictionary-1.txt. A dictionary that has been released
 * never changes: other texts, or any change to how the model learns, need a new version beside the old one.
 */
const texts = trainingTexts()
const packed = packDictionary(texts)
const source = `/** How many texts the dictionary holds. */
export const DICTIONARY_TEXTS = ${texts.length}

/** Dictionary 1 as Base64; made by scripts/train-minisdp.ts, described in docs/minisdp.md. */
export const DICTIONARY =
  "${Buffer.from(packed).toString("base64")}"
`
writeFileSync(new URL("../src/minisdp/lossless/dictionary.ts", import.meta.url), source)
process.stdout.write(
  `${texts.length} texts, ${texts.reduce((sum, { text }) => sum + text.length, 0)} characters: ${packed.length} bytes\n`,
)
