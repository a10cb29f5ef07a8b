import { z } from "zod"
import { orJson } from "./config-values.ts"

const NAME = "[\\w-][\\w.-]{0,63}"

const Pull = z.strictObject({
  stream: z.string().regex(new RegExp(`^${NAME}/${NAME}$`), "write app/stream, as in live/cam1"),
  url: z
    .string()
    .max(1_000)
    .regex(
      new RegExp(`^minisdp://([\\w.-]+|\\[[\\da-fA-F:.]+\\])(:\\d{1,5})?/${NAME}/${NAME}(\\?\\S*)?$`),
      "write minisdp://HOST:PORT/APP/STREAM, where PORT is the other gateway's media port, with ?token=… if it needs one",
    ),
})

/** The list `pulls` of the configuration; JSON in an environment variable. */
export const Pulls = orJson(
  z
    .array(Pull)
    .max(256)
    .refine((pulls) => new Set(pulls.map(({ stream }) => stream)).size === pulls.length, {
      error: "name each stream once: it can come from one place only",
    }),
)
  .default([])
  .describe(
    "streams to fetch from other gateways by UDP: objects with stream and url, minisdp://HOST:PORT/APP/STREAM?token=…",
  )
