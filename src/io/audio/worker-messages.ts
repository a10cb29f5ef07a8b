import type { TimedAudio, TranscoderConfig } from "../../audio/transcoder.ts"

/** What the gateway's thread sends to the audio worker; `id` names a transcoder. */
export type AudioWorkerRequest =
  | { readonly type: "open"; readonly id: number; readonly config: TranscoderConfig }
  | { readonly type: "push"; readonly id: number; readonly frame: TimedAudio }
  | { readonly type: "close"; readonly id: number }

/** The answer to one `push`: its output, and what was wrong with it. */
export interface AudioWorkerResponse {
  readonly id: number
  readonly frames: TimedAudio[]
  /** Message of an `audio.transcode` error; classes do not survive the way between threads. */
  readonly error?: string
}
