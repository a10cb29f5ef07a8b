import type { Logger } from "../log.ts"
import { loadNativeAddon, nativeThreadCount } from "../native/addon.ts"
import { nativeAead } from "./aead-native.ts"
import { NATIVE_PROFILES } from "./dtls-session.ts"
import type { PacketFanout } from "./fanout.ts"
import { NativeFanout } from "./fanout-native.ts"
import { TypeScriptFanout } from "./fanout-typescript.ts"
import type { OpenAead } from "./srtp/gcm.ts"
import type { SrtpProfile } from "./srtp/keys.ts"
import type { WebRtcTransport } from "./transport.ts"
import type { OpenUdpSocket } from "./udp-socket.ts"
import { nativeSockets } from "./udp-socket-native.ts"

/** What the configuration asks for; `auto` takes the native one where there is one. */
export type FanoutWish = "auto" | "native" | "typescript"

/** The implementation for this run. */
export interface FanoutChoice {
  /** For the port from which the fan-out is to send. */
  readonly openSocket?: OpenUdpSocket
  /** SRTP profiles, the best first for it. */
  readonly profiles?: readonly SrtpProfile[]
  readonly openAead?: OpenAead
  create(transport: WebRtcTransport): PacketFanout
}

/** Decides on the implementation and logs it; TypeScript goes on where the native one is missing, whatever was asked for. */
export function chooseFanout(wish: FanoutWish, logger: Logger): FanoutChoice {
  const typeScript = {
    create: (transport: WebRtcTransport) => new TypeScriptFanout(transport.send, undefined, SLICE_MS),
  }
  if (wish === "typescript") {
    logger.info({ fanout: "typescript" }, "packets are encrypted and sent in TypeScript, as configured")
    return typeScript
  }
  const { addon, reason } = loadNativeAddon()
  if (addon === undefined) {
    const level = wish === "native" ? "warn" : "info"
    logger[level](
      { fanout: "typescript", reason },
      "packets are encrypted and sent in TypeScript, as there is no native fan-out",
    )
    return typeScript
  }
  logger.info({ fanout: "native", threads: nativeThreadCount() }, "packets are encrypted and sent by native threads")
  return {
    openSocket: nativeSockets(addon),
    profiles: NATIVE_PROFILES,
    openAead: nativeAead(addon),
    create: (transport) => new NativeFanout(addon, { sockets: transport.descriptors, send: transport.send }),
  }
}

/** How long the fan-out in TypeScript keeps the event loop at a time. */
const SLICE_MS = 3
