import { execFile } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Browser } from "playwright-core"
import { beforeAll, expect, test } from "vitest"
import { callRtc, rtcStats } from "../support/browser-peers.ts"
import { openPage, startChromium } from "../support/chromium.ts"
import { loudness, probe, publishClip, publishEnhanced, readStream } from "../support/ffmpeg.ts"
import { FLV_HEADER_BYTES, tagsLater } from "../support/flv.ts"
import { startGateway, type TestGateway } from "../support/gateway.ts"
import { clip } from "../support/media.ts"
import { startNginx } from "../support/nginx-rtmp.ts"
import { HAS_FFMPEG9 } from "../support/paths.ts"
import { freeTcpPort } from "../support/ports.ts"
import { expectHealthy, watchPage } from "../support/scenes.ts"
import type { Scope } from "../support/scope.ts"
import { endedStream, liveStream } from "../support/streams.ts"
import { groupScope, testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

/** Streams of other programs, fetched by RTMP, RTMPS and HTTP-FLV: always, or when somebody wants to watch. */
const group = groupScope()
const scope = testScope()
let browser: Browser

beforeAll(async () => {
  browser = await startChromium(group)
})

test("a browser wakes a stream of nginx, sees it at once, and again after nginx was restarted", async () => {
  const nginx = await startNginx(scope)
  let publisher = publishClip(scope, await clip("tone"), nginx.url("live/cam1"))
  const gateway = await startEdge({
    stream: "live/*",
    url: nginx.url("live/{stream}"),
    onDemand: true,
    idleTimeoutMs: 1_000,
  })
  expect(await pulls(gateway)).toEqual([
    { stream: "live/*", origin: nginx.url("live/{stream}"), onDemand: true, state: "idle" },
  ])
  const { page, errors } = await watchPage(scope, browser, gateway, "live/cam1")
  expect((await page.evaluate<{ frames: number }>("harness.countFrames(2)")).frames).toBeGreaterThan(30)
  expect((await page.evaluate<{ loudest: number }>("harness.listen(2)")).loudest).toBeGreaterThan(0.05)
  expect(await liveStream(gateway, "live/cam1")).toMatchObject({ publisher: { protocol: "pull" } })
  expect(await pulls(gateway)).toMatchObject([{ state: "idle" }, { stream: "live/cam1", state: "live" }])

  await page.evaluate("void (window.before = whipstitch.pc)")
  nginx.process.child.kill("SIGKILL")
  await nginx.process.exited
  await publisher.exited
  await until("the pull to wait", async () => (await pulls(gateway))[1]?.state === "backingOff")
  await startNginx(scope, { port: nginx.port })
  publisher = publishClip(scope, await clip("tone"), nginx.url("live/cam1"))
  const goesOn = async () => (await page.evaluate<{ frames: number }>("harness.countFrames(1)")).frames > 10
  await until("pictures again", goesOn, { timeoutMs: 20_000 })
  expect(await page.evaluate("whipstitch.pc === before")).toBe(true)
  expect(errors).toEqual([])

  await page.close()
  await endedStream(gateway, "live/cam1")
  expect(await pulls(gateway)).toMatchObject([{ stream: "live/*", state: "idle" }])
  await expectHealthy(gateway)
})

test("RTMP players and probes wake streams too, and learn soon that there is none", async () => {
  const nginx = await startNginx(scope)
  publishClip(scope, await clip("tone"), nginx.url("live/cam1"))
  const gateway = await startEdge(
    { stream: "live/*", url: nginx.url("live/{stream}"), onDemand: true, idleTimeoutMs: 500 },
    { PULL__START_TIMEOUT_MS: "1500" },
  )
  expect((await probe(gateway.rtmpUrl("live/cam1"))).map(({ codec_name }) => codec_name).sort()).toEqual([
    "aac",
    "h264",
  ])
  const readings = await Promise.all([1, 2].map(() => readStream(scope, gateway.rtmpUrl("live/cam1"), 3)))
  for (const { videoFrames, samples, errors } of readings) {
    expect(errors).toEqual([])
    expect(videoFrames).toBeGreaterThan(60)
    expect(loudness(samples, 1, 3)).toBeGreaterThan(0.05)
  }
  await endedStream(gateway, "live/cam1")
  // nginx lets players wait for a stream that is not there.
  const offered = await fetch(`${gateway.httpUrl}/flv/live/none.flv`)
  expect(offered.status).toBe(404)
  expect(await offered.json()).toMatchObject({
    code: "stream.not_live",
    detail: expect.stringContaining("cannot be fetched"),
  })
  await expectHealthy(gateway)
})

test.skipIf(!HAS_FFMPEG9)(
  "a viewer who wakes a stream of VP9 is answered with VP9, by RTMP as by MiniSDP",
  async () => {
    const origin = await startGateway(scope)
    publishEnhanced(scope, await clip("vp9"), origin.rtmpUrl("live/vp9"))
    await liveStream(origin, "live/vp9")
    const gateway = await startGateway(scope, {
      settings: {
        PULLS: JSON.stringify([
          { stream: "rtmp/*", url: origin.rtmpUrl("live/{stream}"), onDemand: true },
          { stream: "udp/*", url: `minisdp://127.0.0.1:${origin.mediaPort}/live/{stream}`, onDemand: true },
        ]),
      },
    })
    for (const stream of ["rtmp/vp9", "udp/vp9"]) {
      const { page, errors } = await openPage(scope, browser, gateway.httpUrl)
      await callRtc(page, "play", `${gateway.httpUrl}/whep/${stream}`)
      const stats = await rtcStats(
        page,
        "pictures and sound",
        ({ video, audioPackets }) => video > 30 && audioPackets > 30,
      )
      expect(stats).toMatchObject({ codec: "video/VP9", audioCodec: "audio/opus", widthPx: 320 })
      expect(errors).toEqual([])
      await page.close()
    }
    await expectHealthy(gateway)
  },
)

test("HTTP-FLV with credentials, from a gateway of ours and from a file, is pulled as it comes", async () => {
  const origin = await startGateway(scope, { settings: { ACCESS__PLAY_TOKENS: SECRET } })
  publishClip(scope, await clip("bFrames"), origin.rtmpUrl("live/cam1"))
  // Longer than what may come ahead of the time, so that it plays at its own speed.
  const file = await readFile(await clip("tone"))
  const tags = file.subarray(FLV_HEADER_BYTES)
  const parts = [file, ...[1, 2, 3, 4, 5].map((round) => tagsLater(tags, round * 10_000))]
  const server = createServer(({ headers }, response) => {
    if (headers.authorization !== `Basic ${btoa(`user:${SECRET}`)}`) response.writeHead(401).end()
    else for (const part of parts) response.write(part)
  }).listen(0, "127.0.0.1")
  scope.defer(() => server.close().closeAllConnections())
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const gateway = await startGateway(scope, {
    settings: {
      ACCESS__ADMIN_TOKENS: ADMIN,
      PULLS: JSON.stringify([
        { stream: "live/always", url: `${origin.httpUrl}/flv/live/cam1.flv?token=${SECRET}` },
        { stream: "live/file", url: `http://user:${SECRET}@127.0.0.1:${port}/clip.flv`, onDemand: true },
      ]),
    },
  })
  await liveStream(gateway, "live/always")
  for (const stream of ["live/always", "live/file"]) {
    const { videoFrames, samples, errors } = await readStream(scope, gateway.rtmpUrl(stream), 3)
    expect(errors).toEqual([])
    expect(videoFrames).toBeGreaterThan(60)
    expect(samples.length).toBeGreaterThan(8_000)
  }
  expect(await pulls(gateway)).toMatchObject([
    { stream: "live/always", origin: `${origin.httpUrl}/flv/live/cam1.flv`, state: "live" },
    { stream: "live/file", origin: `http://127.0.0.1:${port}/clip.flv`, state: "live" },
  ])
  expect(gateway.process.stdoutLines.join("\n")).not.toContain(SECRET)
  await expectHealthy(gateway)
})

test("RTMPS is pulled from an origin of a private authority, and from no other", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pull-rtmps-"))
  scope.defer(() => rm(folder, { recursive: true, force: true }))
  await makeCertificates(folder)
  const port = await freeTcpPort()
  const origin = await startGateway(scope, {
    settings: {
      RTMP__TLS__PORT: `${port}`,
      RTMP__TLS__CERT_FILE: join(folder, "cert.pem"),
      RTMP__TLS__KEY_FILE: join(folder, "key.pem"),
    },
  })
  publishClip(scope, await clip("tone"), origin.rtmpUrl("live/cam1"))
  await liveStream(origin, "live/cam1")
  const pull = { stream: "live/cam1", url: `rtmps://127.0.0.1:${port}/live/cam1?key=${SECRET}` }
  const stranger = await startEdge(pull)
  const [refused] = await until(
    "a refusal",
    async () => (await pulls(stranger))[0]?.lastError && (await pulls(stranger)),
  )
  expect(refused).toMatchObject({
    lastError: { code: "rtmp.unreachable", message: expect.stringMatching(/certificate/) },
  })
  const gateway = await startEdge(pull, { PULL__CA_FILE: join(folder, "ca.pem") })
  await liveStream(gateway, "live/cam1")
  expect((await readStream(scope, gateway.rtmpUrl("live/cam1"), 2)).videoFrames).toBeGreaterThan(40)
  for (const { process } of [stranger, gateway]) expect(process.stdoutLines.join("\n")).not.toContain(SECRET)
})

