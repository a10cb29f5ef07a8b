/** What a packet means for viewers who want to begin. */
export interface PayloadFinding {
  /** A keyframe and all that it needs begin with this packet, or with the sets that have to go in front of it. */
  readonly startsKeyframe: boolean
  /** Payloads with the parameter sets that have to go in front of the packet. */
  readonly missingSets: readonly Uint8Array[]
  /** Size of the keyframe's picture, where this packet tells it: the one that starts it, or one soon after. */
  readonly widthPx?: number
  readonly heightPx?: number
  /** How many pictures a decoder holds back, where the packet that starts a keyframe tells it; not there where it is none. */
  readonly reorderDepth?: number
}

/**
 * Finds the beginnings of keyframes in the RTP payloads of one codec without waiting for frames. Whatever bytes come, it gives a finding and
 * never throws.
 */
export interface PayloadInspector {
  /** Another source begins; parameter sets stay until it sends its own. */
  startSource(): void
  /** Remembers a parameter set known from elsewhere, a NAL unit; ignores what is none, and with codecs that have none. */
  addParameterSet(nalUnit: Uint8Array): void
  /** Looks at a payload. Packets may come late: a picture (an RTP timestamp) that was left is not gone back to. */
  inspect(timestamp: number, payload: Uint8Array): PayloadFinding
}

/** The finding for a packet that starts nothing. */
export const NOTHING_FOUND: PayloadFinding = { startsKeyframe: false, missingSets: [] }
