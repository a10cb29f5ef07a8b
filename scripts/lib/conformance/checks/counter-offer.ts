import { assume, type Check, demand, whepCheck } from "../check.ts"
import { type ProtocolContext, readSession, summary } from "../context.ts"
import { describe, isClientError, mediaType, SDP } from "../http.ts"
import { createAnswer, createOffer } from "../offers.ts"
import { directionOf, findValue } from "../sdp-text.ts"

/** The server's own offer and the player's answer to it: rules 36 and 37. */
export const counterOfferChecks: readonly Check[] = [
  whepCheck({
    id: "counter-offer-shape",
    rule: 36,
    section: "4.3.2",
    level: "MUST",
    title: "A counter-offer has a Location and is an offer",
    async run(context) {
      const { url, answer } = await counterOffer(context)
      demand(url !== undefined, "the counter-offer has no Location")
      demand(answer.sections.length > 0, "the counter-offer has no section")
      const setup = findValue(answer, "setup")
      demand(setup === "actpass" || setup === "passive" || setup === "active", `a=setup is ${setup ?? "missing"}`)
      return `sections: ${answer.sections.map(({ kind }) => kind).join(", ")}`
    },
  }),
  whepCheck({
    id: "counter-offer-direction",
    rule: 36,
    section: "4.3.5",
    level: "MUST",
    title: "A counter-offer is not recvonly and not inactive",
    async run(context) {
      const { answer } = await counterOffer(context)
      const directions = answer.sections.map((section) => directionOf(section, answer))
      demand(
        directions.every((direction) => direction.startsWith("send")),
        directions.join(", "),
      )
      return directions.join(", ")
    },
  }),
  whepCheck({
    id: "valid-until",
    rule: 36,
    section: "4.3.2",
    level: "MAY",
    title: "valid-until of a counter-offer is a date to come",
    async run(context) {
      const { exchange } = await counterOffer(context)
      const contentType = exchange.headers.get("content-type") ?? ""
      const validUntil = /;\s*valid-until="?([^";]+)"?/i.exec(contentType)?.[1]
      assume(validUntil !== undefined, "there is no valid-until")
      demand(HTTP_DATE.test(validUntil), `no HTTP date: ${validUntil}`)
      demand(Date.parse(validUntil) > Date.now() - CLOCK_DIFFERENCE_MS, `it is over: ${validUntil}`)
      return validUntil
    },
  }),
  whepCheck({
    id: "answer-204",
    rule: 37,
    section: "4.3.2",
    level: "MUST",
    title: "PATCH with the answer to a counter-offer gets 204",
    async run(context) {
      const answered = await patchAnswer(context, createAnswer)
      demand(answered.status === 204, summary(answered))
      return describe(answered)
    },
  }),
  whepCheck({
    id: "malformed-answer",
    rule: 37,
    section: "4.3.2",
    level: "MUST",
    title: "PATCH with a malformed answer gets 4xx",
    async run(context) {
      const answered = await patchAnswer(context, () => "this is no SDP")
      demand(isClientError(answered), summary(answered))
      return summary(answered)
    },
  }),
]

/** Asks for an offer: with an offer of a codec that nobody has, and with none. Throws `NotApplicable` where neither brings one. */
export async function counterOffer(context: ProtocolContext) {
  const unknown = { payloadTypes: "96", lines: ["a=rtpmap:96 conformance-unknown/90000"] }
  const offer = createOffer("whep", { sections: [{ kind: "video", codecs: unknown }] })
  const statuses: number[] = []
  for (const body of [offer, ""]) {
    const exchange = await context.post(body, { accept: SDP })
    if (exchange.status === 406 && mediaType(exchange) === SDP) return readSession(body, exchange)
    statuses.push(exchange.status)
  }
  assume(false, `the server makes no counter-offers: ${statuses.join(" and ")}`)
}

async function patchAnswer(context: ProtocolContext, answer: (offer: string) => string) {
  const { url, exchange, etag } = await counterOffer(context)
  assume(url !== undefined, "the counter-offer has no Location")
  const headers = { "content-type": SDP, ...(etag !== undefined && { "if-match": etag }) }
  return context.request(url, { method: "PATCH", headers, body: answer(exchange.body) })
}

const HTTP_DATE = /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/
const CLOCK_DIFFERENCE_MS = 5_000