interface ListedPull {
  readonly stream: string
  readonly state: string
  readonly lastError?: { readonly code: string }
}

async function pulls(gateway: TestGateway): Promise<ListedPull[]> {
  const response = await fetch(`${gateway.httpUrl}/api/v1/pulls`, { headers: { authorization: `Bearer ${ADMIN}` } })
  const { pulls: list } = (await response.json()) as { pulls: (ListedPull & { since?: string })[] }
  return list.map(({ since: _, ...pull }) => pull)
}

function startEdge(pull: object, settings: Record<string, string> = {}, owner: Scope = scope): Promise<TestGateway> {
  return startGateway(owner, { settings: { PULLS: JSON.stringify([pull]), ACCESS__ADMIN_TOKENS: ADMIN, ...settings } })
}

/** An authority, and a certificate of it for this machine. */
async function makeCertificates(folder: string): Promise<void> {
  const run = (args: string[]) => promisify(execFile)("openssl", args, { cwd: folder })
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
  await run(["req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2"])
  await run(["req", ...key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=origin"])
  await writeFile(join(folder, "names"), "subjectAltName=IP:127.0.0.1")
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2"]
  await run(["x509", "-req", "-in", "request.pem", "-out", "cert.pem", ...signed])
}

const ADMIN = "an-administrator"
const SECRET = "a-secret-of-the-origin"
