import { describe, expect, test } from "vitest"
import type { AccessAction } from "../../src/access/access.ts"
import { AccessPolicy, type AccessPolicyOptions } from "../../src/access/access-policy.ts"
import type { AccessRule, Requirement } from "../../src/access/rules.ts"
import { SecretHasher } from "../../src/access/token-set.ts"
import { GatewayError } from "../../src/errors.ts"
import { parseStreamName } from "../../src/hub/stream-name.ts"

const CAM1 = parseStreamName("live", "cam1")
const CLAIMS: Record<string, object> = {
  "good-jwt": { app: "live", stream: "cam1", action: ["publish", "play"], sub: "me" },
  "other-jwt": { app: "live", stream: "cam2", action: ["publish", "play"], sub: "me" },
}

interface Told {
  readonly asked: string[]
  readonly done: object[]
}

function policyOf(rules: readonly AccessRule[], changes: Partial<AccessPolicyOptions> = {}): AccessPolicy & Told {
  const told: Told = { asked: [], done: [] }
  const policy = new AccessPolicy({
    rules,
    adminTokens: [],
    hasher: new SecretHasher(new Uint8Array(16)),
    verifyJwt: async (token) => {
      if (token === "unverifiable-jwt") throw new GatewayError("access.unavailable", "no key set")
      const claims = CLAIMS[token]
      if (claims === undefined) throw new GatewayError("access.invalid", "not a JWT of ours")
      return { ...claims }
    },
    callbacks: {
      ask: async ({ token }) => {
        told.asked.push(token ?? "nothing")
        if (token === "refused-key") throw new GatewayError("access.denied", "no")
        return { identity: token === "named-key" ? "callback:me" : undefined }
      },
      tellDone: (request, identity, outcome) => told.done.push({ action: request.action, identity, ...outcome }),
    },
    ...changes,
  })
  return Object.assign(policy, told)
}

function everywhere(needs: Requirement): AccessRule[] {
  return [{ stream: "*", publish: needs, play: needs }]
}

function ask(policy: AccessPolicy, token: string | undefined, action: AccessAction = "publish") {
  return policy.authorize({ action, stream: CAM1, token, protocol: "whip", remoteAddress: undefined })
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error) => (error instanceof GatewayError ? error.code : String(error)),
  )
}

describe("what a rule demands", () => {
  const long = "x".repeat(8_193)
  test.each<{ needs: Requirement; token?: string; expected: string }>([
    { needs: "anyone", expected: "ok" },
    { needs: "anyone", token: "whatever", expected: "ok" },
    { needs: "nobody", expected: "access.denied" },
    { needs: "nobody", token: "good-jwt", expected: "access.denied" },
    { needs: { tokens: ["key-1", "key-2"] }, token: "key-2", expected: "ok" },
    { needs: { tokens: ["key-1", "key-2"] }, token: "key-3", expected: "access.invalid" },
    { needs: { tokens: ["key-1"] }, token: "key-1 ", expected: "access.invalid" },
    { needs: { tokens: ["key-1"] }, token: "", expected: "access.invalid" },
    { needs: { tokens: ["key-1"] }, expected: "access.required" },
    { needs: { tokens: ["key-1"] }, token: "good-jwt", expected: "access.invalid" },
    { needs: { tokens: [long] }, token: long, expected: "access.invalid" },
    { needs: { jwt: true }, token: "good-jwt", expected: "ok" },
    { needs: { jwt: true }, token: "other-jwt", expected: "access.denied" },
    { needs: { jwt: true }, token: "bad-jwt", expected: "access.invalid" },
    { needs: { jwt: true }, token: "unverifiable-jwt", expected: "access.unavailable" },
    { needs: { jwt: true }, expected: "access.required" },
    { needs: { tokens: ["key-1"], jwt: true }, token: "key-1", expected: "ok" },
    { needs: { tokens: ["key-1"], jwt: true }, token: "good-jwt", expected: "ok" },
    { needs: { callback: true }, expected: "ok" },
    { needs: { callback: true }, token: "refused-key", expected: "access.denied" },
    { needs: { tokens: ["key-1", "refused-key"], callback: true }, token: "key-1", expected: "ok" },
    { needs: { tokens: ["key-1", "refused-key"], callback: true }, token: "refused-key", expected: "access.denied" },
  ])("$needs with the token $token: $expected", async ({ needs, token, expected }) => {
    expect(await codeOf(ask(policyOf(everywhere(needs)), token))).toBe(expected)
  })
})

