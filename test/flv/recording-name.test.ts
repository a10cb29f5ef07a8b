import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { numberedName, recordingName, recordingTemplateProblem } from "../../src/flv/recording-name.ts"

const FACTS = {
  app: "live",
  stream: "cam1",
  startedAt: new Date("2026-03-09T08:07:05.999Z"),
  part: 12,
  id: "m3Zb0c1Wq9aR",
}

describe("names", () => {
  test.each([
    ["{app}/{stream}/{date}_{time}.flv", "live/cam1/2026-03-09_08-07-05.flv"],
    ["{year}/{month}/{day}/{hour}.{minute}.{second} {stream}.flv", "2026/03/09/08.07.05 cam1.flv"],
    ["{unix}-{n}-{id}.flv", "1773043625-012-m3Zb0c1Wq9aR.flv"],
  ])("of %s", (template, name) => {
    expect(recordingName(template, FACTS, "utc")).toBe(name)
  })

  test("are in local time where that is wanted", () => {
    const { startedAt } = FACTS
    const local = [startedAt.getFullYear(), startedAt.getMonth() + 1, startedAt.getDate(), startedAt.getHours()]
    const name = recordingName("{year}-{month}-{day}-{hour}.flv", FACTS, "local")
    expect(name.slice(0, -4).split("-").map(Number)).toEqual(local)
  })

  test("that are taken get a number", () => {
    expect([1, 2, 30].map((number) => numberedName("live/a.flv.flv", number))).toEqual([
      "live/a.flv.flv",
      "live/a.flv-2.flv",
      "live/a.flv-30.flv",
    ])
  })
})

describe("templates", () => {
  test.each([
    ["{stream}.mp4", /end in .flv/],
    ["{host}.flv", /does not know {host}/],
    ["{constructor}.flv", /does not know {constructor}/],
    ["../{stream}.flv", /begins or ends with a dot/],
    ["{app}/../../{stream}.flv", /begins or ends with a dot/],
    ["{app}./{stream}.flv", /begins or ends with a dot/],
    [".{stream}.flv", /begins or ends with a dot/],
    ["/tmp/{stream}.flv", /may hold/],
    ["{app}//{stream}.flv", /may hold/],
    ["C:\\{stream}.flv", /may hold/],
    ["{stream}\0.flv", /may hold/],
    ["{stream}\n.flv", /may hold/],
    ["{stream.flv", /may hold/],
    [`${"x".repeat(300)}.flv`, /longer/],
  ])("like %j are refused", (template, problem) => {
    expect(recordingTemplateProblem(template)).toMatch(problem)
    expect(() => recordingName(template, FACTS, "utc")).toThrow("the template of a recording's name")
  })

  test("that are taken lead to no folder above, whatever the stream is called", () => {
    const pieces = fc.constantFrom("{app}", "{stream}", "/", ".", "..", " ", "a", "-", "{n}", "\\", "{", "}", "~")
    const template = fc.array(pieces, { maxLength: 8 }).map((parts) => `${parts.join("")}.flv`)
    const part = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,10}$/)
    const property = (text: string, app: string, stream: string) => {
      if (recordingTemplateProblem(text) !== undefined) return
      const name = recordingName(text, { ...FACTS, app, stream }, "utc")
      expect(name.split("/").filter((segment) => /^\.|^$/.test(segment))).toEqual([])
    }
    fc.assert(fc.property(template, part, part, property), { numRuns: 2_000 })
  })
})
