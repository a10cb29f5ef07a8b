import { Hono } from "hono"
import { z } from "zod"
import { GatewayError } from "../src/errors.ts"
import type { LayerConstraint } from "../src/whep/layer-choice.ts"
import { allowMethods, EMPTY, limitBody, readJson, refuseMethod, requireMediaType } from "./requests.ts"
import type { SignalingSession } from "./sessions.ts"

/** A layer in the words of the extension's `layers` event. */
export interface LayerDescription {
  readonly rid: string
  /** bit/s; 0 or left out for a layer that is not sent at present. */
  readonly bitrate?: number | undefined
  readonly width?: number | undefined
  readonly height?: number | undefined
}

/** The choice of a viewer's simulcast layer. */
export interface LayerControl {
  /** Index of the video's m-line in the session's SDP, as text. */
  readonly mediaId: string
  /** Best first. */
  list(): readonly LayerDescription[]
  /** Limits what the viewer gets; `{}` leaves the choice to the gateway. Throws `sdp.unsupported` for an unknown layer. */
  select(constraint: LayerConstraint): void
}

/**
 * The WHEP extension `urn:ietf:params:whep:ext:core:layer` (webrtc-http-egress-events): POST what the video is to be
 * limited to, GET the present layers in the form of the `layers` event.
 */
export function layerRoutes(findSession: (id: string) => SignalingSession, maxBodyBytes: number): Hono {
  const app = new Hono()
  const controlOf = (id: string): LayerControl => {
    const { layers } = findSession(id)
    if (layers === undefined) throw new GatewayError("http.not_found", "this session has no layers to choose from")
    return layers
  }

  app.use("/sessions/:id/layers", allowMethods("GET, HEAD, POST, OPTIONS", { "accept-post": JSON_TYPE }))
  app.post("/sessions/:id/layers", limitBody(maxBodyBytes), async (c) => {
    const control = controlOf(c.req.param("id"))
    requireMediaType(c, JSON_TYPE)
    control.select(readConstraint(await readJson(c), control))
    return c.body(null, 200, EMPTY)
  })
  app.get("/sessions/:id/layers", (c) => {
    const control = controlOf(c.req.param("id"))
    return c.json({ [control.mediaId]: control.list() }, 200, { "cache-control": "no-store" })
  })
  app.all("/sessions/:id/layers", () => refuseMethod("GET, HEAD, POST and OPTIONS"))
  return app
}

function readConstraint(body: unknown, { mediaId }: LayerControl): LayerConstraint {
  const result = Selection.safeParse(body)
  if (!result.success)
    throw new GatewayError("http.json", `the selection is not valid:\n${z.prettifyError(result.error)}`)
  const { rid, encodingId, spatialLayerId = 0, temporalLayerId = 0, maxWidth, maxHeight } = result.data
  if (String(result.data.mediaId ?? mediaId) !== mediaId) {
    throw new GatewayError("sdp.unsupported", `the layers are those of mediaId "${mediaId}"`)
  }
  if (spatialLayerId !== 0 || temporalLayerId !== 0) {
    throw new GatewayError(
      "sdp.unsupported",
      "the layers are encodings with a rid, none has layers inside: choose by rid",
    )
  }
  return { rid: rid ?? encodingId, maxWidthPx: maxWidth, maxHeightPx: maxHeight }
}

const layerId = z.number().int().min(0).max(255).optional()
const sizePx = z.number().int().positive().max(65_535).optional()

/** Unknown members are left alone, as later texts may add some. Each encoding is a single layer, so limits of layers inside it are always kept. */
const Selection = z.object({
  mediaId: z.union([z.string(), z.number().int()]).optional(),
  rid: z.string().max(255).optional(),
  /** The name that older texts have for `rid`. */
  encodingId: z.string().max(255).optional(),
  spatialLayerId: layerId,
  temporalLayerId: layerId,
  maxSpatialLayerId: layerId,
  maxTemporalLayerId: layerId,
  maxWidth: sizePx,
  maxHeight: sizePx,
})

const JSON_TYPE = "application/json"
