import { z } from "@hono/zod-openapi"

const count = z.number().int().nonnegative()

/** A track of a live stream in a few words. */
export const TrackSummary = z
  .object({
    kind: z.enum(["audio", "video"]),
    codec: z.string().openapi({ description: "for example `h264`, `aac`, `opus`", example: "h264" }),
    widthPx: count.optional(),
    heightPx: count.optional(),
    sampleRateHz: count.optional(),
    channels: count.optional(),
  })
  .readonly()
  .openapi("Track")
export type TrackSummary = z.infer<typeof TrackSummary>

/** A simulcast layer of a stream. */
export const LayerSummary = z
  .object({
    rid: z.string().openapi({ description: "the publisher's name for it", example: "h" }),
    widthPx: count.optional(),
    heightPx: count.optional(),
    bitrateBps: z.number().openapi({ description: "0 while it is not sent" }),
  })
  .readonly()
  .openapi("Layer")
export type LayerSummary = z.infer<typeof LayerSummary>

/** A live stream in the list. */
export const StreamSummary = z
  .object({
    name: z.string().openapi({ description: "app and stream", example: "live/cam1" }),
    state: z
      .enum(["live", "waiting"])
      .openapi({ description: "waiting: the publisher is gone and has a moment to come back" }),
    publisher: z
      .object({
        protocol: z.enum(["rtmp", "whip", "pull"]).openapi({ description: "pull: fetched from another server" }),
      })
      .readonly()
      .openapi({ description: "the present one, or the one that may come back" }),
    tracks: z.array(TrackSummary).readonly(),
    layers: z.array(LayerSummary).readonly().openapi({ description: "of simulcast, best first; else empty" }),
    viewers: count.openapi({ description: "viewers and readers of every protocol" }),
    since: z.iso.datetime().openapi({ description: "start of publishing, RFC 3339" }),
  })
  .readonly()
  .openapi("Stream")
export type StreamSummary = z.infer<typeof StreamSummary>

/** The streams that the asking one may play. */
export const StreamList = z
  .object({ streams: z.array(StreamSummary).readonly() })
  .readonly()
  .openapi("StreamList")

/** A publisher's or viewer's session. */
export const SessionSummary = z
  .object({
    id: z.string().openapi({
      description: "public name, also in the log; not the secret of the session's URL",
      example: "m3Zb0c1Wq9aR",
    }),
    protocol: z
      .enum(["rtmp", "whip", "whep", "flv", "pull", "push", "recording"])
      .openapi({ description: "pull: fetched from another server; push: sent on to one; recording: a file" }),
    role: z.enum(["publisher", "viewer"]),
    stream: z.string().openapi({ example: "live/cam1" }),
    remoteAddress: z.string().optional().openapi({ example: "192.0.2.7:51234" }),
    transport: z.enum(["udp", "tcp", "file"]),
    since: z.iso.datetime().openapi({ description: "start of the session, RFC 3339" }),
    codecs: z.array(z.string()).readonly(),
    bytes: count.openapi({ description: "media since the start" }),
    bitrateBps: z.number().openapi({ description: "of the last seconds" }),
    packets: count.optional(),
    lostPackets: z
      .number()
      .int()
      .optional()
      .openapi({ description: "as RTCP counts: packets that come twice make up for lost ones" }),
    droppedPackets: count.optional().openapi({
      description: "from a publisher, but malformed, forged, too long, seen before, or of nothing that was agreed on",
    }),
    lossRatio: z.number().optional().openapi({ description: "share of packets lost, 0 to 1, by the last reports" }),
    resentPackets: count.optional().openapi({ description: "sent again because the viewer asked for them" }),
    refusedFeedback: count
      .optional()
      .openapi({ description: "of a viewer: about sources that are not its own, or asking for more than its share" }),
    droppedFrames: count.optional().openapi({ description: "left out because the receiver was too slow" }),
    roundTripMs: z.number().optional(),
    jitterMs: z.number().optional().openapi({ description: "of the arrival of packets, as RTCP counts it" }),
    layer: z.string().optional().openapi({ description: "the simulcast layer that a viewer gets" }),
  })
  .readonly()
  .openapi("Session")
export type SessionSummary = z.infer<typeof SessionSummary>

/** All sessions. */
export const SessionList = z
  .object({ sessions: z.array(SessionSummary).readonly() })
  .readonly()
  .openapi("SessionList")

/** What a page must know to tell people where to publish. */
export const Info = z
  .object({
    version: z.string(),
    rtmpPort: count,
    rtmpsPort: count.optional().openapi({ description: "where RTMPS is on" }),
  })
  .readonly()
  .openapi("Info")
export type Info = z.infer<typeof Info>

/** Why a request failed. */
export const Problem = z
  .object({
    type: z.literal("about:blank"),
    title: z.string(),
    status: count,
    detail: z.string().openapi({ description: "what to do about it" }),
    code: z.string().openapi({ description: "stable name of the error", example: "access.required" }),
  })
  .readonly()
  .openapi("Problem", { description: "Problem details, RFC 9457" })

const name = (param: "app" | "stream", example: string) =>
  z.string().openapi({ param: { name: param, in: "path" }, example })
/** A stream's name in a path. */
export const StreamParams = z.object({ app: name("app", "live"), stream: name("stream", "cam1") })
/** A session's public id in a path. */
export const SessionParams = z.object({ id: z.string().openapi({ param: { name: "id", in: "path" } }) })
