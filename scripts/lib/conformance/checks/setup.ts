import { assume, type Check, demand, sharedCheck, whepCheck } from "../check.ts"
import { isStrongTag, type ProtocolContext, summary } from "../context.ts"
import { describe, isSuccess, mediaType, SDP } from "../http.ts"
import { createOffer } from "../offers.ts"
import { attributeValue, findValue } from "../sdp-text.ts"
import { demandRefusal } from "./http-usage.ts"

/** POST of an offer and its answer as HTTP sees them: rules 3, 4, 12, 32. */
export const setupChecks: readonly Check[] = [
  ...sharedCheck({
    id: "created",
    rule: 3,
    section: "4.2",
    whepSection: "4.3.1",
    level: "MUST",
    title: "POST of an offer gives 201",
    async run(context) {
      const answered = await context.post(createOffer(context.protocol))
      assume(
        answered.status !== 409,
        `the stream is ${context.protocol === "whip" ? "taken" : "not live"}: ${summary(answered)}`,
      )
      demand(answered.status === 201, summary(answered))
      return describe(answered)
    },
  }),
  ...sharedCheck({
    id: "answer-type",
    rule: 3,
    section: "4.2",
    whepSection: "4.3.1",
    level: "MUST",
    title: "The answer's Content-Type is application/sdp",
    async run(context) {
      const { exchange } = await context.standard()
      demand(mediaType(exchange) === SDP, `Content-Type is ${mediaType(exchange) || "missing"}`)
      return `Content-Type: ${exchange.headers.get("content-type")}`
    },
  }),
  ...sharedCheck({
    id: "location",
    rule: 3,
    section: "4.2",
    whepSection: "4.3.1",
    level: "MUST",
    title: "The answer has a Location",
    async run(context) {
      const { exchange, url } = await context.standard()
      const location = exchange.headers.get("location")
      demand(location !== null, "there is no Location")
      demand(url !== undefined, `Location is no URL: ${location}`)
      return `Location: ${location}`
    },
  }),
  ...sharedCheck({
    id: "location-form",
    rule: 3,
    section: "practice: OBS",
    whepSection: "practice",
    level: "SHOULD",
    title: "Location is absolute or begins at the root, and has no query",
    async run(context) {
      const { exchange, url } = await context.standard()
      const location = exchange.headers.get("location")
      assume(location !== null && url !== undefined, "there is no Location")
      demand(/^(https?:\/\/|\/(?!\/))/i.test(location), `Location is relative: ${location}`)
      demand(new URL(url).search === "", `Location has a query: ${location}`)
      return `Location: ${location}`
    },
  }),
  ...sharedCheck({
    id: "answer-shape",
    rule: 3,
    section: "4.2, RFC 9429 5.3.1",
    whepSection: "4.3.1, RFC 9429 5.3.1",
    level: "MUST",
    title: "The answer has the offer's sections in order, with its mids and payload types",
    async run(context) {
      const { offer, answer } = await context.standard()
      const kinds = (sdp: typeof offer) => sdp.sections.map(({ kind }) => kind).join(", ")
      demand(kinds(answer) === kinds(offer), `offered ${kinds(offer)}, answered ${kinds(answer)}`)
      for (const [index, section] of answer.sections.entries()) {
        const offered = offer.sections[index]
        if (section.port === 0 || offered === undefined) continue
        const [mid, expected] = [section, offered].map(({ attributes }) => attributeValue(attributes, "mid"))
        demand(mid === expected, `section ${index} has mid ${mid}, offered was ${expected}`)
        const foreign = section.payloadTypes.filter((payloadType) => !offered.payloadTypes.includes(payloadType))
        demand(foreign.length === 0, `section ${index} has payload types that were not offered: ${foreign.join(", ")}`)
      }
      for (const name of ["ice-ufrag", "ice-pwd", "fingerprint", "setup"]) {
        demand(findValue(answer, name) !== undefined, `there is no a=${name}`)
      }
      return `sections: ${kinds(answer)}`
    },
  }),
  ...sharedCheck({
    id: "wrong-type",
    rule: 4,
    section: "4.2",
    whepSection: "4.3.1",
    level: "MUST",
    title: "Any other Content-Type than application/sdp gets 4xx",
    async run(context) {
      const answered = await context.post(createOffer(context.protocol), { "content-type": "text/plain" })
      return demandRefusal(answered, "text/plain")
    },
  }),
  ...sharedCheck({
    id: "malformed-offer",
    rule: 4,
    section: "4.2",
    whepSection: "4.3.1",
    level: "MUST",
    title: "A malformed offer gets 4xx",
    async run(context) {
      demandRefusal(await context.post("this is no SDP"), "no SDP")
      const offer = createOffer(context.protocol)
      demandRefusal(await context.post(offer.slice(0, offer.indexOf("m="))), "an SDP without sections")
      const withoutIce = offer.replace(/a=ice-(ufrag|pwd):.*\r\n/g, "")
      return demandRefusal(await context.post(withoutIce), "an SDP without ICE credentials")
    },
  }),
  ...sharedCheck({
    id: "strong-etag",
    rule: 12,
    section: "4.3.1",
    whepSection: "4.5.1",
    level: "MUST",
    title: "The 201 has a strong entity-tag in quotes, where ICE restarts are supported",
    async run(context) {
      const session = await context.openAt()
      const { etag } = session
      if (!isStrongTag(etag)) {
        await context.restart(session)
        demand(false, `ETag is ${etag ?? "missing"}`)
      }
      return `ETag: ${etag}`
    },
  }),
  ...sharedCheck({
    id: "unique-etag",
    rule: 12,
    section: "4.3.1",
    whepSection: "4.5.1",
    level: "MUST",
    title: "Each ICE session has an entity-tag of its own",
    async run(context) {
      const [first, second] = await twoSessions(context)
      assume(first.etag !== undefined && second.etag !== undefined, "there is no ETag")
      demand(first.etag !== second.etag, `two sessions have the ETag ${first.etag}`)
      return `${first.etag} and ${second.etag}`
    },
  }),
  ...sharedCheck({
    id: "unguessable-url",
    rule: 32,
    section: "5",
    whepSection: "5",
    level: "SHOULD",
    title: "A session's address cannot be guessed from another one",
    async run(context) {
      const [first, second] = await twoSessions(context)
      const difference = differingCharacters(first.url, second.url)
      demand(difference >= MIN_SECRET_CHARACTERS, `two addresses differ in ${difference} characters`)
      return `two addresses differ in ${difference} characters`
    },
  }),
  whepCheck({
    id: "not-live",
    rule: 38,
    section: "4.3.8",
    level: "MUST",
    title: "Where nobody publishes, a player gets 409 with Retry-After",
    isIdle: true,
    async run(context) {
      const endpoint = context.options.idleEndpoint ?? context.endpoint
      const body = createOffer("whep")
      const answered = await context.request(endpoint, { method: "POST", headers: { "content-type": SDP }, body })
      assume(!isSuccess(answered), `players need no publisher here: ${describe(answered)}`)
      demand(answered.status === 409, summary(answered))
      const retryAfter = answered.headers.get("retry-after")
      demand(/^\d+$/.test(retryAfter ?? ""), `409 with Retry-After ${retryAfter ?? "missing"}`)
      return `409 with Retry-After: ${retryAfter}`
    },
  }),
]

/** One after the other: a stream may have one publisher only. */
async function twoSessions(context: ProtocolContext) {
  const first = await context.openAt()
  await context.delete(first.url)
  return [first, await context.openAt()] as const
}

/** How much of the second address is not told by the first: what is left beside the common beginning and end. */
function differingCharacters(first: string, second: string): number {
  const shorter = Math.min(first.length, second.length)
  let start = 0
  while (start < shorter && first[start] === second[start]) start++
  let end = 0
  while (end < shorter - start && first.at(-1 - end) === second.at(-1 - end)) end++
  return second.length - start - end
}

/** 60 bits in hexadecimal digits, 90 in base64. */
const MIN_SECRET_CHARACTERS = 15
