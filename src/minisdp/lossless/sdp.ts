import { GatewayError } from "../../errors.ts"
import { BinaryCoder } from "./binary-coder.ts"
import { DICTIONARY, DICTIONARY_TEXTS } from "./dictionary.ts"
import { MAX_SDP_CHARACTERS, SdpModel } from "./sdp-model.ts"

/**
 * Packs any text of at most 65,536 UTF-16 code units: the number of the dictionary, then what differs from what that knows.
 * Throws `minisdp.packet` for a longer text.
 */
export function encodeSdp(text: string): Uint8Array {
  if (text.length > MAX_SDP_CHARACTERS) {
    throw new GatewayError(
      "minisdp.packet",
      `the SDP has ${text.length} characters; ${MAX_SDP_CHARACTERS} are the most`,
    )
  }
  const coder = BinaryCoder.encoder(DICTIONARY_VERSION)
  sharedModel().run(coder, text)
  const bytes = coder.finish()
  if (text.length <= maxCharactersIn(bytes.length)) return bytes
  const padded = new Uint8Array(Math.ceil((text.length - BASE_CHARACTERS) / CHARACTERS_PER_BYTE))
  padded.set(bytes)
  return padded
}

/** Gives back the text of {@link encodeSdp} exactly. Throws `minisdp.packet` for everything malformed. */
export function decodeSdp(bytes: Uint8Array): string {
  if (bytes[0] !== DICTIONARY_VERSION) {
    throw new GatewayError(
      "minisdp.packet",
      `dictionary ${bytes[0]} is unknown; this decoder has ${DICTIONARY_VERSION}`,
    )
  }
  const coder = BinaryCoder.decoder(bytes, 1)
  const maxCharacters = maxCharactersIn(bytes.length)
  coder.budget = STEPS_PER_CHARACTER * maxCharacters
  const text = sharedModel().run(coder, "", maxCharacters)
  if (text.length > maxCharacters) throw new GatewayError("minisdp.packet", `the SDP has ${text.length} characters`)
  return text
}

/** Gets the dictionary ready, which takes some tens of milliseconds once; else the first packet has to wait for it. */
export function prepareDictionary(): void {
  sharedModel()
}

let shared: SdpModel | undefined

/** The dictionary is unpacked by one model; another learns its texts as an encoder does, which both directions need. */
function sharedModel(): SdpModel {
  if (shared !== undefined) return shared
  const unpacker = new SdpModel()
  const packed = BinaryCoder.decoder(Uint8Array.from(atob(DICTIONARY), (character) => character.charCodeAt(0)))
  const model = new SdpModel()
  const scratch = BinaryCoder.encoder()
  for (let i = 0; i < DICTIONARY_TEXTS; i++) model.prime(scratch, unpacker.prime(packed, ""))
  model.freeze()
  shared = model
  return model
}

/** A short packet cannot make a decoder write a long text; encoders add zeros where a text is that repetitive. */
function maxCharactersIn(bytes: number): number {
  return Math.min(MAX_SDP_CHARACTERS, BASE_CHARACTERS + CHARACTERS_PER_BYTE * bytes)
}

const DICTIONARY_VERSION = 1
const BASE_CHARACTERS = 1024
const CHARACTERS_PER_BYTE = 96
/** A character is at most part of a template, of a value and a line of its own. */
const STEPS_PER_CHARACTER = 5
