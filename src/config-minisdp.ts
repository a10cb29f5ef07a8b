import { z } from "zod"
import { flag, positive } from "./config-values.ts"

/** The section `minisdp` of the configuration. */
export const MiniSdp = z.strictObject({
  enabled: flag.default(true).describe("WHIP and WHEP by MiniSDP datagrams on the port of media"),
  requestsPerSecond: positive.default(50).describe("MiniSDP datagrams that one address may send, on average"),
  requestBurst: positive.default(500).describe("the same, at once after a pause"),
  maxUncheckedSessions: positive
    .default(200)
    .describe("sessions that wait for the first sign of their client; others need a cookie meanwhile"),
})
