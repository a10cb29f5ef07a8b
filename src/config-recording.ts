import { z } from "zod"
import { flag, orJson, positive } from "./config-values.ts"
import { recordingTemplateProblem } from "./flv/recording-name.ts"

const bound = z.coerce.number().int().nonnegative()

const template = z.string().superRefine((text, context) => {
  const problem = recordingTemplateProblem(text)
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem })
})

const audio = z.enum(["aac", "published"])

const Rule = z.strictObject({
  stream: z.string().regex(/^(\*|[\w.*-]+\/[\w.*-]+)$/, 'must look like "live/cam1", "live/*" or "*"'),
  template: template.optional(),
  audio: audio.optional(),
  maxFileDurationMs: bound.optional(),
  maxFileBytes: bound.optional(),
})

/** The section `recordings` of the configuration. */
export const Recordings = z.strictObject({
  rules: orJson(z.array(Rule).max(1_000))
    .default([])
    .describe(
      'streams to record: objects with stream ("live/*"), and template, audio, maxFileDurationMs or maxFileBytes where they differ; the first that fits decides',
    ),
  allowPublishers: flag.default(false).describe("RTMP publishers of type record or append have their stream recorded"),
  folder: z.string().min(1).default("recordings").describe("where the files go"),
  template: template
    .default("{app}/{stream}/{date}_{time}.flv")
    .describe(
      "their names: {app} {stream} {date} {time} {year} {month} {day} {hour} {minute} {second} {unix} {n} {id}",
    ),
  timeZone: z.enum(["utc", "local"]).default("utc").describe("of dates and times in names: utc or local"),
  audio: audio.default("aac").describe("aac: sound that every player has; published: Opus stays Opus"),
  maxFileDurationMs: bound
    .default(3_600_000)
    .describe("a longer file is followed by another at the next keyframe; 0: no bound"),
  maxFileBytes: bound.default(0).describe("the same, in bytes"),
  minFreeBytes: bound
    .default(256 * 1024 * 1024)
    .describe("a recording ends when the disk has less room; 0: when it is full"),
  maxRecordings: positive.default(1_000).describe("recordings at once"),
  queueMaxBytes: positive.default(16 * 1024 * 1024).describe("what may wait for a slow disk, for each recording"),
  maxDelayMs: positive
    .default(8_000)
    .describe("the same in time: a recording that is later goes on with a later keyframe"),
  slowTimeoutMs: positive.default(30_000).describe("a recording whose disk does not catch up within this time fails"),
  retryMs: positive.default(30_000).describe("a recording of a rule that failed is begun again after this time"),
})
