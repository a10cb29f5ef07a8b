import { readFileSync } from "node:fs"

/** What the reference decoder says of a packet beside its text. */
export interface DecodedVector {
  readonly ret: number
  readonly sdp_type: "offer" | "answer"
  readonly seq: number
  readonly status_code: number
  readonly imm_send: boolean
  readonly aac_fmtp: boolean
  readonly is_push: "default" | "push" | "pull"
  readonly stream_url: string
  readonly svrsig: string
  readonly netset?: number
  readonly agentid?: number
  readonly client_type?: string
  readonly client_version?: number
  readonly xor_code_key?: number
  readonly sdp: string
}

/** One case of a file in `test/fixtures/minisdp`; which fields it has depends on the file. */
export interface Vector {
  readonly name: string
  readonly profile: "v0-base" | "v0-ext"
  readonly packet_hex: string
  readonly sdp_in?: string
  readonly options?: {
    readonly sdp_type: "offer" | "answer" | "error"
    readonly seq: number
    readonly stream_url: string
    readonly svrsig: string
    readonly status_code: number
    readonly imm_send: boolean
    readonly aac_fmtp: boolean
    readonly is_push: "default" | "push" | "pull"
    readonly crc?: boolean
    readonly netset?: number
    readonly client_type?: string
    readonly client_version?: number
    readonly stun_type?: string
    readonly xor_code_key?: number
  }
  readonly "decoded_by_v0-base"?: DecodedVector
  readonly "decoded_by_v0-ext"?: DecodedVector
  /** In `cross-decode` and `negative`. */
  readonly decoded?: DecodedVector | { readonly ret: number } | string
  readonly decoder?: "v0-base" | "v0-ext"
  readonly op?: string
  readonly crc?: boolean
  readonly result?: number | string
  readonly svrsig?: string
  readonly status?: number
  readonly seq?: number
  readonly stime?: number
  readonly token?: string
  readonly stun_type?: string | null
}

/** Reads one of the files of vectors. */
export function vectors(file: "v0-base" | "v0-ext" | "control" | "negative" | "cross-decode"): readonly Vector[] {
  return JSON.parse(readFileSync(`test/fixtures/minisdp/${file}.json`, "utf8")).vectors
}

/** Bytes of hexadecimal text. */
export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"))
}

/** Hexadecimal text of bytes. */
export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex")
}
