import { expect, test } from "vitest"
import { serializeMetrics } from "../../src/metrics/exposition.ts"

test("families are written as Prometheus reads them", () => {
  const text = serializeMetrics([
    {
      name: "whipstitch_streams",
      help: "streams\nnow \\ here",
      type: "gauge",
      samples: [{ labels: { state: 'a"b\\c\nd', kind: "x" }, value: 1.5 }, { value: Number.POSITIVE_INFINITY }],
    },
    { name: "whipstitch_nothing", help: "left out", type: "counter", samples: [] },
    {
      name: "whipstitch_bytes_total",
      help: "bytes",
      type: "counter",
      samples: [{ value: 12_345_678_901 }, { value: Number.NaN }],
    },
  ])
  expect(text).toBe(
    [
      "# HELP whipstitch_streams streams\\nnow \\\\ here",
      "# TYPE whipstitch_streams gauge",
      'whipstitch_streams{state="a\\"b\\\\c\\nd",kind="x"} 1.5',
      "whipstitch_streams +Inf",
      "# HELP whipstitch_bytes_total bytes",
      "# TYPE whipstitch_bytes_total counter",
      "whipstitch_bytes_total 12345678901",
      "whipstitch_bytes_total NaN",
      "",
    ].join("\n"),
  )
})
