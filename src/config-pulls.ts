import { z } from "zod"
import { flag, orJson, positive } from "./config-values.ts"

const NAME = "[\\w-][\\w.-]{0,63}"
const PATTERN = "[\\w*-][\\w.*-]{0,63}"
const HOST = "([\\w.-]+|\\[[\\da-fA-F:.]+\\])(:\\d{1,5})?"
const USER = "([^@/?#\\s]*@)?"
const ADDRESSES = [
  new RegExp(`^minisdp://${HOST}/${NAME}/${NAME}(\\?\\S*)?$`),
  new RegExp(`^rtmps?://${USER}${HOST}/[^\\s?#]*[^\\s/?#]/[^\\s/?#]+(\\?\\S*)?$`),
  new RegExp(`^https?://${USER}${HOST}/\\S*$`),
]

const Pull = z
  .strictObject({
    stream: z
      .string()
      .regex(new RegExp(`^${PATTERN}/${PATTERN}$`), "write app/stream, as in live/cam1, or a pattern such as live/*"),
    url: z
      .string()
      .max(1_000)
      .refine((url) => ADDRESSES.some((address) => address.test(withNames(url))), {
        error:
          "write rtmp:// or rtmps://HOST/APP/STREAM, http:// or https://HOST/PATH, or minisdp://HOST:PORT/APP/STREAM, where PORT is the other gateway's media port",
      })
      .refine((url) => Number(/^[^/]*\/\/[^/]*:(\d+)\//.exec(url)?.[1] ?? 0) <= 65_535, {
        error: "a port is at most 65535",
      })
      .refine((url) => !/^[^/]*\/\/[^/]*[{}]/.test(url) && !/[{}]/.test(withNames(url)), {
        error: "braces stand for names, {app} and {stream}, in path and query only",
      }),
    onDemand: flag.default(false),
    idleTimeoutMs: positive.optional(),
  })
  .refine(({ stream, onDemand }) => onDemand || !stream.includes("*"), {
    path: ["stream"],
    error: "a pattern can be fetched on demand only: set onDemand to true, or name one stream",
  })
  .refine(({ stream, url }) => hasPlaceFor(stream, url), {
    path: ["url"],
    error: "a pattern stands for many streams: write {app} or {stream} where their names belong",
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
    "streams to fetch from elsewhere: objects with stream, url (rtmp, rtmps, http, https, minisdp), onDemand and idleTimeoutMs",
  )

/** The section `pull` of the configuration. */
export const PullSettings = z.strictObject({
  connectTimeoutMs: positive.default(10_000).describe("time for an RTMP or HTTP origin to answer"),
  silenceTimeoutMs: positive
    .default(10_000)
    .describe("an RTMP or HTTP origin that sends no media for so long is given up"),
  startTimeoutMs: positive.default(10_000).describe("the first viewer of a stream on demand waits at most so long"),
  idleTimeoutMs: positive
    .default(10_000)
    .describe("a stream on demand is fetched for so long after its last viewer, unless its pull says otherwise"),
  maxOnDemand: positive.default(100).describe("streams fetched on demand at once"),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe("certificates of private authorities to trust at rtmps:// origins, PEM"),
})

function hasPlaceFor(stream: string, url: string): boolean {
  const [app = "", name = ""] = stream.split("/")
  return (!app.includes("*") || url.includes("{app}")) && (!name.includes("*") || url.includes("{stream}"))
}

/** The address with a name in each place that is for one. */
function withNames(url: string): string {
  return url.replace(/\{(app|stream)\}/g, "name")
}
