import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { expect, test } from "vitest"
import { loudness, probe, publishClip, readStream } from "../support/ffmpeg.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { startNginx } from "../support/nginx-rtmp.ts"
import { publishLikeObs } from "../support/rtc-publisher.ts"
import { expectHealthy } from "../support/scenes.ts"
import type { Scope } from "../support/scope.ts"
import { liveStream } from "../support/streams.ts"
import { testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** Streams go on to nginx with its RTMP module. */
const scope = testScope()

test("nginx gets H.264 and AAC with picture and sound, from RTMP and from WHIP, and goes on when it was killed", async () => {
  const nginx = await startNginx(scope)
  const gateway = await startPushing([{ stream: "live/*", url: `${nginx.url("live/{stream}-there")}?key=${KEY}` }])
  publishClip(scope, await clip("tone"), gateway.rtmpUrl("live/cam1"))
  await publishLikeObs(scope, `${gateway.httpUrl}/whip/live/cam2`)
  await liveStream(gateway, "live/cam2")
  await until("both pushes", async () => (await pushes(gateway)).filter(({ state }) => state === "live").length === 2)
  for (const stream of ["cam1", "cam2"]) {
    const url = nginx.url(`live/${stream}-there`)
    const codecs = (await probe(url)).map(({ codec_name }) => codec_name).sort()
    expect(codecs).toEqual(["aac", "h264"])
    const { videoFrames, samples, errors } = await readStream(scope, url, 3)
    expect(errors).toEqual([])
    expect(videoFrames).toBeGreaterThan(55)
    expect(loudness(samples, 1, 3)).toBeGreaterThan(0.05)
  }

  nginx.process.child.kill("SIGKILL")
  await nginx.process.exited
  await until("the loss to show", async () => (await pushes(gateway)).every(({ state }) => state === "backingOff"))
  expect((await pushes(gateway))[0]?.lastError).toMatchObject({ code: "rtmp.unreachable" })
  const again = await startNginx(scope, { port: nginx.port })
  await until("both again", async () => (await pushes(gateway)).every(({ state }) => state === "live"), {
    timeoutMs: 20_000,
  })
  const { videoFrames, errors } = await readStream(scope, again.url("live/cam1-there"), 2)
  expect(errors).toEqual([])
  expect(videoFrames).toBeGreaterThan(20) // nginx begins between two keyframes
  expect(JSON.stringify(await pushes(gateway))).not.toContain(KEY)
  expect(gateway.process.stdoutLines.join("\n")).not.toContain(KEY)
  await expectHealthy(gateway)
})

test("a wrong key shows in the API within seconds, and the right one goes on", async () => {
  const check = await startKeyCheck(scope)
  const directives = `on_publish ${check.url}; on_publish_done ${check.url};`
  const nginx = await startNginx(scope, { directives })
  const gateway = await startPushing([])
  publishClip(scope, await clip("tone"), gateway.rtmpUrl("live/cam1"))
  await liveStream(gateway, "live/cam1")
  await addPush(gateway, { stream: "live/cam1", url: `${nginx.url("live/a")}?key=wrong-key` })
  const right = await addPush(gateway, { stream: "live/cam1", url: `${nginx.url("live/b")}?key=${KEY}` })
  const seen = await until(
    "the refusal",
    async () => {
      const [wrong, good] = await pushes(gateway)
      return wrong?.state === "failed" && good?.state === "live" && wrong
    },
    { timeoutMs: 4_000 },
  )
  expect(seen.lastError).toMatchObject({
    code: "rtmp.refused",
    message: expect.stringContaining("the stream key is wrong"),
  })
  expect(seen.retryInMs).toBeLessThan(60_000)
  expect(gateway.process.stdoutLines.join("\n")).not.toContain("wrong-key")

  const removed = await fetch(`${gateway.httpUrl}/api/v1/pushes/${right.id}`, { method: "DELETE", headers: ADMIN })
  expect(removed.status).toBe(204)
  await until("nginx to see it end", () => check.calls.includes("publish_done b"))
  const metrics = await (await fetch(`${gateway.httpUrl}/metrics`, { headers: ADMIN })).text()
  expect(metrics).toMatch(/^whipstitch_pushes\{state="failed"\} 1$/m)
  expect(metrics).toMatch(/^whipstitch_push_bytes_total [1-9]\d+$/m)
  await expectHealthy(gateway)
})

function startPushing(list: readonly { stream: string; url: string }[]): Promise<TestGateway> {
  return startGateway(scope, { settings: { PUSHES: JSON.stringify(list), ACCESS__ADMIN_TOKENS: ADMIN_TOKEN } })
}

interface ListedPush {
  readonly id: string
  readonly state: string
  readonly retryInMs?: number
  readonly lastError?: { readonly code: string; readonly message: string }
}

async function pushes(gateway: TestGateway): Promise<ListedPush[]> {
  const response = await fetch(`${gateway.httpUrl}/api/v1/pushes`, { headers: ADMIN })
  return ((await response.json()) as { pushes: ListedPush[] }).pushes
}

async function addPush(gateway: TestGateway, push: { stream: string; url: string }): Promise<ListedPush> {
  const headers = { ...ADMIN, "content-type": "application/json" }
  const body = JSON.stringify(push)
  const response = await fetch(`${gateway.httpUrl}/api/v1/pushes`, { method: "POST", headers, body })
  expect(response.status).toBe(201)
  return (await response.json()) as ListedPush
}

/** What nginx asks by `on_publish`: only the right key may. */
async function startKeyCheck(owner: Scope): Promise<{ readonly url: string; readonly calls: string[] }> {
  const calls: string[] = []
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (bytes) => (body += bytes))
    request.on("end", () => {
      const form = new URLSearchParams(body)
      calls.push(`${form.get("call")} ${form.get("name")}`)
      response.writeHead(form.get("key") === KEY ? 200 : 403).end()
    })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  owner.defer(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/check`, calls }
}

const KEY = "the-right-key"
const ADMIN_TOKEN = "an-administrator"
const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` }
