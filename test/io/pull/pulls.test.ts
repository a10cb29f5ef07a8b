import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { beforeEach, expect, test } from "vitest"
import { parseStreamName } from "../../../src/hub/stream-name.ts"
import { type PullEntry, type PullSettings, Pulls } from "../../../src/io/pull/pulls.ts"
import type { DtlsIdentity } from "../../../src/io/webrtc/identity.ts"
import { gatewayErrorCode } from "../../support/errors.ts"
import { clip } from "../../support/media.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { type EdgeSetup, edgeSetup } from "./setup.ts"

/** What is fetched, when, and how that is listed. The origin serves a clip for every name but `none`. */
const scope = testScope()
const CAM1 = parseStreamName("live", "cam1")
let edge: EdgeSetup
let origin: string
let requested: string[]

beforeEach(async () => {
  edge = edgeSetup()
  requested = []
  const flv = await readFile(await clip("tone"))
  const server = createServer(({ url = "" }, response) => {
    requested.push(url)
    if (url.includes("none")) response.writeHead(404).end()
    else response.write(flv.subarray(0, 150_000))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  scope.defer(() => server.close().closeAllConnections())
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

test("what is pulled always begins at the start, what is on demand with its first viewer", async () => {
  const pulls = setUp([
    { stream: "live/always", url: `${origin}/always?key=secret`, onDemand: false },
    { stream: "live/cam1", url: `${origin}/cam1?key=secret`, onDemand: true },
  ])
  expect(requested).toEqual([])
  pulls.start()
  await until("the stream", () => pulls.list()[0]?.state === "live")
  expect(requested).toEqual(["/always?key=secret"])
  expect(pulls.list()).toMatchObject([
    { stream: "live/always", origin: `${origin}/always`, onDemand: false, state: "live" },
    { stream: "live/cam1", origin: `${origin}/cam1`, onDemand: true, state: "idle" },
  ])
  await pulls.demand.wake(CAM1)
  expect(requested).toEqual(["/always?key=secret", "/cam1?key=secret"])
  expect(pulls.list()[1]).toMatchObject({ stream: "live/cam1", state: "live" })
  expect(JSON.stringify(pulls.list()) + edge.log()).not.toContain("secret")
})

test("names fill the places of a pattern's address; a name of its own comes first", async () => {
  const pulls = setUp([
    { stream: "live/*", url: `http://user:secret@${origin.slice(7)}/{app}/{stream}.flv?n={stream}`, onDemand: true },
    { stream: "live/cam1", url: `${origin}/special`, onDemand: true },
    { stream: "live/own", url: `${origin}/always`, onDemand: false },
  ])
  await Promise.all(["cam1", "cam2", "own"].map((name) => pulls.demand.wake(parseStreamName("live", name))))
  await pulls.demand.wake(parseStreamName("other", "cam1"))
  expect(requested.toSorted()).toEqual(["/live/cam2.flv?n=cam2", "/special"])
  const { host } = new URL(origin)
  expect(pulls.list().map(({ stream, origin: from, state }) => [stream, from, state])).toEqual([
    ["live/*", `http://${host}/{app}/{stream}.flv`, "idle"],
    ["live/cam2", `${origin}/live/cam2.flv`, "live"],
    ["live/cam1", `${origin}/special`, "live"],
    ["live/own", `${origin}/always`, "idle"],
  ])
})

test("a stream that cannot be had is listed as failed for a moment, and is not asked for again meanwhile", async () => {
  const pulls = setUp([{ stream: "live/*", url: `${origin}/{stream}`, onDemand: true }])
  const name = parseStreamName("live", "none")
  const viewers = await Promise.allSettled([1, 2, 3].map(() => pulls.demand.wake(name)))
  expect(viewers.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"])
  expect(pulls.list()).toMatchObject([
    { stream: "live/*", state: "idle" },
    {
      stream: "live/none",
      state: "failed",
      lastError: { code: "stream.not_live", message: expect.stringMatching(/404/) },
    },
  ])
  await expect(pulls.demand.wake(name)).rejects.toMatchObject({ code: "stream.not_live" })
  expect(requested).toEqual(["/none"])
})

test("the log tells of an origin's trouble once, whatever streams are asked for, until one comes", async () => {
  const pulls = setUp([{ stream: "live/*", url: `${origin}/{stream}`, onDemand: true, idleTimeoutMs: 50 }])
  const ask = (names: string[]) =>
    Promise.allSettled(names.map((name) => pulls.demand.wake(parseStreamName("live", name))))
  const warnings = () => edge.log().match(/"level":40[^\n]*cannot be pulled/g)?.length
  await ask(["none1", "none2", "none3"])
  expect(warnings()).toBe(1)
  await ask(["cam1"])
  await ask(["none4", "none5"])
  expect(warnings()).toBe(2)
})

test("after the last viewer the stream ends, and is there again for the next one", async () => {
  const pulls = setUp([{ stream: "live/cam1", url: `${origin}/cam1`, onDemand: true, idleTimeoutMs: 50 }])
  await pulls.demand.wake(CAM1)
  await until("the end", () => edge.registry.get(CAM1) === undefined)
  expect(pulls.list()).toMatchObject([{ state: "idle" }])
  await pulls.demand.wake(CAM1)
  expect(edge.registry.get(CAM1)?.publisher?.protocol).toBe("pull")
  expect(requested).toHaveLength(2)
})

test("after its close nothing is fetched, and who waited is told", async () => {
  const pulls = setUp([{ stream: "live/cam1", url: `${origin}/cam1`, onDemand: true }])
  const waiting = pulls.demand.wake(CAM1)
  pulls.close("the gateway is closing")
  await expect(waiting).rejects.toMatchObject({ code: "gateway.closing" })
  await pulls.demand.wake(CAM1)
  expect(edge.registry.get(CAM1)).toBeUndefined()
})

test("an address or a file that is none is found at the start", () => {
  const rtmp = { stream: "live/*", url: "rtmp://origin:99999/{app}/{stream}", onDemand: true }
  expect(gatewayErrorCode(() => setUp([rtmp]))).toBe("rtmp.url")
  expect(gatewayErrorCode(() => setUp([], { caFile: "/nowhere.pem" }))).toBe("config.invalid")
})

function setUp(entries: PullEntry[], settings: Partial<PullSettings> = {}): Pulls {
  const { registry, options, logger } = edge
  const pulls = new Pulls(entries, {
    pull: { ...options, startTimeoutMs: 3_000, idleTimeoutMs: 3_000, maxOnDemand: 10, ...settings },
    media: { maxBitrateBps: 1e6, connectTimeoutMs: 3_000, idleTimeoutMs: 3_000 },
    maxMessageBytes: options.maxMessageBytes,
    identity: {} as DtlsIdentity,
    registry,
    logger,
    nowMs: options.nowMs,
    onBug: (error) => {
      throw error
    },
  })
  scope.defer(() => pulls.close("test is over"))
  return pulls
}
