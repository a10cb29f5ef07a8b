import { expect, test } from "vitest"
import { loadConfig } from "../src/config.ts"
import type { GatewayError } from "../src/errors.ts"

function refusal(...pulls: object[]): string {
  try {
    loadConfig({ pulls }, {})
  } catch (error) {
    return (error as GatewayError).message
  }
  return "none"
}

test.each([
  { stream: "live/cam1", url: "minisdp://origin:8000/live/cam1?token=secret" },
  { stream: "live/cam1", url: "minisdp://[2001:db8::1]/live/cam1" },
  { stream: "live/cam1", url: "rtmp://user:pass@origin/live/eu/cam1?key=x&b=c" },
  { stream: "live/cam1", url: "rtmps://192.0.2.1:443/live/cam1", onDemand: true, idleTimeoutMs: 100 },
  { stream: "live/cam1", url: "http://origin/cam1.flv" },
  { stream: "live/cam1", url: "https://user:p%40ss@[2001:db8::1]:8443/live.php?stream=cam1" },
  { stream: "live/*", url: "rtmp://origin/live/{stream}", onDemand: true },
  { stream: "*/cam*", url: "https://origin/{app}.flv?name={stream}&key=x", onDemand: true },
  { stream: "live/cam1", url: "rtmp://origin/{app}/{stream}" },
])("$stream may come from $url", (pull) => {
  expect(loadConfig({ pulls: [pull] }, {}).pulls).toEqual([{ onDemand: false, ...pull }])
})

test.each([
  { name: "another scheme", pull: { url: "ftp://origin/live/cam1" }, says: /pulls\[0\]\.url/ },
  { name: "no stream", pull: { url: "rtmp://origin/live" }, says: /rtmps:\/\/HOST\/APP\/STREAM/ },
  { name: "no host", pull: { url: "rtmp:///live/cam1" }, says: /HOST/ },
  { name: "a port that is none", pull: { url: "rtmp://origin:65536/live/cam1" }, says: /at most 65535/ },
  { name: "a blank", pull: { url: "http://origin/a b" }, says: /HOST/ },
  { name: "a name for the host", pull: { url: "http://{app}/x.flv" }, says: /pulls\[0\]\.url/ },
  { name: "a name for the password", pull: { url: "http://a:{stream}@origin/x" }, says: /path and query only/ },
  { name: "a place for something else", pull: { url: "rtmp://origin/live/{name}" }, says: /\{app\} and \{stream\}/ },
  {
    name: "a pattern that is fetched always",
    pull: { stream: "live/*", url: "rtmp://origin/live/{stream}" },
    says: /set onDemand to true/,
  },
  {
    name: "a pattern without a place for its names",
    pull: { stream: "live/*", url: "rtmp://origin/live/cam1", onDemand: true },
    says: /write \{app\} or \{stream\}/,
  },
  { name: "no stream name", pull: { stream: "cam1" }, says: /pulls\[0\]\.stream/ },
  { name: "a name that leaves its folder", pull: { stream: "live/../x" }, says: /pulls\[0\]\.stream/ },
  { name: "no time", pull: { idleTimeoutMs: 0 }, says: /idleTimeoutMs/ },
  { name: "a mistyped key", pull: { ondemand: true }, says: /ondemand/ },
])("refuses $name", ({ pull, says }) => {
  const message = refusal({ stream: "live/cam1", url: "rtmp://origin/live/cam1", ...pull })
  expect(message).toMatch(says)
})

test("a stream comes from one place only", () => {
  const pull = { stream: "live/cam1", url: "rtmp://origin/live/cam1" }
  expect(refusal(pull, { ...pull, url: "rtmp://other/live/cam1" })).toMatch(/name each stream once/)
})

test("a list in a variable is JSON, and its settings have variables of their own", () => {
  const pulls = [{ stream: "live/cam1", url: "rtmp://origin/live/cam1" }]
  const env = { WHIPSTITCH_PULLS: JSON.stringify(pulls), WHIPSTITCH_PULL__IDLE_TIMEOUT_MS: "1000" }
  const config = loadConfig({}, env)
  expect(config.pulls).toMatchObject(pulls)
  expect(config.pull).toMatchObject({ idleTimeoutMs: 1_000, startTimeoutMs: 10_000, maxOnDemand: 100 })
})
