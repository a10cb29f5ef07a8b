import { pino } from "pino"
import { expect, test } from "vitest"
import { textDestination } from "../../src/io/log.ts"

function written(act: (logger: ReturnType<typeof pino>) => void): string {
  let text = ""
  act(
    pino(
      { base: null },
      textDestination((part) => (text += part)),
    ),
  )
  return text
}

test("a line for people has time, level, message and fields", () => {
  const line = written((logger) =>
    logger.info({ stream: "live/cam1", viewers: 2, reason: "peer closed" }, "session closed"),
  )
  expect(line).toMatch(/^\d\d:\d\d:\d\d info {2}session closed stream=live\/cam1 viewers=2 reason="peer closed"\n$/)
})

test("an error brings its stack", () => {
  expect(written((logger) => logger.error({ err: new Error("broken") }, "bug"))).toMatch(
    /ERROR bug\nError: broken\n {4}at /,
  )
})
