import { type Check, NotApplicable, sharedCheck, whepCheck, whipCheck } from "../check.ts"

/** Rules, or parts of rules, that a client cannot see: they are listed so that nobody thinks they were checked. */
export const unseenChecks: readonly Check[] = [
  ...sharedCheck({
    id: "old-candidates",
    rule: 20,
    section: "4.3.3",
    whepSection: "4.5.3",
    level: "MUST",
    title: "A restart replaces the client's candidates",
    ...unseen("which of the client's candidates a server keeps shows nowhere"),
  }),
  ...sharedCheck({
    id: "retry-after",
    rule: 27,
    section: "4.5",
    whepSection: "4.7",
    level: "MAY",
    title: "A server without capacity redirects by 307, or gives 503 with Retry-After",
    ...unseen("only a server that is overloaded does so"),
  }),
  whipCheck({
    id: "extensions-optional",
    rule: 31,
    section: "4.9",
    level: "MUST",
    title: "No extension is required",
    ...unseen("it holds as far as all other checks use none"),
  }),
  whepCheck({
    id: "codec-list",
    rule: 39,
    section: "4.3.6",
    level: "SHOULD",
    title: "Servers keep the codecs of the offer, to change the source",
    ...unseen("it is advice for players, and what a server keeps shows nowhere"),
  }),
]

function unseen(reason: string): Pick<Check, "isUnseen" | "run"> {
  const run = async () => {
    throw new NotApplicable(`not observable from outside: ${reason}`)
  }
  return { isUnseen: true, run }
}
