import { nativeAead } from "../../src/io/webrtc/aead-native.ts"
import { nodeAead, type OpenAead } from "../../src/io/webrtc/srtp/gcm.ts"
import { NATIVE } from "./native.ts"

/** All implementations of AES-GCM; that of the addon where it can be compiled. */
export const AEADS: readonly { readonly name: string; readonly openAead: OpenAead }[] = [
  { name: "node:crypto", openAead: nodeAead },
  ...(NATIVE.addon === undefined ? [] : [{ name: "the addon", openAead: nativeAead(NATIVE.addon) }]),
]