test("the callback is not asked about credentials that are wrong anyway", async () => {
  const policy = policyOf(everywhere({ tokens: ["key-1"], callback: true }))
  await codeOf(ask(policy, "key-2"))
  await codeOf(ask(policy, undefined))
  expect(policy.asked).toEqual([])
})

test("a refusal says what is needed and never holds the token", async () => {
  const policy = policyOf(everywhere({ tokens: ["key-1"], jwt: true }))
  for (const token of ["secret-token", "other-jwt", undefined]) {
    const error = await ask(policy, token).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(GatewayError)
    expect((error as GatewayError).message).not.toContain(token ?? "undefined")
  }
})

describe("identity", () => {
  test("of a token: the same for the same token, and no part of it", async () => {
    const policy = policyOf(everywhere({ tokens: ["stream-key-1", "stream-key-2"] }))
    const { identity } = await ask(policy, "stream-key-1")
    expect((await ask(policy, "stream-key-1")).identity).toBe(identity)
    expect((await ask(policy, "stream-key-2")).identity).not.toBe(identity)
    expect(identity).not.toContain("stream-key-1")
  })

  test("of a token that nobody demanded lets its bearer return, too", async () => {
    const policy = policyOf(everywhere("anyone"))
    expect((await ask(policy, "mine")).identity).toBe((await ask(policy, "mine")).identity)
    expect((await ask(policy, undefined)).identity).toBeUndefined()
  })

  test("cannot be taken by a token that spells it", async () => {
    const policy = policyOf(everywhere({ tokens: ["stream-key-1"], jwt: true }))
    const { identity } = await ask(policy, "good-jwt")
    expect((await ask(policyOf(everywhere("anyone")), identity)).identity).not.toBe(identity)
  })

  test("is what the callback says", async () => {
    const policy = policyOf(everywhere({ callback: true }))
    expect((await ask(policy, "named-key")).identity).toBe("callback:me")
  })
})

test("the end of a session is told once", async () => {
  const policy = policyOf(everywhere("anyone"))
  const grant = await ask(policy, "mine", "play")
  const outcome = { sessionId: "s", reason: "bye", durationMs: 1, bytes: 2 }
  grant.ended(outcome)
  grant.ended({ ...outcome, reason: "again" })
  expect(policy.done).toEqual([{ action: "play", identity: grant.identity, ...outcome }])
})

describe("lists", () => {
  const rules: AccessRule[] = [
    { stream: "live/open", publish: "nobody", play: "anyone" },
    { stream: "live/closed", publish: "anyone", play: "nobody" },
    { stream: "live/keyed", publish: "nobody", play: { tokens: ["viewer-key"] } },
    { stream: "live/asked", publish: "nobody", play: { tokens: ["viewer-key"], callback: true } },
    { stream: "live/*", publish: "nobody", play: { jwt: true } },
  ]
  const streams = ["live/open", "live/closed", "live/keyed", "live/asked", "live/cam1", "live/cam2", "studio/cam1"]
  test.each([
    { token: undefined, expected: ["live/open"] },
    { token: "wrong-key", expected: ["live/open"] },
    { token: "unverifiable-jwt", expected: ["live/open"] },
    { token: "x".repeat(8_193), expected: ["live/open"] },
    { token: "viewer-key", expected: ["live/open", "live/keyed"] },
    { token: "good-jwt", expected: ["live/open", "live/cam1"] },
    { token: "admin-key", expected: streams },
  ])("show the bearer of $token what it may play", async ({ token, expected }) => {
    const policy = policyOf(rules, { adminTokens: ["admin-key"] })
    expect(streams.filter(await policy.permitted("play", token))).toEqual(expected)
    expect(policy.asked).toEqual([])
  })
})

test.each([
  { adminTokens: ["admin-key"], token: "admin-key", expected: "ok" },
  { adminTokens: ["admin-key"], token: "admin", expected: "access.invalid" },
  { adminTokens: ["admin-key"], token: "good-jwt", expected: "access.invalid" },
  { adminTokens: ["admin-key"], token: undefined, expected: "access.required" },
  { adminTokens: [], token: "", expected: "access.denied" },
  { adminTokens: [], token: undefined, expected: "access.denied" },
])("administration with $adminTokens by $token: $expected", async ({ adminTokens, token, expected }) => {
  expect(await codeOf(policyOf(everywhere("anyone"), { adminTokens }).requireAdmin(token))).toBe(expected)
})
