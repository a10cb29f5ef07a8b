import { assume, type Check, demand, sharedCheck, whepCheck, whipCheck } from "../check.ts"
import type { ProtocolContext } from "../context.ts"
import { summary } from "../context.ts"
import { isSuccess } from "../http.ts"
import { BOTH_KINDS, createOffer, type OfferOptions } from "../offers.ts"
import { acceptedSections, attributeValue, attributeValues, directionOf, readSdp, type SdpText } from "../sdp-text.ts"

/** The answer's SDP and offers that must be refused: rules 5, 15, 22 to 25, 30, 35, 40. */
export const answerChecks: readonly Check[] = [
  whipCheck({
    id: "recvonly",
    rule: 5,
    section: "4.2",
    level: "MUST",
    title: "An offer that is sendonly is answered recvonly",
    run: async (context) => demandDirection((await context.standard()).answer, "recvonly"),
  }),
  whipCheck({
    id: "recvonly-for-sendrecv",
    rule: 5,
    section: "4.2",
    level: "MUST",
    title: "An offer that is sendrecv is answered recvonly, too",
    async run(context) {
      const { answer } = await context.open(createOffer("whip", { direction: "sendrecv" }))
      return demandDirection(answer, "recvonly")
    },
  }),
  whepCheck({
    id: "sendonly",
    rule: 35,
    section: "4.3.5",
    level: "MUST",
    title: "The answer is sendonly",
    run: async (context) => demandDirection((await context.standard()).answer, "sendonly"),
  }),
  ...sharedCheck({
    id: "candidates",
    rule: 15,
    section: "4.3.2",
    whepSection: "4.5.2",
    level: "MUST",
    title: "The answer holds the server's candidates",
    async run(context) {
      const candidates = candidatesOf((await context.standard()).answer)
      demand(candidates.length > 0, "the answer has no a=candidate")
      return `${candidates.length} candidates`
    },
  }),
  ...sharedCheck({
    id: "first-candidate",
    rule: 15,
    section: "practice: FFmpeg, Firefox",
    whepSection: "practice: Firefox",
    level: "SHOULD",
    title: "The first candidate is a UDP host or reflexive address, not a name",
    async run(context) {
      const [first] = candidatesOf((await context.standard()).answer)
      assume(first !== undefined, "the answer has no a=candidate")
      demand(/^\S+ 1 udp \d+ ([\d.]+|[\da-f]*:[\da-f:.]+) \d+ typ (host|srflx)/i.test(first), `the first is ${first}`)
      return first
    },
  }),
  ...sharedCheck({
    id: "bundle",
    rule: 22,
    section: "4.4.1",
    whepSection: "4.6.1",
    level: "MUST",
    title: "All sections are bundled, with rtcp-mux",
    async run(context) {
      const { answer } = await context.standard()
      const group =
        attributeValues(answer.attributes, "group").find((value) => value.startsWith("BUNDLE")) ?? "no BUNDLE"
      for (const section of acceptedSections(answer)) {
        const mid = attributeValue(section.attributes, "mid") ?? "without mid"
        demand(group.split(/ +/).includes(mid), `section ${mid} is not in a=group:${group}`)
        demand(attributeValue(section.attributes, "rtcp-mux") !== undefined, `section ${mid} has no a=rtcp-mux`)
      }
      return `a=group:${group}`
    },
  }),
  ...sharedCheck({
    id: "rtcp-mux-only",
    rule: 22,
    section: "4.4.1",
    whepSection: "4.6.1",
    level: "MUST",
    title: "Each bundled section says a=rtcp-mux-only",
    async run(context) {
      const sections = acceptedSections((await context.standard()).answer)
      const missing = sections.filter(({ attributes }) => attributeValue(attributes, "rtcp-mux-only") === undefined)
      demand(missing.length === 0, `missing in ${missing.map(({ kind }) => kind).join(", ")}`)
      return `in all ${sections.length} sections`
    },
  }),
  whipCheck({
    id: "second-video-track",
    rule: 23,
    section: "4.4.2",
    level: "MUST",
    title: "A second video track gets 422 or 400",
    run: (context) => demandUnsupported(context, { sections: [...BOTH_KINDS, { kind: "video" }] }),
  }),
  whipCheck({
    id: "second-stream",
    rule: 23,
    section: "4.4.2",
    level: "MUST",
    title: "Tracks of two MediaStreams get 422 or 400",
    run: (context) =>
      demandUnsupported(context, {
        sections: [
          { kind: "audio", streamId: "one" },
          { kind: "video", streamId: "two" },
        ],
      }),
  }),
  whipCheck({
    id: "no-partial-answer",
    rule: 24,
    section: "4.4.3",
    level: "SHOULD",
    title: "An offer with a section that cannot be taken is refused as a whole, with 422 or 400",
    run: (context) =>
      demandUnsupported(context, {
        sections: [
          { kind: "audio" },
          { kind: "video", codecs: { payloadTypes: "96", lines: ["a=rtpmap:96 conformance-unknown/90000"] } },
        ],
      }),
  }),
  whipCheck({
    id: "setup-actpass",
    rule: 25,
    section: "4.4.4",
    level: "MUST",
    title: "setup:actpass is answered active or passive",
    run: (context) => demandSetup(context, "actpass", ["active", "passive"]),
  }),
  whipCheck({
    id: "setup-active",
    rule: 25,
    section: "4.4.4",
    level: "SHOULD",
    title: "setup:active is answered passive, or refused with 422 or 400",
    run: (context) => demandSetup(context, "active", ["passive"]),
  }),
  whipCheck({
    id: "setup-passive",
    rule: 25,
    section: "practice: FFmpeg 8",
    level: "SHOULD",
    title: "setup:passive is answered active, or refused with 422 or 400",
    run: (context) => demandSetup(context, "passive", ["active"]),
  }),
  whipCheck({
    id: "simulcast",
    rule: 30,
    section: "4.8, RFC 8853 5.3.2",
    level: "MUST",
    title: "Simulcast, where it is accepted, is answered with recv and rids that were offered",
    async run(context) {
      const { ids, streams, section } = await simulcastAnswer(context)
      const foreign = ids.filter((id) => !OFFERED_RIDS.includes(id))
      demand(foreign.length === 0, `rids that were not offered: ${foreign.join(", ")}`)
      const rids = attributeValues(section.attributes, "rid")
      const unnamed = ids.filter((id) => !rids.some((rid) => rid.startsWith(`${id} recv`)))
      demand(unnamed.length === 0, `a=simulcast:recv ${streams} without a=rid:${unnamed.join(", ")} recv`)
      return `a=simulcast:recv ${streams}`
    },
  }),
  whipCheck({
    id: "simulcast-all-layers",
    rule: 30,
    section: "practice: OBS",
    level: "SHOULD",
    title: "The simulcast answer has as many layers as the offer",
    async run(context) {
      const { ids, streams } = await simulcastAnswer(context)
      demand(ids.length === OFFERED_RIDS.length, `offered ${OFFERED_RIDS.length} layers, answered ${streams}`)
      return `a=simulcast:recv ${streams}`
    },
  }),
  whepCheck({
    id: "one-stream",
    rule: 40,
    section: "4.6.2",
    level: "MUST",
    title: "The answer has one MediaStream with one track of each kind at most",
    async run(context) {
      const { answer } = await context.standard()
      const sent = acceptedSections(answer).filter((section) => directionOf(section, answer).startsWith("send"))
      const kinds = sent.map(({ kind }) => kind)
      demand(new Set(kinds).size === kinds.length, `tracks: ${kinds.join(", ")}`)
      const tracks = sent.map(({ attributes }) => attributeValues(attributes, "msid"))
      demand(
        tracks.every(({ length }) => length <= 1),
        "a section has more than one a=msid",
      )
      const streams = new Set(tracks.flat().map((msid) => msid.split(" ", 1)[0]))
      demand(streams.size <= 1, `streams: ${[...streams].join(", ")}`)
      return `tracks: ${kinds.join(", ")}`
    },
  }),
]

