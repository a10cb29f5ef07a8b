import { expect, test } from "vitest"
import { parseStreamAddress } from "../../src/rtmp/stream-address.ts"

test.each([
  { name: "plain", tcUrl: "rtmp://h/live", app: "live", stream: "cam1", expected: ["live", "cam1", {}] },
  {
    name: "query on the name",
    tcUrl: "",
    app: "live",
    stream: "cam1?token=a%20b&x",
    expected: ["live", "cam1", { token: "a b", x: "" }],
  },
  {
    name: "query on the app",
    tcUrl: "rtmp://h/live?token=t",
    app: "live?token=t",
    stream: "cam1",
    expected: ["live", "cam1", { token: "t" }],
  },
  {
    name: "query on tcUrl alone",
    tcUrl: "rtmp://h/live?token=t",
    app: "live",
    stream: "cam1",
    expected: ["live", "cam1", { token: "t" }],
  },
  {
    name: "the name's query wins",
    tcUrl: "rtmp://h/live?token=1",
    app: "live?token=2",
    stream: "c?token=3",
    expected: ["live", "c", { token: "3" }],
  },
  { name: "app of several segments", tcUrl: "", app: "/a/b/", stream: "/c", expected: ["a/b", "c", {}] },
  {
    name: "all of it in the app",
    tcUrl: "",
    app: "live/cam1?token=t",
    stream: "",
    expected: ["live", "cam1", { token: "t" }],
  },
  { name: "all of it in the name", tcUrl: "", app: "", stream: "live//cam1", expected: ["live", "cam1", {}] },
  { name: "no name", tcUrl: "", app: "live", stream: "", expected: ["live", "", {}] },
  { name: "no app", tcUrl: "", app: "/", stream: "cam1", expected: ["", "cam1", {}] },
  { name: "broken escapes", tcUrl: "", app: "live", stream: "c?token=%zz", expected: ["live", "c", { token: "%zz" }] },
])("takes apart: $name", ({ tcUrl, app, stream, expected }) => {
  const address = parseStreamAddress(tcUrl, app, stream)
  expect([address.app, address.stream, Object.fromEntries(address.query)]).toEqual(expected)
})
