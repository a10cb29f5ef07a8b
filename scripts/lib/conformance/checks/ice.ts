import { assume, type Check, demand, sharedCheck } from "../check.ts"
import { isStrongTag, type OpenSession, type ProtocolContext, summary } from "../context.ts"
import { describe, FRAGMENT, isSuccess, mediaType } from "../http.ts"
import { createFragment, createIce, type IceCredentials } from "../offers.ts"
import { attributeValues, findValue, readSdp } from "../sdp-text.ts"
import { checkIce } from "../stun-probe.ts"
import { candidatesOf } from "./answer.ts"
import { demandRefusal } from "./http-usage.ts"

/** PATCH: trickle ICE and ICE restarts, rules 9 to 14 and 16 to 21, and what answers at the candidates, rule 26. */
export const iceChecks: readonly Check[] = [
  ...sharedCheck({
    id: "patch-supported",
    rule: 9,
    section: "4.3",
    whepSection: "4.5",
    level: "SHOULD",
    title: "PATCH does trickle ICE or ICE restarts",
    async run(context) {
      const [trickle, restart] = await bothKinds(context)
      demand(isSuccess(trickle) || isSuccess(restart), `trickle ${trickle.status}, restart ${restart.status}`)
      return `trickle ${trickle.status}, restart ${restart.status}`
    },
  }),
  ...sharedCheck({
    id: "patch-wrong-type",
    rule: 10,
    section: "4.3.1",
    whepSection: "4.5.1",
    level: "MUST",
    title: "PATCH with another Content-Type gets 4xx",
    async run(context) {
      const { url, ice } = await context.openAt()
      const headers = { "content-type": "text/plain", "if-match": "*" }
      const body = createFragment(ice)
      return demandRefusal(await context.request(url, { method: "PATCH", headers, body }), "text/plain")
    },
  }),
  ...sharedCheck({
    id: "patch-malformed",
    rule: 10,
    section: "4.3.1",
    whepSection: "4.5.1",
    level: "MUST",
    title: "PATCH with a malformed fragment gets 4xx",
    async run(context) {
      const { url } = await context.openAt()
      return demandRefusal(await context.patch({ url, etag: undefined }, "this is no fragment"), "no fragment")
    },
  }),
  ...sharedCheck({
    id: "other-kind-422",
    rule: 11,
    section: "4.3.1",
    whepSection: "4.5.1",
    level: "MUST",
    title: "Where only one of trickle and restart is supported, the other gets 422",
    async run(context) {
      const [trickle, restart] = await bothKinds(context)
      const refused = [trickle, restart].filter((answered) => !isSuccess(answered))
      assume(refused.length < 2, "neither is supported")
      if (refused[0] === undefined) return "both are supported"
      demand(refused[0].status === 422, `trickle ${trickle.status}, restart ${restart.status}`)
      return `trickle ${trickle.status}, restart ${restart.status}`
    },
  }),
  ...sharedCheck({
    id: "delete-ignores-tag",
    rule: 13,
    section: "4.3.1",
    whepSection: "4.5.1",
    level: "MUST",
    title: "DELETE ignores entity-tags",
    async run(context) {
      const { url } = await context.openAt()
      const answered = await context.delete(url, { "if-match": '"of-another-session"' })
      demand(isSuccess(answered), summary(answered))
      return describe(answered)
    },
  }),
  ...sharedCheck({
    id: "if-match-missing",
    rule: 14,
    section: "4.3.1",
    whepSection: "4.5.1",
    level: "MUST",
    title: "PATCH without If-Match gets 428",
    async run(context) {
      const session = await context.openAt()
      await context.trickle(session)
      const headers = { "content-type": FRAGMENT }
      const answered = await context.request(session.url, {
        method: "PATCH",
        headers,
        body: createFragment(session.ice),
      })
      demand(answered.status === 428, summary(answered))
      return describe(answered)
    },
  }),
  ...sharedCheck({
    id: "if-match-other",
    rule: 14,
    section: "4.3.1",
    whepSection: "4.5.1",
    level: "MUST",
    title: "PATCH with another If-Match than the session's ETag gets 412",
    async run(context) {
      const session = await context.openAt()
      await context.trickle(session)
      const answered = await patchTag(context, session, '"of-another-session"')
      demand(answered.status === 412, summary(answered))
      return describe(answered)
    },
  }),
  ...sharedCheck({
    id: "if-match-own",
    rule: 16,
    section: "4.3.2",
    whepSection: "4.5.2",
    level: "MUST",
    title: "PATCH with the session's own ETag is taken",
    async run(context) {
      const session = await context.openAt()
      await context.trickle(session)
      assume(isStrongTag(session.etag), `ETag is ${session.etag ?? "missing"}`)
      const answered = await patchTag(context, session, session.etag)
      demand(isSuccess(answered), summary(answered))
      return describe(answered)
    },
  }),
  ...sharedCheck({
    id: "trickle-204",
    rule: 17,
    section: "4.3.2",
    whepSection: "4.5.2",
    level: "MUST",
    title: "A trickled candidate gets 204 without body and ETag",
    async run(context) {
      const answered = await context.trickle(await context.openAt())
      demand(answered.status === 204 && answered.body === "", summary(answered))
      demand(!answered.headers.has("etag"), `204 with ETag ${answered.headers.get("etag")}`)
      return describe(answered)
    },
  }),
  ...sharedCheck({
    id: "odd-candidates",
    rule: 18,
    section: "4.3.2",
    whepSection: "4.5.2",
    level: "MUST",
    title: "Candidates that cannot be used are dropped without an error",
    async run(context) {
      const session = await context.openAt()
      await context.trickle(session)
      const answered = await context.patch(session, createFragment(session.ice, ODD_CANDIDATES))
      demand(isSuccess(answered), summary(answered))
      demand(await context.isAlive(session.url), "the session is gone afterwards")
      return describe(answered)
    },
  }),
  ...sharedCheck({
    id: "restart-200",
    rule: 19,
    section: "4.3.3",
    whepSection: "4.5.3",
    level: "MUST",
    title: "An ICE restart gets 200 with a fragment: new credentials, candidates",
    async run(context) {
      const session = await context.openAt()
      const answered = await context.restart(session)
      demand(answered.status === 200, `${describe(answered)}: new credentials were not taken as a restart`)
      demand(mediaType(answered) === FRAGMENT, `Content-Type is ${mediaType(answered) || "missing"}`)
      const fragment = readSdp(answered.body)
      for (const name of ["ice-ufrag", "ice-pwd"]) {
        const value = findValue(fragment, name)
        demand(value !== undefined && value !== findValue(session.answer, name), `a=${name} is ${value ?? "missing"}`)
      }
      demand(candidatesOf(fragment).length > 0, "the fragment has no candidates")
      return `${describe(answered)} with ${candidatesOf(fragment).length} candidates`
    },
  }),
  ...sharedCheck({
    id: "restart-etag",
    rule: 19,
    section: "4.3.3",
    whepSection: "4.5.3",
    level: "MUST",
    title: "An ICE restart gives a new ETag, and the one before is no longer valid",
    async run(context) {
      const session = await context.openAt()
      const answered = await context.restart(session)
      assume(answered.status === 200, describe(answered))
      const etag = answered.headers.get("etag") ?? undefined
      demand(isStrongTag(etag) && etag !== session.etag, `ETag is ${etag ?? "missing"}, before it was ${session.etag}`)
      if (session.etag !== undefined) {
        const old = await patchTag(context, { url: session.url, ice: answered.ice }, session.etag)
        demand(old.status === 412, `the ETag of before: ${summary(old)}`)
      }
      return `ETag: ${etag}`
    },
  }),
  ...sharedCheck({
    id: "restart-quoted-asterisk",
    rule: 19,
    section: "4.3.3 (example)",
    whepSection: "4.5.3 (example)",
    level: "SHOULD",
    title: "If-Match with the asterisk in quotes restarts ICE, too",
    async run(context) {
      await context.restart(await context.openAt())
      await context.cleanUp()
      const { url } = await context.openAt()
      const answered = await patchTag(context, { url, ice: createIce() }, '"*"')
      demand(isSuccess(answered), summary(answered))
      return describe(answered)
    },
  }),
  ...sharedCheck({
    id: "restart-same-options",
    rule: 20,
    section: "4.3.3",
    whepSection: "4.5.3",
    level: "MUST",
    title: "ice-lite, ice-options and ice-pacing stay as they were",
    async run(context) {
      const session = await context.openAt()
      const answered = await context.restart(session)
      assume(answered.status === 200, describe(answered))
      const fragment = readSdp(answered.body)
      for (const name of ["ice-lite", "ice-options", "ice-pacing"]) {
        const [before, after] = [findValue(session.answer, name), findValue(fragment, name)]
        demand(after === before || (after === undefined && name !== "ice-lite"), `a=${name} was ${before}, is ${after}`)
      }
      return "the same"
    },
  }),
  ...sharedCheck({
    id: "restart-works",
    rule: 20,
    section: "4.3.3",
    whepSection: "4.5.3",
    level: "MUST",
    title: "After a restart the server answers ICE checks under the new credentials",
    async run(context) {
      const session = await context.openAt()
      assume(await answersChecks(session), "the server does not answer ICE checks from here")
      const answered = await context.restart(session)
      assume(answered.status === 200, describe(answered))
      const fragment = readSdp(answered.body)
      const remote = { ufrag: findValue(fragment, "ice-ufrag") ?? "", pwd: findValue(fragment, "ice-pwd") ?? "" }
      const candidates = candidatesOf(fragment).length > 0 ? candidatesOf(fragment) : candidatesOf(session.answer)
      demand(await checkIce(candidates, answered.ice, remote), "no answer to checks")
      return "checks are answered"
    },
  }),
  ...sharedCheck({
    id: "failed-restart-error",
    rule: 21,
    section: "4.3.3",
    whepSection: "4.5.3",
    level: "MUST",
    title: "A restart that cannot be done gets an error",
    async run(context) {
      await context.restart(await context.openAt())
      await context.cleanUp()
      const { url } = await context.openAt()
      const answered = await context.patch({ url, etag: undefined }, createFragment(BAD_ICE))
      demand(!isSuccess(answered), `credentials that are too short: ${describe(answered)}`)
      return summary(answered)
    },
  }),
  ...sharedCheck({
    id: "failed-restart-lives",
    rule: 21,
    section: "4.3.3",
    whepSection: "4.5.3",
    level: "MUST",
    title: "A restart that cannot be done leaves the session as it was",
    async run(context) {
      await context.restart(await context.openAt())
      await context.cleanUp()
      const session = await context.openAt()
      const canCheck = await answersChecks(session)
      await context.patch({ url: session.url, etag: undefined }, createFragment(BAD_ICE))
      demand(await context.isAlive(session.url), "the session is gone")
      demand(!canCheck || (await answersChecks(session)), "ICE checks are no longer answered")
      return canCheck ? "ICE checks are still answered" : "its address still answers"
    },
  }),
  ...sharedCheck({
    id: "answers-checks",
    rule: 26,
    section: "4.4.5",
    whepSection: "4.6.3",
    level: "SHOULD",
    title: "ICE checks from an unknown address are answered at a candidate",
    async run(context) {
      const session = await context.openAt()
      assume(candidatesOf(session.answer).length > 0, "the answer has no a=candidate")
      const kind = findValue(session.answer, "ice-lite") === undefined ? "full ICE" : "ICE-lite"
      demand(await answersChecks(session), `${kind}: no answer from ${candidatesOf(session.answer).join(" | ")}`)
      return `${kind}, checks are answered`
    },
  }),
]

