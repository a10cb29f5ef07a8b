import { readTextExtension } from "../../rtp/header-extension.ts"
import type { RtpPacket } from "../../rtp/packet.ts"
import type { AnsweredMedia } from "../../sdp/answer.ts"

/** Where a publisher's packet belongs. */
export interface WhipRoute {
  readonly media: AnsweredMedia
  /** The simulcast layer, in a section that has some. */
  readonly rid: string | undefined
}

/**
 * Finds the section of a publisher's packet by its payload type, which the answer has made unique, and with simulcast the layer by the
 * rid (RFC 8852). Senders write the rid only until they know that it has arrived, so it is remembered for the SSRC;
 * SSRCs themselves are not asked for, as OBS leaves them out of its offers.
 */
export class WhipDemux {
  readonly #byPayloadType = new Map<number, WhipRoute>()
  readonly #bySsrc = new Map<number, WhipRoute>()

  constructor(media: readonly AnsweredMedia[]) {
    for (const section of media) {
      const { payloadType, rtxPayloadType, redPayloadType } = section
      for (const type of [payloadType, rtxPayloadType, redPayloadType]) {
        if (type !== undefined) this.#byPayloadType.set(type, { media: section, rid: undefined })
      }
    }
  }

  /** Undefined for a payload type that was not agreed on, and for a layer that is not known. */
  route(packet: RtpPacket): WhipRoute | undefined {
    const route = this.#byPayloadType.get(packet.payloadType)
    if (route === undefined || route.media.rids.length === 0) return route
    return this.#bySsrc.get(packet.ssrc) ?? this.#learn(packet, route.media)
  }

  #learn(packet: RtpPacket, media: AnsweredMedia): WhipRoute | undefined {
    const rid =
      readTextExtension(packet, media.extensionIds.rid) ?? readTextExtension(packet, media.extensionIds.repairedRid)
    if (rid === undefined || !media.rids.includes(rid)) return undefined
    // An encoder that restarts takes new SSRCs; the oldest are those that nobody sends any more.
    if (this.#bySsrc.size >= MAX_SSRCS) this.#bySsrc.delete(this.#bySsrc.keys().next().value as number)
    const route = { media, rid }
    this.#bySsrc.set(packet.ssrc, route)
    return route
  }
}

/** Four layers, each with retransmissions, and as many again from before a restart. */
const MAX_SSRCS = 32
