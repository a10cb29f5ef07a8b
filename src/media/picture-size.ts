import { GatewayError } from "../errors.ts"
import { BitReader } from "./bit-reader.ts"

/** Size of a picture as it is shown, after cropping. */
export interface PictureSize {
  readonly widthPx: number
  readonly heightPx: number
}

/** Runs a reader over header bits; undefined where they are cut off. */
export function readBits<T>(bytes: Uint8Array, read: (reader: BitReader) => T): T | undefined {
  try {
    return read(new BitReader(bytes))
  } catch (error) {
    if (error instanceof GatewayError && error.code === "bytes.truncated") return undefined
    throw error
  }
}
