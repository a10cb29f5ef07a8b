import { request as httpRequest } from "node:http"
import { request as httpsRequest } from "node:https"
import { isIPv6 } from "node:net"
import { GatewayError } from "../../src/errors.ts"
import type { OfferCarrier } from "../../src/io/minisdp/play-session.ts"

/** How an offer is written into a request and the answer read from the response. */
export interface OfferForm {
  readonly contentType: string
  encode(sdp: string): Uint8Array
  decode(body: Uint8Array): string
}

/** Plain SDP, RFC 9725 section 4.2. */
export const SDP_FORM: OfferForm = {
  contentType: "application/sdp",
  encode: (sdp) => Buffer.from(sdp),
  decode: (body) => Buffer.from(body).toString(),
}

/**
 * Carries an offer to a WHEP endpoint over a connection of its own: what a player does that comes for the first time. The exchange throws
 * `stream.not_live` for 404 and 503, `access.denied` for 401 and 403, `sdp.unsupported` for all else that is not 201.
 */
export function httpCarrier(url: URL, form: OfferForm, token?: string): OfferCarrier {
  return {
    family: isIPv6(url.hostname.replace(/^\[|\]$/g, "")) ? 6 : 4,
    exchange: async (offerSdp) => {
      const { status, body } = await post(url, form, form.encode(offerSdp), token)
      if (status === 201) return { sdp: form.decode(body) }
      throw new GatewayError(CODES[status] ?? "sdp.unsupported", `the gateway answered the offer with ${status}`)
    },
  }
}

function post(
  url: URL,
  { contentType }: OfferForm,
  body: Uint8Array,
  token: string | undefined,
): Promise<{ readonly status: number; readonly body: Uint8Array }> {
  const request = url.protocol === "https:" ? httpsRequest : httpRequest
  const headers = {
    "content-type": contentType,
    accept: contentType,
    "content-length": body.length,
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  return new Promise((resolve, reject) => {
    const onError = (cause: Error) => {
      reject(new GatewayError("stream.not_live", `no answer from ${url.host}: ${cause.message}`, { cause }))
    }
    request(url, { method: "POST", headers, agent: false, timeout: TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MAX_ANSWER_BYTES) response.destroy(new Error("the answer is too long"))
        else chunks.push(chunk)
      })
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }))
      response.on("error", onError)
    })
      .on("error", onError)
      .on("timeout", function (this: { destroy(error: Error): void }) {
        this.destroy(new Error(`silence for ${TIMEOUT_MS} ms`))
      })
      .end(body)
  })
}

const CODES: Record<number, "stream.not_live" | "access.denied"> = {
  401: "access.denied",
  403: "access.denied",
  404: "stream.not_live",
  503: "stream.not_live",
}
const TIMEOUT_MS = 5_000
const MAX_ANSWER_BYTES = 65_536
