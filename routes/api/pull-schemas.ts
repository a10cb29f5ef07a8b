import { z } from "@hono/zod-openapi"

/** A stream that is fetched from elsewhere, and how that stands. */
export const PullSummary = z
  .object({
    stream: z.string().openapi({
      description: "under which it appears here, or the pattern of a pull on demand",
      example: "live/cam1",
    }),
    origin: z
      .string()
      .openapi({ description: "where it comes from, without user and query", example: "rtmp://origin/live/cam1" }),
    onDemand: z.boolean().openapi({ description: "fetched only while somebody watches" }),
    state: z.enum(["idle", "connecting", "live", "backingOff", "failed"]).openapi({
      description:
        "idle: nobody watches; backingOff: tried again in a moment; failed: tried again for a viewer who comes a moment later",
    }),
    since: z.iso.datetime().optional().openapi({ description: "start of the state, RFC 3339" }),
    lastError: z
      .object({ code: z.string(), message: z.string() })
      .readonly()
      .optional()
      .openapi({ description: "what went wrong last, also when all is well again" }),
  })
  .readonly()
  .openapi("Pull")
export type PullSummary = z.infer<typeof PullSummary>

/** All pulls. */
export const PullList = z
  .object({ pulls: z.array(PullSummary).readonly() })
  .readonly()
  .openapi("PullList")
