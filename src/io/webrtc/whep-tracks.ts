import { randomInt } from "node:crypto"
import { PASSED_EXTENSIONS } from "../../media/header-extension.ts"
import type { AnsweredMedia } from "../../sdp/answer.ts"
import type { LocalTrack } from "../../sdp/serialize.ts"
import type { TrackExtensions, ViewerTrack } from "./fanout.ts"
import type { StreamPump } from "./stream-pump.ts"
import type { StreamPumps } from "./stream-pumps.ts"

/** One track of a viewer, as it was agreed on. */
export interface WhepTrack {
  readonly kind: "audio" | "video"
  readonly local: LocalTrack
  /** What the track begins with. */
  readonly pump: StreamPump
  readonly track: ViewerTrack
}

/** The tracks of a viewer; a section that carries nothing gives none. */
export function planTracks(media: readonly AnsweredMedia[], pumps: StreamPumps): WhepTrack[] {
  return media.flatMap((section): WhepTrack[] => {
    const { kind, local, payloadType, redPayloadType, rtxPayloadType } = section
    if (local === undefined) return []
    const isRed = section.prefersRed && redPayloadType !== undefined
    const track: ViewerTrack = {
      trackId: kind,
      ssrc: local.ssrc,
      payloadType: isRed ? redPayloadType : payloadType,
      firstSequenceNumber: randomInt(1, 2 ** 15),
      timestampOffset: randomInt(2 ** 32),
      extensions: trackExtensions(section),
      ...(rtxPayloadType !== undefined && { rtx: { ssrc: local.rtxSsrc, payloadType: rtxPayloadType } }),
    }
    return [{ kind, local, pump: isRed ? pumps.red(payloadType) : pumps[kind], track }]
  })
}

function trackExtensions({ mid, extensionIds, feedback }: AnsweredMedia): TrackExtensions {
  const { absSendTime, transportCc } = extensionIds
  const passed = PASSED_EXTENSIONS.flatMap((name) => {
    const id = extensionIds[name]
    return id === undefined ? [] : [[name, id] as const]
  })
  return {
    ...(mid !== undefined && extensionIds.mid !== undefined && { mid: { id: extensionIds.mid, value: mid } }),
    ...(absSendTime !== undefined && { absSendTime }),
    ...(transportCc !== undefined && { transportCc, isTransportCcForSendTo: feedback.includes("goog-remb") }),
    passed: Object.fromEntries(passed),
  }
}