/** The candidates of an answer, without doubles: bundled sections may repeat them. */
export function candidatesOf({ attributes, sections }: SdpText): string[] {
  const all = [...sections.flatMap((section) => section.attributes), ...attributes]
  return [...new Set(attributeValues(all, "candidate"))]
}

function demandDirection(answer: SdpText, expected: string): string {
  const directions = acceptedSections(answer).map((section) => directionOf(section, answer))
  demand(directions.length > 0 && directions.every((direction) => direction === expected), directions.join(", "))
  return directions.join(", ")
}

async function demandUnsupported(context: ProtocolContext, offer: OfferOptions): Promise<string> {
  const answered = await context.post(createOffer(context.protocol, offer))
  demand(answered.status === 422 || answered.status === 400, summary(answered))
  return summary(answered)
}

async function demandSetup(context: ProtocolContext, setup: "actpass" | "active" | "passive", expected: string[]) {
  const answered = await context.post(createOffer(context.protocol, { setup }))
  if (setup !== "actpass" && (answered.status === 422 || answered.status === 400)) return summary(answered)
  assume(setup === "actpass" ? isSuccess(answered) : true, `no answer: ${summary(answered)}`)
  demand(isSuccess(answered), summary(answered))
  const { attributes, sections } = readSdp(answered.body)
  const roles = [...sections.flatMap((section) => section.attributes), ...attributes]
  const answers = [...new Set(attributeValues(roles, "setup"))]
  demand(answers.length === 1 && expected.includes(answers[0] as string), `answered ${answers.join(", ") || "none"}`)
  return `answered ${answers[0]}`
}

async function simulcastAnswer(context: ProtocolContext) {
  const layers = [...OFFERED_RIDS.map((rid) => `a=rid:${rid} send`), `a=simulcast:send ${OFFERED_RIDS.join(";")}`]
  const ridExtension = "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
  const video = { kind: "video", extraLines: [ridExtension, ...layers] } as const
  const { answer } = await context.open(createOffer("whip", { sections: [{ kind: "audio" }, video] }))
  const section = answer.sections.find(({ kind }) => kind === "video")
  const simulcast = attributeValue(section?.attributes ?? [], "simulcast")
  assume(section !== undefined && simulcast !== undefined, "simulcast is not supported: the answer leaves it out")
  const [direction, streams = ""] = simulcast.split(" ")
  demand(direction === "recv", `answered a=simulcast:${simulcast}`)
  return { section, streams, ids: streams.split(/[;,]/).map((id) => id.replace(/^~/, "")) }
}

const OFFERED_RIDS = ["h", "m", "l"]
