import { z } from "@hono/zod-openapi"

const count = z.number().int().nonnegative()

/** What to push where. */
export const PushRequest = z
  .strictObject({
    stream: z
      .string()
      .max(129)
      .regex(/^(\*|[\w.*-]+\/[\w.*-]+)$/, 'must look like "live/cam1", "live/*" or "*"')
      .openapi({
        description: "a name, or a pattern in which `*` stands for any characters of a part",
        example: "live/cam1",
      }),
    url: z.string().max(2_000).openapi({
      description: "`{app}` and `{stream}` in it stand for the names here",
      example: "rtmps://ingest.example.com/app/STREAM-KEY",
    }),
  })
  .readonly()
  .openapi("PushRequest")
export type PushRequest = z.infer<typeof PushRequest>

/** Something that went wrong. */
export const PushError = z
  .object({
    code: z.string().openapi({ description: "stable name of the error", example: "rtmp.refused" }),
    message: z.string().openapi({ description: "what the target said and what to do" }),
    at: z.iso.datetime(),
  })
  .readonly()
  .openapi("PushError")

/** A push of one stream to one target. */
export const PushSummary = z
  .object({
    id: z.string().openapi({ description: "those of the streams of one pattern share it" }),
    stream: z.string().openapi({ description: "the live stream, or the name or pattern that is waited for" }),
    target: z
      .string()
      .openapi({ description: "without key, user and query", example: "rtmps://ingest.example.com/app/…" }),
    source: z.enum(["config", "api"]),
    state: z.enum(["waiting", "connecting", "live", "backingOff", "failed"]).openapi({
      description:
        "waiting: no such stream is live; backingOff: the target cannot be reached or hung up, and is tried again in `retryInMs`; failed: it refuses, `lastError` says why, and it is tried again more slowly",
    }),
    since: z.iso.datetime().openapi({ description: "start of this state" }),
    retryInMs: count.optional(),
    lastError: PushError.optional().openapi({ description: "also while all goes well again" }),
    attempts: count.openapi({ description: "connections that were tried" }),
    errors: count,
    bytes: count,
    bitrateBps: z.number().openapi({ description: "of the last seconds" }),
    droppedFrames: count.openapi({ description: "left out because the target was too slow" }),
  })
  .readonly()
  .openapi("Push")
export type PushSummary = z.infer<typeof PushSummary>

/** All pushes. */
export const PushList = z
  .object({ pushes: z.array(PushSummary).readonly() })
  .readonly()
  .openapi("PushList")
/** A push's id in a path. */
export const PushParams = z.object({ id: z.string().openapi({ param: { name: "id", in: "path" } }) })
