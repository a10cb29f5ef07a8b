import { z } from "@hono/zod-openapi"

const count = z.number().int().nonnegative()

const RecordedFile = z
  .object({
    name: z
      .string()
      .openapi({ description: "below the folder of recordings", example: "live/cam1/2026-01-01_12-00-00.flv" }),
    state: z.enum(["recording", "complete", "failed"]),
    bytes: count,
    durationMs: count,
  })
  .readonly()
  .openapi("RecordedFile")

/** A recording that runs or has run. */
export const RecordingSummary = z
  .object({
    id: z.string().openapi({ example: "m3Zb0c1Wq9aR" }),
    stream: z.string().openapi({ example: "live/cam1" }),
    cause: z
      .enum(["config", "api", "publisher"])
      .openapi({ description: "a rule of the configuration, this API, or the publisher (RTMP publish type)" }),
    state: z
      .enum(["recording", "finished", "failed"])
      .openapi({ description: "failed: it ended before the stream did, and `error` says why" }),
    error: z.object({ code: z.string(), detail: z.string() }).readonly().optional(),
    since: z.iso.datetime().openapi({ description: "start of the recording, RFC 3339" }),
    bytes: count.openapi({ description: "of all its files" }),
    files: z.array(RecordedFile).readonly().openapi({ description: "the newest ones, oldest first" }),
  })
  .readonly()
  .openapi("Recording")
export type RecordingSummary = z.infer<typeof RecordingSummary>

/** Running recordings and the last ones that have ended. */
export const RecordingList = z
  .object({ recordings: z.array(RecordingSummary).readonly() })
  .readonly()
  .openapi("RecordingList")

/** What to record. */
export const RecordingRequest = z
  .strictObject({
    stream: z.string().openapi({ description: "a stream that is live", example: "live/cam1" }),
    template: z.string().optional().openapi({ description: "names of the files, as recordings.template" }),
    audio: z.enum(["aac", "published"]).optional(),
    maxFileDurationMs: count.optional().openapi({ description: "0: no bound" }),
    maxFileBytes: count.optional().openapi({ description: "0: no bound" }),
  })
  .readonly()
  .openapi("RecordingRequest", { description: "What is left out is as the configuration says" })
export type RecordingRequest = z.infer<typeof RecordingRequest>

/** A recording's id in a path. */
export const RecordingParams = z.object({ id: z.string().openapi({ param: { name: "id", in: "path" } }) })
