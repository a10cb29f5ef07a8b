import { type Context, Hono } from "hono"
import { GatewayError } from "../src/errors.ts"
import type { ClientEnv } from "./client.ts"
import { type ExtensionLink, type IceServerLink, serializeExtension, serializeIceServer } from "./links.ts"
import { type AnswerBody, MINISDP, readOffer, SDP } from "./offer-body.ts"
import { allowMethods, EMPTY, isPreflight, limitBody, refuseMethod, requestToken } from "./requests.ts"

/** A WHIP or WHEP offer with all that the service decides on. */
export interface SessionRequest {
  /** `app/stream` as the client wrote it; the service checks it and throws `stream.name`. */
  readonly stream: string
  /** Empty where a player leaves the offer to the gateway. */
  readonly offerSdp: string
  /** Of `Authorization: Bearer` (RFC 6750), else of the query's `token`. */
  readonly token: string | undefined
  /** The gateway's end of the client's connection: an address that surely leads to it. */
  readonly localAddress: string | undefined
  readonly remoteAddress: string | undefined
  readonly userAgent: string | undefined
  /** Whether the player can do with an offer of the gateway where its own one does not fit. */
  readonly acceptsCounterOffer: boolean
}

/** A session that was opened. */
export interface SessionAnswer {
  /** Unguessable, and safe in a URL path: whoever knows it can end the session. */
  readonly id: string
  readonly type: "answer" | "counterOffer"
  readonly sdp: string
  /** Strong entity-tag of the ICE session, without quotes. */
  readonly etag: string
  /** Until when a counter-offer waits for the player's answer. */
  readonly validUntil?: Date
  readonly iceServers: readonly IceServerLink[]
  readonly extensions: readonly ExtensionLink[]
}

/** Opens a session from an offer; throws GatewayError. */
export type OpenSession = (request: SessionRequest) => Promise<SessionAnswer>

/** Who wants to know the ICE servers before a session is opened. */
export interface IceServerRequest {
  readonly action: "publish" | "play"
  readonly stream: string
  readonly token: string | undefined
}

/** Tells ICE servers to old clients, which ask before they make an offer. */
export interface IceServerService {
  /** None for a client that may not open the session: credentials of a TURN server are not for everyone. */
  iceServers(request: IceServerRequest): Promise<readonly IceServerLink[]>
}

/** How one of the two protocols opens sessions. */
export interface Endpoint extends IceServerService {
  readonly base: "/whip" | "/whep"
  readonly open: OpenSession
}

/** Limits of the signaling routes. */
export interface SignalingOptions {
  readonly maxBodyBytes: number
}

/**
 * The endpoint that WHIP (RFC 9725 section 4.2) and WHEP (draft-ietf-wish-whep section 4) share: POST an offer, get
 * 201, the answer and the session's address. Offers come as SDP or as MiniSDP, and are answered in kind. GET and HEAD answer empty, OPTIONS tells what POST takes. A gateway that is full answers 503, or
 * sends the client on (`redirectOverflow`).
 */
export function signalingRoutes({ base, open, iceServers }: Endpoint, { maxBodyBytes }: SignalingOptions) {
  const app = new Hono<ClientEnv>()
  const endpoint = `${base}/:app/:stream` as const
  const stream = (c: Context) => `${c.req.param("app")}/${c.req.param("stream")}`
  const isWhep = base === "/whep"

  app.use(endpoint, async (c, next) => {
    const request = { action: isWhep ? "play" : "publish", stream: stream(c), token: requestToken(c) } as const
    await next()
    if (c.req.method !== "OPTIONS" || isPreflight(c)) return
    for (const server of await iceServers(request)) {
      c.header("link", serializeIceServer(server), { append: true })
    }
  })
  app.use(`${base}/*`, allowMethods("GET, HEAD, POST, OPTIONS", { "accept-post": `${SDP}, ${MINISDP}` }))

  app.post(endpoint, limitBody(maxBodyBytes), async (c) => {
    const offer = await readOffer(c, isWhep)
    const wantsOffer = isWhep && offer.sdp === ""
    const { baseUrl, localAddress, remoteAddress } = c.var.client
    const session = await open({
      stream: stream(c),
      offerSdp: offer.sdp,
      token: requestToken(c),
      localAddress,
      remoteAddress,
      userAgent: c.req.header("user-agent"),
      acceptsCounterOffer: isWhep && (wantsOffer || namesSdp(c.req.header("accept"))),
    })
    for (const server of session.iceServers) c.header("link", serializeIceServer(server), { append: true })
    for (const extension of session.extensions) {
      c.header("link", serializeExtension(extension, baseUrl), { append: true })
    }
    const isAnswer = session.type === "answer"
    const { contentType, body } = isAnswer ? offer.encodeAnswer(session.sdp) : counterOffer(session)
    return c.body(body, isAnswer ? 201 : 406, {
      "content-type": contentType,
      // Absolute and without a query: OBS puts all of a relative one into the path of its own URL.
      location: `${baseUrl}/sessions/${session.id}`,
      etag: `"${session.etag}"`,
      "accept-patch": isWhep ? `${FRAGMENT}, ${SDP}` : FRAGMENT,
      "cache-control": "no-store",
    })
  })
  app.get(endpoint, (c) => c.body(null, 200, { ...EMPTY, "content-type": SDP }))
  app.all(endpoint, () => refuseMethod("GET, HEAD, POST and OPTIONS"))
  app.all(`${base}/*`, () => {
    throw new GatewayError("stream.name", `the address must be ${base}/{app}/{stream}, for example ${base}/live/cam1`)
  })
  return app
}

/** Always as SDP: a player that can do with one names that type in Accept. */
function counterOffer({ sdp, validUntil }: SessionAnswer): AnswerBody {
  return {
    contentType: validUntil === undefined ? SDP : `${SDP}; valid-until="${validUntil.toUTCString()}"`,
    body: sdp,
  }
}

/** Whether the media type is named for itself: the wildcard of a client that knows no counter-offers is no consent. */
function namesSdp(accept = ""): boolean {
  return accept.split(",").some((range) => (range.split(";", 1)[0] ?? "").trim().toLowerCase() === SDP)
}

/** Media type of trickled candidates and ICE restarts, RFC 8840. */
export const FRAGMENT = "application/trickle-ice-sdpfrag"