/** Trickles to a session and restarts ICE in another one, and gives both answers. */
async function bothKinds(context: ProtocolContext) {
  const first = await context.openAt()
  const trickle = await context.patch(first, createFragment(first.ice))
  await context.delete(first.url)
  const second = await context.openAt()
  const restart = await context.patch({ url: second.url, etag: undefined }, createFragment(createIce()))
  return [trickle, restart] as const
}

function patchTag(context: ProtocolContext, { url, ice }: { url: string; ice: IceCredentials }, ifMatch: string) {
  const headers = { "content-type": FRAGMENT, "if-match": ifMatch }
  return context.request(url, { method: "PATCH", headers, body: createFragment(ice) })
}

/** Whether the server answers an ICE check that this session's client sends. */
export function answersChecks({ answer, ice }: OpenSession): Promise<boolean> {
  const all = [...answer.sections.flatMap(({ attributes }) => attributes), ...answer.attributes]
  const [ufrag = ""] = attributeValues(all, "ice-ufrag")
  const [pwd = ""] = attributeValues(all, "ice-pwd")
  return checkIce(candidatesOf(answer), ice, { ufrag, pwd })
}

/** Shorter than RFC 8839 section 5.4 allows. */
const BAD_ICE: IceCredentials = { ufrag: "new1", pwd: "short" }
const ODD_CANDIDATES = [
  "1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
  "2 1 sctp 1518280446 192.0.2.1 9 typ host",
  "3 1 udp 1518280445 2b0a1d1c-4d4b-4f2e-9d35-5b3c9a6b7e10.local 50000 typ host",
  "4 1 udp 1518280444 nowhere.invalid 50000 typ host",
]
