import { expect, test } from "vitest"
import { parseStreamAddress } from "../../src/rtmp/stream-address.ts"

test.each([
  { name: "plain", app: "live", stream: "cam1", expected: ["live", "cam1", undefined] },
  { name: "query on the name", app: "live", stream: "cam1?token=a%20b&x", expected: ["live", "cam1", "a b"] },
  { name: "query on the app", app: "live?token=t", stream: "cam1", expected: ["live", "cam1", "t"] },
  {
    name: "query on tcUrl alone",
    tcUrl: "rtmp://h/live?token=t",
    app: "live",
    stream: "cam1",
    expected: ["live", "cam1", "t"],
  },
  {
    name: "the name's query wins",
    tcUrl: "rtmp://h/live?token=1",
    app: "live?token=2",
    stream: "c?token=3",
    expected: ["live", "c", "3"],
  },
  { name: "an empty token", app: "live?token=1", stream: "c?token=", expected: ["live", "c", "1"] },
  {
    name: "another query name",
    app: "live",
    stream: "c?key=t&access_token=t&Token=t",
    expected: ["live", "c", undefined],
  },
  { name: "a token in base64", app: "live", stream: "c?token=a+b/c==", expected: ["live", "c", "a+b/c=="] },
  { name: "all of it in the app", app: "live/cam1?token=t", stream: "", expected: ["live", "cam1", "t"] },
  { name: "all of it in the name", app: "", stream: "live//cam1", expected: ["live", "cam1", undefined] },
  { name: "a key, parted as ffmpeg does", app: "live/cam1", stream: "KEY", expected: ["live", "cam1", "KEY"] },
  { name: "a key, parted after the app", app: "/live/", stream: "/cam1/KEY", expected: ["live", "cam1", "KEY"] },
  { name: "a key, all in the app", app: "live/cam1/KEY", stream: "", expected: ["live", "cam1", "KEY"] },
  { name: "a key, all in the name", app: "", stream: "live/cam1/KEY", expected: ["live", "cam1", "KEY"] },
  { name: "a key with slashes", app: "live/cam1/a", stream: "b//c==", expected: ["live", "cam1", "a/b//c=="] },
  { name: "a key and a token", app: "live/cam1", stream: "KEY?token=t", expected: ["live", "cam1", "t"] },
  { name: "no name", app: "live", stream: "", expected: ["live", "", undefined] },
  { name: "nothing", app: "/", stream: "?token=t", expected: ["", "", "t"] },
  { name: "broken escapes", app: "live", stream: "c?token=%zz", expected: ["live", "c", "%zz"] },
])("takes apart: $name", ({ tcUrl = "", app, stream, expected }) => {
  const address = parseStreamAddress(tcUrl, app, stream)
  expect([address.app, address.stream, address.token]).toEqual(expected)
})

test.each([
  { name: "on the name", app: "live", stream: "cam1?start=keyframe&token=t", expected: "keyframe" },
  { name: "on the app", app: "live?start=live", stream: "cam1?token=t", expected: "live" },
  { name: "the name's wins", app: "live?start=live", stream: "cam1?start=now", expected: "now" },
  { name: "none", app: "live", stream: "cam1?start=", expected: undefined },
])("finds the start $name", ({ app, stream, expected }) => {
  expect(parseStreamAddress("", app, stream).start).toBe(expected)
})
