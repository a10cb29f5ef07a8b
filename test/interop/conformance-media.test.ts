import { beforeAll, describe, expect, test } from "vitest"
import { ALL_CHECKS } from "../../scripts/lib/conformance/checks/all.ts"
import { ruleLabel } from "../../scripts/lib/conformance/report.ts"
import type { Result } from "../../scripts/lib/conformance/run.ts"
import type { Gateway } from "../../src/gateway.ts"
import { peerMutations } from "../conformance/mutations/peer.ts"
import { found, runPeerChecks, startTarget } from "../conformance/target.ts"
import { groupScope } from "../support/test-scope.ts"

/** The checks of the conformance suite that need ICE, DTLS and media, with libdatachannel as peer. */
const scope = groupScope()
let gateway: Gateway

beforeAll(async () => {
  gateway = await startTarget(scope, { idleTimeoutMs: 1_500 })
})

const details = (results: readonly Result[]) =>
  results
    .map(({ check, status, seen }) => `${status} ${check.protocol} ${ruleLabel(check)} ${check.id}: ${seen}`)
    .join("\n")

test("the gateway passes all checks that need a peer", async () => {
  const results = await runPeerChecks(gateway, "live/conforming")
  expect(
    results.filter(({ status }) => status !== "pass"),
    details(results),
  ).toEqual([])
  expect(results).toHaveLength(ALL_CHECKS.filter(({ needs }) => needs === "peer").length)
})

describe("a server that breaks one rule fails the check of that rule and no other", () => {
  test.concurrent.each(peerMutations.map((mutation, number) => ({ ...mutation, number })))(
    "$name",
    async (mutation) => {
      const stream = `live/broken-${mutation.number}`
      const results = await runPeerChecks(gateway, stream, mutation)
      expect(found(results), details(results)).toEqual(mutation.found)
    },
  )

  test("each check that needs a peer is found so", () => {
    const isFound = (protocol: string, id: string) =>
      peerMutations.some(({ protocols, found }) => protocols.some((one) => one === protocol) && found.includes(id))
    const needed = ALL_CHECKS.filter(({ needs }) => needs === "peer")
    expect(needed.filter(({ protocol, id }) => !isFound(protocol, id)).map(({ id }) => id)).toEqual([])
  })
})
