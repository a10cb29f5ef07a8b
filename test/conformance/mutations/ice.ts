import {
  answerWhen,
  edit,
  editWhen,
  forwardWhen,
  isFragment,
  isOffer,
  isSession,
  type Misbehave,
  withHeader,
} from "../stub.ts"
import { BOTH, type Mutation } from "../target.ts"

const isRestart = (call: Parameters<Misbehave>[0], { status }: Response) => isFragment(call) && status === 200
const isTrickle = (call: Parameters<Misbehave>[0], { status }: Response) => isFragment(call) && status === 204
const isBadRestart = (call: Parameters<Misbehave>[0]) => isFragment(call) && call.body.includes("a=ice-pwd:short")

/** Servers that break what PATCH and DELETE do. */
export const iceMutations: readonly Mutation[] = [
  { name: "no PATCH at all", protocols: BOTH, found: ["patch-supported"], create: () => answerWhen(isFragment, 405) },
  {
    name: "restarts give 501",
    protocols: BOTH,
    found: ["other-kind-422"],
    create: () => editWhen(isRestart, { status: 501 }),
  },
  {
    name: "trickled candidates give 501",
    protocols: BOTH,
    found: ["other-kind-422"],
    create: () => editWhen(isTrickle, { status: 501 }),
  },
  {
    name: "restarts give 422, which is right",
    protocols: BOTH,
    found: [],
    create: () => editWhen(isRestart, { status: 422 }),
  },
  {
    name: "DELETE with another tag gives 412",
    protocols: BOTH,
    found: ["delete-ignores-tag"],
    create: () => answerWhen(({ method, headers }) => method === "DELETE" && headers.has("if-match"), 412),
  },
  {
    name: "PATCH needs no If-Match",
    protocols: BOTH,
    found: ["if-match-missing"],
    create: () =>
      forwardWhen(
        (call) => isFragment(call) && !call.headers.has("if-match"),
        (call) => ({ headers: withHeader(call, "if-match", "*") }),
      ),
  },
  {
    name: "PATCH takes tags that never were",
    protocols: BOTH,
    found: ["if-match-other"],
    create: () => lenient(false),
  },
  { name: "PATCH takes tags of before", protocols: BOTH, found: ["restart-etag"], create: () => lenient(true) },
  {
    name: "PATCH takes the asterisk only",
    protocols: BOTH,
    found: ["if-match-own"],
    create: () => answerWhen((call) => isFragment(call) && /^"[^*]/.test(call.headers.get("if-match") ?? ""), 412),
  },
  {
    name: "a trickled candidate gives 200",
    protocols: BOTH,
    found: ["trickle-204"],
    create: () => editWhen(isTrickle, { status: 200 }),
  },
  {
    name: "204 comes with an ETag",
    protocols: BOTH,
    found: ["trickle-204"],
    create: () => editWhen(isTrickle, { headers: { etag: '"ice-2"' } }),
  },
  {
    name: "a candidate with a name gives 400",
    protocols: BOTH,
    found: ["odd-candidates"],
    create: () => answerWhen((call) => isFragment(call) && call.body.includes(".invalid"), 400),
  },
  {
    name: "a candidate with a name ends the session",
    protocols: BOTH,
    found: ["odd-candidates"],
    create: () => deleteAfter((call) => isFragment(call) && call.body.includes(".invalid")),
  },
  {
    name: "a restart is taken for a candidate",
    protocols: BOTH,
    found: ["restart-200"],
    create: () => editWhen(isRestart, { status: 204 }),
  },
  {
    name: "a restart gives no candidates",
    protocols: BOTH,
    found: ["restart-200"],
    create: () => editWhen(isRestart, { body: (text) => text.replace(/a=candidate:.*\r\n/g, "") }),
  },
  {
    name: "a restart gives text/plain",
    protocols: BOTH,
    found: ["restart-200"],
    create: () => editWhen(isRestart, { headers: { "content-type": "text/plain" } }),
  },
  {
    name: "a restart gives no ETag",
    protocols: BOTH,
    found: ["restart-etag"],
    create: () => editWhen(isRestart, { headers: { etag: undefined } }),
  },
  {
    name: "the asterisk in quotes is taken for a tag",
    protocols: BOTH,
    found: ["restart-quoted-asterisk"],
    create: () => answerWhen((call) => isFragment(call) && call.headers.get("if-match") === '"*"', 412),
  },
  {
    name: "a restart makes a full agent of an ICE-lite one",
    protocols: BOTH,
    found: ["restart-same-options"],
    create: () => editWhen(isRestart, { body: (text) => text.replace("a=ice-lite\r\n", "") }),
  },
  {
    name: "a restart gives credentials that do not work",
    protocols: BOTH,
    found: ["restart-works"],
    create: () =>
      editWhen(isRestart, { body: (text) => text.replace(/(a=ice-pwd:).*/, "$1nobodyknowsthispassword00") }),
  },
  {
    name: "a restart that cannot be done gives 204",
    protocols: BOTH,
    found: ["failed-restart-error"],
    create: () => answerWhen(isBadRestart, 204),
  },
  {
    name: "a restart that cannot be done ends the session",
    protocols: BOTH,
    found: ["failed-restart-lives"],
    create: () => deleteAfter(isBadRestart),
  },
  {
    name: "a session that was deleted still answers",
    protocols: BOTH,
    found: ["delete-removes"],
    create: () => {
      const deleted = new Set<string>()
      return async (call, forward) => {
        if (call.method === "DELETE" && isSession(call)) deleted.add(call.path)
        const isGone = call.method === "GET" && deleted.has(call.path)
        return isGone ? new Response(null, { status: 200 }) : forward()
      }
    },
  },
  {
    name: "DELETE gives 204",
    protocols: BOTH,
    found: ["delete-200"],
    create: () => editWhen((call, { ok }) => call.method === "DELETE" && isSession(call) && ok, { status: 204 }),
  },
]

function deleteAfter(when: (call: Parameters<Misbehave>[0]) => boolean): Misbehave {
  return async (call, forward) => {
    const response = await forward()
    if (when(call)) await forward({ method: "DELETE", body: "" })
    return response
  }
}

/** Takes tags that were given out before, or those that never were. */
function lenient(takesOld: boolean): Misbehave {
  const given = new Set<string | null>()
  return async (call, forward) => {
    const tag = call.headers.get("if-match")
    const isTaken = isFragment(call) && tag !== null && given.has(tag) === takesOld
    const response = await forward(isTaken ? { headers: withHeader(call, "if-match", "*") } : {})
    if (isOffer(call) || isFragment(call)) given.add(response.headers.get("etag"))
    return edit(response, {})
  }
}
