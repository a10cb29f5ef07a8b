import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto"
import { exportJWK, type JWTPayload, SignJWT } from "jose"
import { describe, expect, test } from "vitest"
import { GatewayError } from "../../../src/errors.ts"
import { createJwtVerifier, type JwtOptions } from "../../../src/io/access/jwt.ts"
import { gatewayErrorCode } from "../../support/errors.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { type Answer, json, startLocalServer } from "./local-server.ts"

const scope = testScope()
const SECRET = "a secret of thirty-two characters"
const RSA = generateKeyPairSync("rsa", { modulusLength: 2_048 })
const OTHER_RSA = generateKeyPairSync("rsa", { modulusLength: 2_048 })
const EC = generateKeyPairSync("ec", { namedCurve: "P-256" })
const ED = generateKeyPairSync("ed25519")
const TIMES = { clockToleranceMs: 5_000, jwksTimeoutMs: 2_000, jwksCacheMaxMs: 600_000, jwksCooldownMs: 30_000 }
const CLAIMS = { app: "live", stream: "cam1", action: "publish" }

interface TokenOptions {
  readonly claims?: JWTPayload
  readonly expiresInS?: number | undefined
  readonly kid?: string
}

function sign(
  alg: string,
  key: KeyObject | string,
  { claims = {}, kid, ...times }: TokenOptions = {},
): Promise<string> {
  const jwt = new SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
  const expiresInS = "expiresInS" in times ? times.expiresInS : 60
  if (expiresInS !== undefined) jwt.setExpirationTime(nowS() + expiresInS)
  return jwt.sign(typeof key === "string" ? new TextEncoder().encode(key) : key)
}

function nowS(): number {
  return Math.floor(Date.now() / 1000)
}

function pem({ publicKey }: { readonly publicKey: KeyObject }): string {
  return publicKey.export({ type: "spki", format: "pem" }) as string
}

/** A token that no library would make. */
function forge(header: object, signature: (signed: string) => string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
  const signed = `${part(header)}.${part({ ...CLAIMS, exp: nowS() + 60 })}`
  return `${signed}.${signature(signed)}`
}

function hmac(secret: string): (signed: string) => string {
  return (signed) => createHmac("sha256", secret).update(signed).digest("base64url")
}

async function verify(options: Partial<JwtOptions>, token: string): Promise<string> {
  const verifyJwt = createJwtVerifier({ ...TIMES, ...options }, () => {})
  return verifyJwt(token).then(
    () => "ok",
    (error) => (error instanceof GatewayError ? error.code : String(error)),
  )
}

describe("algorithms", () => {
  test.each<{ alg: string; options: Partial<JwtOptions>; key: KeyObject | string }>([
    { alg: "HS256", options: { secret: SECRET }, key: SECRET },
    { alg: "RS256", options: { publicKey: pem(RSA) }, key: RSA.privateKey },
    { alg: "PS256", options: { publicKey: pem(RSA) }, key: RSA.privateKey },
    { alg: "ES256", options: { publicKey: pem(EC) }, key: EC.privateKey },
    { alg: "EdDSA", options: { publicKey: pem(ED) }, key: ED.privateKey },
    { alg: "ES256", options: { publicKey: pem(EC).replaceAll("\n", "\\n") }, key: EC.privateKey },
    {
      alg: "ES256",
      options: { publicKey: JSON.stringify(EC.publicKey.export({ format: "jwk" })) },
      key: EC.privateKey,
    },
  ])("$alg is verified", async ({ alg, options, key }) => {
    expect(await verify(options, await sign(alg, key))).toBe("ok")
  })

  test("claims come out as they went in", async () => {
    const verifyJwt = createJwtVerifier({ ...TIMES, secret: SECRET }, () => {})
    expect(await verifyJwt(await sign("HS256", SECRET))).toMatchObject(CLAIMS)
  })

  const header = { typ: "JWT" }
  test.each<{ name: string; options: Partial<JwtOptions>; token: string | Promise<string> }>([
    { name: "alg none", options: { secret: SECRET }, token: forge({ ...header, alg: "none" }, () => "") },
    { name: "alg None", options: { secret: SECRET }, token: forge({ ...header, alg: "None" }, () => "") },
    { name: "alg none for a public key", options: { publicKey: pem(RSA) }, token: forge({ alg: "none" }, () => "") },
    { name: "no alg", options: { secret: SECRET }, token: forge(header, hmac(SECRET)) },
    {
      name: "the public key taken for a secret",
      options: { publicKey: pem(RSA) },
      token: forge({ ...header, alg: "HS256" }, hmac(pem(RSA))),
    },
    {
      name: "the public key taken for a secret, without its last line's end",
      options: { publicKey: pem(RSA) },
      token: forge({ ...header, alg: "HS256" }, hmac(pem(RSA).trim())),
    },
    { name: "another secret", options: { secret: SECRET }, token: sign("HS256", `${SECRET}.`) },
    { name: "a longer HMAC", options: { secret: SECRET }, token: sign("HS512", SECRET.repeat(2)) },
    { name: "another key", options: { publicKey: pem(RSA) }, token: sign("RS256", OTHER_RSA.privateKey) },
    { name: "another kind of key", options: { publicKey: pem(RSA) }, token: sign("ES256", EC.privateKey) },
    {
      name: "an algorithm that the configuration leaves out",
      options: { publicKey: pem(RSA), algorithms: ["RS256"] },
      token: sign("PS256", RSA.privateKey),
    },
    {
      name: "a key that the token brings along",
      options: { publicKey: pem(RSA) },
      token: (async () =>
        new SignJWT(CLAIMS)
          .setProtectedHeader({ alg: "RS256", jwk: await exportJWK(OTHER_RSA.publicKey) })
          .setExpirationTime(nowS() + 60)
          .sign(OTHER_RSA.privateKey))(),
    },
    {
      name: "an unknown critical header",
      options: { secret: SECRET },
      token: forge({ alg: "HS256", crit: ["x"], x: 1 }, hmac(SECRET)),
    },
    { name: "no JWT at all", options: { secret: SECRET }, token: "stream-key" },
    { name: "empty text", options: { secret: SECRET }, token: "" },
    { name: "dots", options: { secret: SECRET }, token: ".." },
    { name: "claims that are no object", options: { secret: SECRET }, token: hmacOf("[]") },
  ])("$name is refused", async ({ options, token }) => {
    expect(await verify(options, await token)).toBe("access.invalid")
  })

  test("a changed claim breaks the signature", async () => {
    const [header = "", , signature = ""] = (await sign("HS256", SECRET)).split(".")
    const claims = Buffer.from(JSON.stringify({ ...CLAIMS, stream: "*", exp: nowS() + 60 })).toString("base64url")
    expect(await verify({ secret: SECRET }, `${header}.${claims}.${signature}`)).toBe("access.invalid")
  })
})

