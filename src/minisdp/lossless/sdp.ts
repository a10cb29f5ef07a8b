import { GatewayError } from "../../errors.ts"
import { BinaryCoder } from "./binary-coder.ts"
import { DICTIONARIES, type DictionaryNumber } from "./dictionary.ts"
import { MAX_SDP_CHARACTERS, SdpModel } from "./sdp-model.ts"

/**
 * Packs any text of at most 65,536 UTF-16 code units: the number of the dictionary, then what differs from what that knows.
 * Throws `minisdp.packet` for a longer text.
 */
export function encodeSdp(text: string, dictionary: DictionaryNumber = FULL_DICTIONARY): Uint8Array {
  if (text.length > MAX_SDP_CHARACTERS) {
    throw new GatewayError(
      "minisdp.packet",
      `the SDP has ${text.length} characters; ${MAX_SDP_CHARACTERS} are the most`,
    )
  }
  const coder = BinaryCoder.encoder(dictionary)
  modelOf(dictionary).run(coder, text)
  const bytes = coder.finish()
  if (text.length <= maxCharactersIn(bytes.length)) return bytes
  const padded = new Uint8Array(Math.ceil((text.length - BASE_CHARACTERS) / CHARACTERS_PER_BYTE))
  padded.set(bytes)
  return padded
}

/** Gives back the text of {@link encodeSdp} exactly. Throws `minisdp.packet` for everything malformed. */
export function decodeSdp(bytes: Uint8Array): string {
  const dictionary = dictionaryOf(bytes)
  const coder = BinaryCoder.decoder(bytes, 1)
  const maxCharacters = maxCharactersIn(bytes.length)
  coder.budget = STEPS_PER_CHARACTER * maxCharacters
  const text = modelOf(dictionary).run(coder, "", maxCharacters)
  if (text.length > maxCharacters) throw new GatewayError("minisdp.packet", `the SDP has ${text.length} characters`)
  return text
}

/** The dictionary that packed bytes name; throws `minisdp.packet` for one that is not known. */
export function dictionaryOf(bytes: Uint8Array): DictionaryNumber {
  const number = bytes[0]
  if (number === FULL_DICTIONARY || number === PAGE_DICTIONARY) return number
  throw new GatewayError("minisdp.packet", `dictionary ${number} is unknown; this decoder has 1 and 2`)
}

/** Gets a dictionary ready, the full one in a tenth of a second, the pages' in a tenth of that; else the first packet has to wait. */
export function prepareDictionary(dictionary: DictionaryNumber = FULL_DICTIONARY): void {
  modelOf(dictionary)
}

const models = new Map<DictionaryNumber, SdpModel>()

/** A dictionary is unpacked by one model; another learns its texts as an encoder does, which both directions need. */
function modelOf(dictionary: DictionaryNumber): SdpModel {
  const known = models.get(dictionary)
  if (known !== undefined) return known
  const { texts, base64 } = DICTIONARIES[dictionary]
  const unpacker = new SdpModel()
  const packed = BinaryCoder.decoder(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)))
  const model = new SdpModel()
  const scratch = BinaryCoder.encoder()
  for (let i = 0; i < texts; i++) model.prime(scratch, unpacker.prime(packed, ""))
  model.freeze()
  models.set(dictionary, model)
  return model
}

/** A short packet cannot make a decoder write a long text; encoders add zeros where a text is that repetitive. */
function maxCharactersIn(bytes: number): number {
  return Math.min(MAX_SDP_CHARACTERS, BASE_CHARACTERS + CHARACTERS_PER_BYTE * bytes)
}

/** Knows the offers of all clients: the shortest packets. */
export const FULL_DICTIONARY = 1
/** Knows browsers' offers to play and our answers alone, so that a page has it ready while it makes its offer. */
export const PAGE_DICTIONARY = 2

const BASE_CHARACTERS = 1024
const CHARACTERS_PER_BYTE = 96
/** A character is at most part of a template, of a value and a line of its own. */
const STEPS_PER_CHARACTER = 5
