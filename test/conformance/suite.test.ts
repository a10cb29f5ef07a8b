import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { parseArguments } from "../../scripts/lib/conformance/arguments.ts"
import { type Check, demand, NotApplicable } from "../../scripts/lib/conformance/check.ts"
import { ALL_CHECKS } from "../../scripts/lib/conformance/checks/all.ts"
import { ProtocolContext } from "../../scripts/lib/conformance/context.ts"
import { readLinks } from "../../scripts/lib/conformance/links.ts"
import { count, formatResult, formatTotals, toJson } from "../../scripts/lib/conformance/report.ts"
import { runSuite } from "../../scripts/lib/conformance/run.ts"
import { checkTable } from "../../scripts/lib/conformance/table.ts"
import { PATIENCE } from "./target.ts"

test("all 46 rules have a check, and no check is there twice", () => {
  const rules = new Set(ALL_CHECKS.map(({ rule }) => rule))
  expect([...rules].sort((a, b) => a - b)).toEqual(Array.from({ length: 46 }, (_, index) => index + 1))
  const names = ALL_CHECKS.map(({ protocol, id }) => `${protocol}/${id}`)
  expect(new Set(names).size).toBe(names.length)
})

test("the documentation has the table of all checks", () => {
  const text = readFileSync(new URL("../../docs/conformance.md", import.meta.url), "utf8")
  expect(text).toContain(checkTable())
})

test("a base address names both endpoints", () => {
  expect(parseArguments(["https://edge.example/", "--token", "t", "--only", "1,33", "--json"])).toMatchObject({
    whip: "https://edge.example/whip/live/conformance",
    whep: "https://edge.example/whep/live/conformance",
    token: "t",
    only: [1, 33],
    json: true,
    silenceMs: 45_000,
  })
  expect(parseArguments(["--whep", "http://a/b"])).toMatchObject({ whip: undefined, whep: "http://a/b" })
})

test.each([
  [[], "name a server"],
  [["ftp://a/b"], "no http address"],
  [["http://a", "http://b"], "name one base address"],
  [["http://a", "--only", "x"], "--only takes numbers"],
  [["http://a", "--nonsense"], "--nonsense"],
])("a wrong call is explained: %j", (args, message) => {
  expect(() => parseArguments(args)).toThrow(message)
})

test("results tell the rule, its level and what was seen; a broken SHOULD is a warning, no failure", async () => {
  const refuse = async () => {
    demand(false, "POST gave 200")
    return ""
  }
  const skip = async () => {
    throw new NotApplicable("not here")
  }
  const checks = [check("a", "MUST", refuse), check("b", "SHOULD", refuse), check("c", "MUST", skip)]
  const results = await runSuite({ checks, publishes: false, whip: nowhere() })
  expect(count(results)).toEqual({ pass: 0, fail: 1, warn: 1, skip: 1 })
  expect(results.map((result) => formatResult(result, false))).toEqual([
    "FAIL  WHIP        3  MUST    RFC 9725 4.2  a title: POST gave 200",
    "warn  WHIP        3  SHOULD  RFC 9725 4.2  a title: POST gave 200",
    "skip  WHIP        3  MUST    RFC 9725 4.2  a title: not here",
  ])
  expect(formatTotals(count(results))).toBe("0 passed, 1 failed, 1 warnings, 1 skipped")
  expect(JSON.parse(toJson(results)).results[0]).toEqual({
    id: "whip/a",
    rule: 3,
    section: "RFC 9725 4.2",
    level: "MUST",
    title: "a title",
    status: "fail",
    seen: "POST gave 200",
  })
})

test("a server that does not answer fails, and says why", async () => {
  const ask = async (context: ProtocolContext) => (await context.request(context.endpoint)).body
  const [result] = await runSuite({ checks: [check("a", "MUST", ask)], publishes: false, whip: nowhere() })
  expect(result).toMatchObject({ status: "fail", seen: "no answer (fetch failed: refused)" })
})

test("a server that limits requests gets the time that it asks for", async () => {
  const statuses = [429, 429, 200]
  const fetch = async () => new Response(null, { status: statuses.shift() ?? 500, headers: { "retry-after": "0" } })
  const context = new ProtocolContext("whip", { endpoint: "http://a/b", fetch, patience: PATIENCE, floodRequests: 0 })
  expect((await context.request("http://a/b")).status).toBe(200)
})

test("Link headers are read with their parameters", () => {
  const link = '<turn:a?transport=udp>; rel="ice-server"; username="u,\\"x\\""; credential=c, <stun:b>; rel=ice-server'
  expect(readLinks(new Headers({ link }))).toEqual([
    {
      target: "turn:a?transport=udp",
      rel: "ice-server",
      params: { rel: "ice-server", username: 'u,"x"', credential: "c" },
    },
    { target: "stun:b", rel: "ice-server", params: { rel: "ice-server" } },
  ])
})

function check(id: string, level: Check["level"], run: Check["run"]): Check {
  return { id, protocol: "whip", rule: 3, section: "RFC 9725 4.2", level, title: "a title", needs: "http", run }
}

function nowhere(): ProtocolContext {
  const refused = async () => {
    throw new TypeError("fetch failed", { cause: new Error("refused") })
  }
  const endpoint = "http://nowhere.invalid/whip"
  return new ProtocolContext("whip", { endpoint, fetch: refused, patience: PATIENCE, floodRequests: 0 })
}