function hmacOf(payload: string): string {
  const signed = [JSON.stringify({ alg: "HS256" }), payload]
    .map((part) => Buffer.from(part).toString("base64url"))
    .join(".")
  return `${signed}.${hmac(SECRET)(signed)}`
}

describe("times, issuer and audience", () => {
  test.each<{ name: string; options?: Partial<JwtOptions>; token: TokenOptions; expected: string }>([
    { name: "expired", token: { expiresInS: -10 }, expected: "access.invalid" },
    { name: "expired within the tolerance", token: { expiresInS: -2 }, expected: "ok" },
    {
      name: "expired without tolerance",
      options: { clockToleranceMs: 0 },
      token: { expiresInS: -2 },
      expected: "access.invalid",
    },
    { name: "without expiry", token: { expiresInS: undefined }, expected: "access.invalid" },
    { name: "not valid yet", token: { claims: { nbf: nowS() + 600 } }, expected: "access.invalid" },
    { name: "valid since now", token: { claims: { nbf: nowS() } }, expected: "ok" },
    {
      name: "with another issuer",
      options: { issuer: ["a", "b"] },
      token: { claims: { iss: "c" } },
      expected: "access.invalid",
    },
    { name: "without an issuer", options: { issuer: ["a"] }, token: {}, expected: "access.invalid" },
    {
      name: "with one of the issuers",
      options: { issuer: ["a", "b"] },
      token: { claims: { iss: "b" } },
      expected: "ok",
    },
    {
      name: "for another audience",
      options: { audience: ["a"] },
      token: { claims: { aud: ["b", "c"] } },
      expected: "access.invalid",
    },
    { name: "without an audience", options: { audience: ["a"] }, token: {}, expected: "access.invalid" },
    {
      name: "for several audiences",
      options: { audience: ["a"] },
      token: { claims: { aud: ["b", "a"] } },
      expected: "ok",
    },
    { name: "with a time that is text", token: { claims: { nbf: "soon" as never } }, expected: "access.invalid" },
  ])("a token $name: $expected", async ({ options, token, expected }) => {
    expect(await verify({ secret: SECRET, ...options }, await sign("HS256", SECRET, token))).toBe(expected)
  })
})

test.each<{ name: string; options: Partial<JwtOptions> }>([
  { name: "text that is no key", options: { publicKey: "no key" } },
  { name: "a secret as JWK", options: { publicKey: JSON.stringify({ kty: "oct", k: "AAAA" }) } },
  { name: "another curve", options: { publicKey: pem(generateKeyPairSync("ec", { namedCurve: "P-384" })) } },
  { name: "algorithms that the key cannot do", options: { publicKey: pem(EC), algorithms: ["RS256", "HS256"] } },
  { name: "asymmetric algorithms for a secret", options: { secret: SECRET, algorithms: ["RS256"] } },
])("the configuration is refused for $name", ({ options }) => {
  expect(gatewayErrorCode(() => createJwtVerifier({ ...TIMES, ...options }, () => {}))).toBe("config.invalid")
})

