import type { Context } from "hono"
import { GatewayError } from "../src/errors.ts"
import { encodeAnswer, offerSdpOf, readRequestPacket } from "../src/minisdp/session-request.ts"
import { mediaType, requireMediaType } from "./requests.ts"

/** An offer that came in a request's body. */
export interface OfferBody {
  /** Empty where a player leaves the offer to the gateway. */
  readonly sdp: string
  /** Writes the answer in the form that the offer has, as SDP where that form cannot hold it. */
  encodeAnswer(sdp: string): AnswerBody
}

/** The body of an answer and its type. */
export interface AnswerBody {
  readonly contentType: string
  readonly body: string | Uint8Array<ArrayBuffer>
}

/**
 * Reads an offer as SDP or as MiniSDP, by the request's Content-Type. `mayBeEmpty` lets an offer be left out, and its type
 * then. Throws `http.media_type`, `http.too_large` and `minisdp.packet`.
 */
export async function readOffer(c: Context, mayBeEmpty: boolean): Promise<OfferBody> {
  if (mediaType(c) === MINISDP) return readMiniSdp(new Uint8Array(await c.req.arrayBuffer()))
  const sdp = await c.req.text()
  if (!mayBeEmpty || sdp !== "" || mediaType(c) !== "") requireMediaType(c, SDP, MINISDP)
  return { sdp, encodeAnswer: asText }
}

/** HTTP says what packets have fields for, too (stream, token, session): those of the offer are ignored, those of the answer left empty. */
function readMiniSdp(bytes: Uint8Array): OfferBody {
  if (bytes.length > MAX_MINISDP_BYTES) {
    throw new GatewayError("http.too_large", `the packet has more than ${MAX_MINISDP_BYTES} bytes`)
  }
  const request = readRequestPacket(bytes)
  if (request === undefined) throw new GatewayError("minisdp.packet", "the packet is an answer; send an offer")
  // The public form has candidates of one family only: the one that the client can do with.
  const addressFamily = request.form === "public" ? request.packet.session.addressFamily : 4
  return {
    sdp: offerSdpOf(request),
    encodeAnswer: (sdp) => {
      try {
        const body = encodeAnswer(request, { ...NOTHING_ELSE, sdp }, addressFamily)
        return { contentType: MINISDP, body: new Uint8Array(body) }
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error
        return asText(sdp) // the session is open already, and the client sees the type
      }
    },
  }
}

function asText(sdp: string): AnswerBody {
  return { contentType: SDP, body: sdp }
}

/** Media type of offers and answers as text. */
export const SDP = "application/sdp"
/** Media type of both forms of MiniSDP. */
export const MINISDP = "application/x-minisdp"
/** Several times what an offer of any browser takes; more is refused before it is read. */
const MAX_MINISDP_BYTES = 8_192
const NOTHING_ELSE = { sessionId: "", cookie: new Uint8Array(0), isSourceTrusted: false }
