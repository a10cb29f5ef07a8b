import { describe, expect, test } from "vitest"
import type { AccessRequest } from "../../../src/access/access.ts"
import { GatewayError } from "../../../src/errors.ts"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import { type CallbackOptions, HttpCallbacks } from "../../../src/io/access/callbacks.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { type Answer, json, type LocalServer, startLocalServer } from "./local-server.ts"

const scope = testScope()
const REQUEST: AccessRequest = {
  action: "publish",
  stream: parseStreamName("live", "cam1"),
  token: "secret-token",
  protocol: "rtmp",
  sessionId: "session-1",
  remoteAddress: "192.0.2.1",
}
const OUTCOME = { sessionId: "session-1", reason: "bye", durationMs: 1_000, bytes: 2_000 }

async function setUp(answer: Answer, options: Partial<CallbackOptions> = {}) {
  const server = await startLocalServer(scope, answer)
  const problems: string[] = []
  const callbacks = new HttpCallbacks(
    {
      onPublish: `${server.url}/publish`,
      onPlay: `${server.url}/play?key=secret-of-url`,
      onPublishDone: `${server.url}/publish-done`,
      timeoutMs: 2_000,
      onFailure: "refuse",
      maxConcurrent: 4,
      maxWaiting: 4,
      ...options,
    },
    (callback, reason) => problems.push(`${callback}: ${reason}`),
  )
  return { server, callbacks, problems }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "ok",
    (error) => (error instanceof GatewayError ? error.code : String(error)),
  )
}

function bodies({ requests }: LocalServer): unknown[] {
  return requests.map(({ body }) => JSON.parse(body))
}

test("asks with all that is known, token included", async () => {
  const { server, callbacks } = await setUp(json({}))
  expect(await callbacks.ask(REQUEST)).toEqual({ identity: undefined })
  expect(server.requests[0]?.headers["content-type"]).toBe("application/json")
  expect(bodies(server)).toEqual([
    {
      action: "publish",
      app: "live",
      stream: "cam1",
      protocol: "rtmp",
      remoteAddress: "192.0.2.1",
      sessionId: "session-1",
      token: "secret-token",
    },
  ])
})

const text: (status: number) => Answer = (status) => (response) => response.writeHead(status).end("fine")

describe("what an answer means", () => {
  test.each<{ name: string; answer: Answer; code: string; allowing?: string }>([
    { name: "200", answer: text(200), code: "ok" },
    { name: "204", answer: (response) => response.writeHead(204).end(), code: "ok" },
    { name: "an empty object", answer: json({}, 201), code: "ok" },
    { name: "JSON null", answer: json(null), code: "ok" },
    { name: "400", answer: text(400), code: "access.denied", allowing: "access.denied" },
    { name: "401", answer: text(401), code: "access.invalid", allowing: "access.invalid" },
    { name: "403", answer: json({}, 403), code: "access.denied", allowing: "access.denied" },
    { name: "404", answer: text(404), code: "access.denied", allowing: "access.denied" },
    { name: "500", answer: text(500), code: "access.unavailable" },
    { name: "503", answer: json({ identity: "me" }, 503), code: "access.unavailable" },
    {
      name: "a redirect",
      answer: (response) => response.writeHead(307, { location: "/other" }).end(),
      code: "access.unavailable",
    },
    {
      name: "JSON that is none",
      answer: (response) => response.writeHead(200, { "content-type": "application/json" }).end("{"),
      code: "access.unavailable",
    },
    { name: "an identity that is no text", answer: json({ identity: 7 }), code: "access.unavailable" },
    { name: "an identity that is too long", answer: json({ identity: "x".repeat(257) }), code: "access.unavailable" },
    { name: "a body without end", answer: json({ text: "x".repeat(20_000) }), code: "access.unavailable" },
    { name: "a cut connection", answer: (response) => response.destroy(), code: "access.unavailable" },
    { name: "silence", answer: () => {}, code: "access.unavailable" },
    {
      name: "a body that stops",
      answer: (response) => response.writeHead(200, { "content-type": "application/json" }).write("{"),
      code: "access.unavailable",
    },
  ])("$name: $code", async ({ answer, code, allowing = "ok" }) => {
    const { callbacks, server } = await setUp(answer, { timeoutMs: 300 })
    expect(await codeOf(callbacks.ask(REQUEST))).toBe(code)
    expect(server.requests).toHaveLength(1)
    const lenient = await setUp(answer, { timeoutMs: 300, onFailure: "allow" })
    expect(await codeOf(lenient.callbacks.ask(REQUEST))).toBe(allowing)
  })

  test("401 for who showed nothing asks for a token", async () => {
    const { callbacks } = await setUp(text(401))
    expect(await codeOf(callbacks.ask({ ...REQUEST, token: undefined }))).toBe("access.required")
  })

  test("the identity it names cannot be another kind of credential's", async () => {
    const { callbacks } = await setUp(json({ identity: "token:abc" }))
    expect(await callbacks.ask(REQUEST)).toEqual({ identity: "callback:token:abc" })
  })
})

