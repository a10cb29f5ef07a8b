import { z } from "zod"
import { listOf, orJson, positive } from "./config-values.ts"

const token = z.string().min(8, "a token needs 8 characters or more")

const tokenList = listOf(z.array(token).max(1_000))

const httpUrl = z
  .url({ protocol: /^https?$/, error: "must be an http or https address" })
  .refine((url) => new URL(url).username === "" && new URL(url).password === "", {
    error: "must hold no user name and no password; a secret can stand in its query",
  })

const Requirement = z.union([
  z.literal(["anyone", "nobody"]),
  z
    .strictObject({
      tokens: z.array(token).min(1).optional(),
      jwt: z.literal(true).optional(),
      callback: z.literal(true).optional(),
    })
    .refine(({ tokens, jwt, callback }) => tokens !== undefined || jwt || callback, {
      error: 'needs tokens, jwt or callback; who needs nothing is "anyone"',
    }),
])

const Rule = z.strictObject({
  stream: z.string().regex(/^(\*|[\w.*-]+\/[\w.*-]+)$/, 'must look like "live/cam1", "live/*" or "*"'),
  publish: Requirement,
  play: Requirement,
})

const names = z.preprocess((value) => (typeof value === "string" ? [value] : value), z.array(z.string().min(1)).min(1))

const Jwt = z
  .strictObject({
    secret: z
      .string()
      .min(32, "HS256 needs a secret of 32 characters or more")
      .optional()
      .describe("HS256: the secret that tokens are signed with"),
    publicKey: z
      .string()
      .min(1)
      .optional()
      .describe("the issuer's public key as PEM or JWK; `\\n` may stand for a line's end"),
    jwksUrl: httpUrl.optional().describe("address of the issuer's public keys, a JSON Web Key Set"),
    algorithms: listOf(z.array(z.enum(["HS256", "RS256", "PS256", "ES256", "EdDSA"])).min(1))
      .optional()
      .describe("algorithms that are accepted, of those that fit the key; without it all of them"),
    issuer: names.optional().describe("accepted `iss`"),
    audience: names.optional().describe("accepted `aud`"),
    clockToleranceMs: z.coerce
      .number()
      .int()
      .min(0)
      .max(300_000)
      .default(5_000)
      .describe("how far the issuer's clock may be off"),
    jwksTimeoutMs: positive.default(5_000).describe("time for the key set to come"),
    jwksCacheMaxMs: positive.default(600_000).describe("the key set is fetched anew when it is older"),
    jwksCooldownMs: positive.default(30_000).describe("an unknown key fetches it anew at most so often"),
  })
  .refine(
    ({ secret, publicKey, jwksUrl }) => [secret, publicKey, jwksUrl].filter((key) => key !== undefined).length === 1,
    {
      error: "needs exactly one of secret, publicKey and jwksUrl",
    },
  )

const Callbacks = z.strictObject({
  onPublish: httpUrl.optional().describe("asked by POST whether a publisher may begin; 2xx is yes"),
  onPlay: httpUrl.optional().describe("asked whether a viewer or reader may begin"),
  onPublishDone: httpUrl.optional().describe("told when a publisher is gone"),
  onPlayDone: httpUrl.optional().describe("told when a viewer or reader is gone"),
  timeoutMs: positive.default(5_000).describe("time for an answer"),
  onFailure: z
    .enum(["refuse", "allow"])
    .default("refuse")
    .describe("what happens to sessions when no answer comes: refuse or allow"),
  maxConcurrent: positive.default(32).describe("requests at once"),
  maxWaiting: positive.default(1_000).describe("requests that wait for their turn; more are refused"),
})

/** Who may publish, play and administer. */
export const Access = z
  .strictObject({
    publishTokens: tokenList.default([]).describe("tokens or stream keys that let publish; without any, everyone may"),
    playTokens: tokenList.default([]).describe("tokens that let play; without any, everyone may"),
    adminTokens: tokenList.default([]).describe("tokens that let use the administrative API"),
    rules: orJson(z.array(Rule).max(1_000))
      .default([])
      .describe("rules by stream, see docs/access.md; the first that names it decides"),
    jwt: Jwt.optional(),
    callbacks: Callbacks.prefault({}),
  })
  .check((context) => {
    const { rules, jwt, callbacks } = context.value
    for (const [index, rule] of rules.entries()) {
      for (const action of ["publish", "play"] as const) {
        const needs = rule[action]
        if (typeof needs === "string") continue
        const missing =
          needs.jwt && jwt === undefined
            ? "access.jwt"
            : needs.callback && callbacks[action === "publish" ? "onPublish" : "onPlay"] === undefined
              ? `access.callbacks.${action === "publish" ? "onPublish" : "onPlay"}`
              : undefined
        if (missing === undefined) continue
        const path = ["rules", index, action]
        context.issues.push({ code: "custom", input: needs, path, message: `needs ${missing} to be set` })
      }
    }
  })
