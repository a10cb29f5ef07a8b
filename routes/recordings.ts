import { createRoute, type OpenAPIHono } from "@hono/zod-openapi"
import { GatewayError } from "../src/errors.ts"
import { type AdminCheck, openAdminRoutes } from "./admin-routes.ts"
import { RecordingList, RecordingParams, RecordingRequest, RecordingSummary } from "./api/recording-schemas.ts"
import { Problem } from "./api/schemas.ts"
import type { ClientEnv } from "./client.ts"

/** All that the recordings' part of the API needs from the gateway. */
export interface RecordingService extends AdminCheck {
  recordings(): readonly RecordingSummary[]
  /** Throws `stream.name`, `stream.not_live`, `recording.template`, `session.limit` and `gateway.closing`. */
  startRecording(request: RecordingRequest): RecordingSummary
  /** Ends a recording; false where none of that id runs. */
  stopRecording(id: string): boolean
}

/** The API under `/api/v1/recordings`, for administrators. */
export function recordingRoutes(service: RecordingService): OpenAPIHono<ClientEnv> {
  const { app, admin, adminWithJson, refuseOthers } = openAdminRoutes(METHODS, service)

  app.openapi({ ...listRecordings, middleware: admin }, (c) => {
    return c.json({ recordings: [...service.recordings()] }, 200)
  })
  app.openapi({ ...startRecording, middleware: adminWithJson }, (c) => {
    const recording = service.startRecording(c.req.valid("json"))
    return c.json(recording, 201, { location: `/api/v1/recordings/${recording.id}` })
  })
  app.openapi({ ...getRecording, middleware: admin }, (c) => {
    const recording = service.recordings().find(({ id }) => id === c.req.valid("param").id)
    if (recording === undefined) throw notFound()
    return c.json(recording, 200)
  })
  app.openapi({ ...stopRecording, middleware: admin }, (c) => {
    if (!service.stopRecording(c.req.valid("param").id)) throw notFound()
    return c.body(null, 204)
  })
  refuseOthers()
  return app
}

function notFound(): GatewayError {
  return new GatewayError("recording.not_found", "there is no such recording, or it has ended")
}

const METHODS = {
  "/api/v1/recordings": "GET, HEAD, POST, OPTIONS",
  "/api/v1/recordings/:id": "GET, HEAD, DELETE, OPTIONS",
}

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: Problem } },
})
const json = <Schema>(description: string, schema: Schema) => ({
  description,
  content: { "application/json": { schema } },
})
const common = { tags: ["recordings"], security: [{ token: [] }] }
const refusals = { 401: problem("no token, or one that is not valid"), 403: problem("not an administrator's token") }

const listRecordings = createRoute({
  method: "get",
  path: "/api/v1/recordings",
  operationId: "listRecordings",
  summary: "Recordings that run, and the last ones that have ended",
  ...common,
  responses: { 200: json("oldest first, ended ones before those that run", RecordingList), ...refusals },
})
const startRecording = createRoute({
  method: "post",
  path: "/api/v1/recordings",
  operationId: "startRecording",
  summary: "Record a live stream to FLV files",
  ...common,
  request: { body: { required: true, content: { "application/json": { schema: RecordingRequest } } } },
  responses: {
    201: json("it has begun; whether files can be written shows in its state", RecordingSummary),
    400: problem("the body or the name of the stream is not valid"),
    ...refusals,
    409: problem("the stream is not live"),
    413: problem("the body is too large"),
    415: problem("the body is not application/json"),
    422: problem("the template leads nowhere"),
    429: problem("too many requests"),
    503: problem("as many recordings run as may, or the gateway is closing"),
  },
})
const getRecording = createRoute({
  method: "get",
  path: "/api/v1/recordings/{id}",
  operationId: "getRecording",
  summary: "One recording",
  ...common,
  request: { params: RecordingParams },
  responses: { 200: json("the recording", RecordingSummary), ...refusals, 404: problem("no such recording") },
})
const stopRecording = createRoute({
  method: "delete",
  path: "/api/v1/recordings/{id}",
  operationId: "stopRecording",
  summary: "End a recording; its file is completed",
  ...common,
  request: { params: RecordingParams },
  responses: {
    204: { description: "ended" },
    ...refusals,
    404: problem("none of that id runs"),
    429: problem("too many requests"),
  },
})
