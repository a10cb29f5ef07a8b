import { beforeAll, describe, expect, test } from "vitest"
import { ALL_CHECKS } from "../../scripts/lib/conformance/checks/all.ts"
import type { Gateway } from "../../src/gateway.ts"
import { accessMutations } from "../conformance/mutations/access.ts"
import { answerMutations } from "../conformance/mutations/answer.ts"
import { httpUsageMutations } from "../conformance/mutations/http-usage.ts"
import { iceMutations } from "../conformance/mutations/ice.ts"
import { setupMutations } from "../conformance/mutations/setup.ts"
import { whepMutations } from "../conformance/mutations/whep.ts"
import { BOTH, found, type Mutation, publishNothing, runHttpChecks, startTarget } from "../conformance/target.ts"
import { groupScope } from "../support/test-scope.ts"

/** The checks of the conformance suite that HTTP is enough for, against the gateway and against servers that break a rule each. */
const MUTATIONS: readonly Mutation[] = [
  ...httpUsageMutations,
  ...setupMutations,
  ...answerMutations,
  ...iceMutations,
  ...accessMutations,
  ...whepMutations,
]
const CASES = MUTATIONS.flatMap((mutation) => mutation.protocols.map((protocol) => ({ ...mutation, protocol })))
const scope = groupScope()
let gateway: Gateway

beforeAll(async () => {
  // Whoever only signals is not ended while the tests run.
  gateway = await startTarget(scope, { connectTimeoutMs: 600_000 })
  await publishNothing(gateway, "live/watched")
})

const streamOf = (protocol: string, number: number) => (protocol === "whep" ? "live/watched" : `live/whip-${number}`)

describe("the gateway passes all checks", () => {
  test.each(BOTH)("of %s", async (protocol) => {
    const results = await runHttpChecks(gateway, { protocol, stream: streamOf(protocol, -1) })
    const broken = results.filter(({ status }) => status === "fail" || status === "warn")
    expect(broken.map(({ check, seen }) => `${check.id}: ${seen}`)).toEqual([])
    const skipped = results.filter(({ check, status }) => status === "skip" && !check.isUnseen)
    expect(skipped.map(({ check }) => check.id).sort()).toEqual(["bearer-tolerated", "https", "rate-limit"])
  })
})

describe("a server that breaks one rule fails the check of that rule and no other", () => {
  test.concurrent.each(CASES.map((one, number) => ({ ...one, number })))("$protocol: $name", async (one) => {
    const { protocol, number, found: expected, create, options = {} } = one
    const stream = streamOf(protocol, number)
    const endpoint = options.endpoint === undefined ? {} : { endpoint: `${options.endpoint}/${protocol}/${stream}` }
    const results = await runHttpChecks(gateway, { protocol, stream }, { create, options: { ...options, ...endpoint } })
    const details = results.filter(({ status }) => status !== "pass").map(({ check, seen }) => `${check.id}: ${seen}`)
    expect(found(results), details.join("\n")).toEqual(expected)
  })
})

test("each check that HTTP is enough for has a mutation that it alone finds", () => {
  const isFound = (protocol: string, id: string) =>
    CASES.some((one) => one.protocol === protocol && one.found.length === 1 && one.found[0] === id)
  const visible = ALL_CHECKS.filter(({ needs, isUnseen }) => needs === "http" && !isUnseen)
  expect(
    visible.filter(({ protocol, id }) => !isFound(protocol, id)).map(({ protocol, id }) => `${protocol}/${id}`),
  ).toEqual([])
})