test("a service that is down refuses, and what is logged holds no secret", async () => {
  const { server, callbacks, problems } = await setUp(text(200))
  await server.close()
  const error = await callbacks.ask({ ...REQUEST, action: "play" }).catch((cause: unknown) => cause)
  expect(error).toMatchObject({ code: "access.unavailable" })
  expect(problems).toEqual([expect.stringMatching(/^onPlay: .*ECONNREFUSED/)])
  expect(`${problems} ${(error as Error).message}`).not.toMatch(/secret/)
})

test("only so many requests run at once; the others wait, and those too many are refused even where failures allow", async () => {
  const release: (() => void)[] = []
  const { server, callbacks } = await setUp((response) => release.push(() => response.end()), { onFailure: "allow" })
  const codes = Array.from({ length: 9 }, () => codeOf(callbacks.ask(REQUEST)))
  expect(await codes[8]).toBe("access.unavailable")
  await until("four requests", () => release.length === 4)
  expect(server.requests).toHaveLength(4)
  for (let released = 0; released < 8; released++) {
    await until("a request", () => release.length > 0)
    release.shift()?.()
  }
  expect(await Promise.all(codes.slice(0, 8))).toEqual(Array(8).fill("ok"))
})

describe("the end of a session", () => {
  test("is told without the token", async () => {
    const { server, callbacks } = await setUp(text(200))
    callbacks.tellDone(REQUEST, "token:abc", OUTCOME)
    await callbacks.close()
    expect(bodies(server)).toEqual([
      {
        action: "publishDone",
        app: "live",
        stream: "cam1",
        protocol: "rtmp",
        remoteAddress: "192.0.2.1",
        identity: "token:abc",
        ...OUTCOME,
      },
    ])
  })

  test("is told once more when it failed, and then given up", async () => {
    const { server, callbacks, problems } = await setUp(text(500))
    callbacks.tellDone(REQUEST, undefined, OUTCOME)
    await callbacks.close()
    expect(server.requests).toHaveLength(2)
    expect(problems).toEqual(["onPublishDone: it answered with status 500"])
  })

  test("is told to nobody where there is no address for it", async () => {
    const { server, callbacks } = await setUp(text(200))
    callbacks.tellDone({ ...REQUEST, action: "play" }, undefined, OUTCOME)
    await callbacks.close()
    expect(server.requests).toHaveLength(0)
  })

  test("does not hold up a gateway that closes for longer than its time-outs", async () => {
    const { callbacks, problems } = await setUp(() => {}, { timeoutMs: 100 })
    callbacks.tellDone(REQUEST, undefined, OUTCOME)
    await callbacks.close()
    expect(problems).toEqual(["onPublishDone: no answer in time"])
  })
})
