import type { PeerCloseReason } from "./transport-peer.ts"

/** Says in a few words for the log why a session ended. */
export function describeClose(reason: PeerCloseReason): string {
  switch (reason.type) {
    case "closedByPeer":
      return "closed by the peer"
    case "closedByUs":
      return reason.text
    case "failed":
      return reason.error.message
    case "silent":
      return `nothing came for ${Math.round(reason.idleMs)} ms`
    case "bug":
      return "an error in the gateway"
  }
}