describe("a key set", () => {
  async function keySet(...keys: { pair: { publicKey: KeyObject }; kid: string }[]): Promise<object> {
    return {
      keys: await Promise.all(keys.map(async ({ pair, kid }) => ({ ...(await exportJWK(pair.publicKey)), kid }))),
    }
  }

  async function setUp(answer: Answer, options: Partial<JwtOptions> = {}) {
    const server = await startLocalServer(scope, answer)
    const problems: string[] = []
    const verifyJwt = createJwtVerifier(
      { ...TIMES, jwksUrl: `${server.url}/keys?key=secret-of-url`, ...options },
      (reason) => problems.push(reason),
    )
    const codeOf = (token: string) =>
      verifyJwt(token).then(
        () => "ok",
        (error) => (error instanceof GatewayError ? error.code : String(error)),
      )
    return { server, problems, codeOf }
  }

  test("is fetched once for many tokens", async () => {
    const { server, codeOf } = await setUp(json(await keySet({ pair: RSA, kid: "1" }, { pair: EC, kid: "2" })))
    const tokens = [await sign("RS256", RSA.privateKey, { kid: "1" }), await sign("ES256", EC.privateKey, { kid: "2" })]
    expect(await Promise.all([...tokens, ...tokens].map(codeOf))).toEqual(["ok", "ok", "ok", "ok"])
    expect(server.requests).toHaveLength(1)
  })

  test("is fetched anew for a key that it does not know, but not for every one", async () => {
    const before = json(await keySet({ pair: RSA, kid: "1" }))
    const after = json(await keySet({ pair: RSA, kid: "1" }, { pair: EC, kid: "2" }))
    const first = await setUp((response, index) => (index === 0 ? before : after)(response, index), {
      jwksCooldownMs: 0,
    })
    expect(await first.codeOf(await sign("RS256", RSA.privateKey, { kid: "1" }))).toBe("ok")
    expect(await first.codeOf(await sign("ES256", EC.privateKey, { kid: "2" }))).toBe("ok")
    expect(first.server.requests).toHaveLength(2)

    const second = await setUp(before)
    expect(await second.codeOf(await sign("RS256", RSA.privateKey, { kid: "1" }))).toBe("ok")
    for (let kid = 2; kid < 10; kid++) {
      expect(await second.codeOf(await sign("ES256", EC.privateKey, { kid: `${kid}` }))).toBe("access.invalid")
    }
    expect(second.server.requests).toHaveLength(1)
  })

  test("cannot be made to take its keys for secrets", async () => {
    const { codeOf } = await setUp(
      json({ keys: [{ kty: "oct", k: Buffer.from(SECRET).toString("base64url"), kid: "1" }] }),
    )
    expect(await codeOf(await sign("HS256", SECRET, { kid: "1" }))).toBe("access.invalid")
  })

  test("with several keys that fit wants the token to name one", async () => {
    const { codeOf } = await setUp(json(await keySet({ pair: RSA, kid: "1" }, { pair: OTHER_RSA, kid: "2" })))
    expect(await codeOf(await sign("RS256", RSA.privateKey))).toBe("access.invalid")
    expect(await codeOf(await sign("RS256", OTHER_RSA.privateKey, { kid: "2" }))).toBe("ok")
    expect(await codeOf(await sign("RS256", OTHER_RSA.privateKey, { kid: "1" }))).toBe("access.invalid")
  })

  test.each<{ name: string; answer: Answer }>([
    { name: "answers with an error", answer: json({}, 500) },
    { name: "redirects", answer: (response) => response.writeHead(302, { location: "/elsewhere" }).end() },
    { name: "answers with a page", answer: (response) => response.end("<html>") },
    { name: "has no keys", answer: json({ nothing: [] }) },
    {
      name: "sends without end",
      answer: (response) => response.end(JSON.stringify({ keys: [], x: "x".repeat(300_000) })),
    },
    { name: "cuts the connection", answer: (response) => response.destroy() },
    { name: "never answers", answer: () => {} },
  ])("whose server $name lets nobody in", async ({ answer }) => {
    const { problems, codeOf } = await setUp(answer, { jwksTimeoutMs: 200 })
    expect(await codeOf(await sign("RS256", RSA.privateKey, { kid: "1" }))).toBe("access.unavailable")
    expect(problems.join()).not.toContain("secret-of-url")
  })

  test("whose server is down is not asked for every token, and works when it is back", async () => {
    const { server, codeOf, problems } = await setUp(json({}, 503))
    const token = await sign("RS256", RSA.privateKey, { kid: "1" })
    for (let attempt = 0; attempt < 10; attempt++) expect(await codeOf(token)).toBe("access.unavailable")
    expect(server.requests).toHaveLength(1)
    expect(problems).toEqual(["it answered with status 503"])
    server.answer = json(await keySet({ pair: RSA, kid: "1" }))
    await until("the key set", async () => (await codeOf(token)) === "ok")
  })
})
