import { execFile } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { beforeAll, describe, expect, test } from "vitest"
import { type RtmpSetup, startRtmpSetup } from "../io/rtmp/setup.ts"
import { probe, publishClip, runFfmpeg } from "../support/ffmpeg.ts"
import { clip } from "../support/media.ts"
import { FFMPEG9, HAS_FFMPEG9 } from "../support/paths.ts"
import { type RunningProcess, startProcess } from "../support/process.ts"
import { testScope } from "../support/test-scope.ts"
import { until, within } from "../support/wait.ts"

/** RTMP clients that no one here wrote, against the RTMP server alone. */
const scope = testScope()

/** A folder that any user may write to. */
function openFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "whipstitch-"))
  scope.defer(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o777)
  return folder
}

async function publish(setup: RtmpSetup): Promise<void> {
  publishClip(scope, await clip("tone"), setup.url("cam1"))
  await until("sound and picture", () => [...(setup.registry.list()[0]?.tracks ?? [])].length === 2)
}

/** Packets of each codec in a file that a player wrote. */
async function packetCounts(file: string): Promise<Record<string, number>> {
  const args = ["-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of", "json"]
  const { stdout } = await promisify(execFile)("ffprobe", [...args, file])
  const { streams } = JSON.parse(stdout) as { streams: { codec_name: string; nb_read_packets: string }[] }
  return Object.fromEntries(streams.map(({ codec_name, nb_read_packets }) => [codec_name, Number(nb_read_packets)]))
}

/** Waits until a program has ended by itself, with what it wrote in the error if it does not, or ends badly. */
async function succeeded(program: RunningProcess, timeoutMs = 15_000): Promise<void> {
  const output = () => [...program.stdoutLines, ...program.stderrLines].slice(-15).join("\n")
  const exit = await within(timeoutMs, "the program to end", program.exited).catch((error) => `${error}`)
  expect(exit, output()).toBe(0)
}

const ENOUGH = { h264: 35, aac: 60 }

function expectEnough(counts: Record<string, number>): void {
  expect(Object.keys(counts).toSorted()).toEqual(["aac", "h264"])
  for (const [codec, least] of Object.entries(ENOUGH)) expect(counts[codec]).toBeGreaterThan(least)
}

describe("rtmpdump", () => {
  // With a SWF to verify, librtmp does the digest form of the handshake, and checks what the server answers.
  const swf = ["--swfVfy", "http://127.0.0.1:9/x.swf", "--swfhash", "1".repeat(64), "--swfsize", "1000"]

  test.each([
    { name: "as a live stream", flags: ["--live"], said: "HandShake: Handshaking finished" },
    { name: "as a recorded one", flags: [], said: "HandShake: Handshaking finished" },
    { name: "with digests", flags: ["--live", ...swf], said: "HandShake: Genuine Adobe Flash Media Server" },
  ])("plays $name into a file, for as long as it asks", async ({ flags, said }) => {
    const setup = await startRtmpSetup(scope)
    await publish(setup)
    const file = join(openFolder(), "out.flv")
    const args = ["--verbose", "--rtmp", setup.url("cam1"), "--stop", "2", "--flv", file, ...flags]
    const player = startProcess(scope, "rtmpdump", args)
    await succeeded(player)
    expect(player.stderrLines.join("\n")).toContain(said)
    expectEnough(await packetCounts(file))
  })

  test("is told in the log why there is no RTMPE", async () => {
    const { url, log } = await startRtmpSetup(scope)
    const player = startProcess(scope, "rtmpdump", ["--live", "--rtmp", url("cam1").replace("rtmp:", "rtmpe:")])
    expect(await player.exited).not.toBe(0)
    expect(log).toEqual([expect.objectContaining({ level: 40, msg: expect.stringContaining("RTMPE") })])
  })
})

describe("GStreamer", () => {
  test.each(["rtmp2sink", "rtmpsink"])("publishes with %s, and ends in peace", async (sink) => {
    const setup = await startRtmpSetup(scope)
    const picture = "videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
    const video = `${picture} ! x264enc tune=zerolatency key-int-max=25 ! h264parse ! queue ! flvmux streamable=true name=mux`
    const audio = "audiotestsrc num-buffers=100 ! audioconvert ! avenc_aac ! aacparse ! queue ! mux."
    const pipeline = `${video} ! ${sink} sync=true location=${setup.url("gst")} ${audio}`
    const publisher = startProcess(scope, "gst-launch-1.0", ["-q", ...pipeline.split(" ")])
    await until("sound and picture", () => [...(setup.registry.list()[0]?.tracks ?? [])].length === 2)
    expect((await probe(setup.url("gst"))).map(({ codec_name }) => codec_name)).toEqual(["h264", "aac"])
    await succeeded(publisher)
    const gone = await until("its end", () => setup.log.find(({ msg }) => msg === "publisher gone"))
    expect(gone).toMatchObject({ videoFrames: 60 })
    expect(setup.log.filter(({ level }) => Number(level) >= 40)).toEqual([])
  })

  test.each([
    { source: "rtmp2src", live: "", buffers: 130 },
    { source: "rtmpsrc", live: " live=1", buffers: 60 },
  ])("plays with $source", async ({ source, live, buffers }) => {
    const setup = await startRtmpSetup(scope)
    await publish(setup)
    const file = join(openFolder(), "out.flv")
    const from = [source, `location=${setup.url("cam1")}${live}`, `num-buffers=${buffers}`]
    await succeeded(startProcess(scope, "gst-launch-1.0", ["-q", ...from, "!", "filesink", `location=${file}`]))
    expectEnough(await packetCounts(file))
  })
})

test("VLC plays into a file", async () => {
  const setup = await startRtmpSetup(scope)
  await publish(setup)
  const folder = openFolder()
  const file = join(folder, "out.ts")
  const args = ["--quiet", "--intf", "dummy", "--run-time", "3", "--sout", `#std{access=file,mux=ts,dst=${file}}`]
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {} // VLC does not run as root
  const env = { ...process.env, HOME: folder }
  const player = startProcess(scope, "cvlc", [...args, setup.url("cam1"), "vlc://quit"], { env, ...nobody })
  await succeeded(player, 20_000)
  expectEnough(await packetCounts(file))
})

describe("RTMPS", () => {
  let files = { certFile: "", keyFile: "" }

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), "whipstitch-"))
    files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") }
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    const paths = ["-keyout", files.keyFile, "-out", files.certFile]
    await promisify(execFile)("openssl", ["req", "-x509", "-days", "2", ...key, ...names, ...paths])
    return () => rmSync(folder, { recursive: true, force: true })
  })

  const commands = [
    { name: "ffmpeg 5", command: "ffmpeg" },
    ...(HAS_FFMPEG9 ? [{ name: "ffmpeg 9", command: FFMPEG9 }] : []),
  ]

  test.each(commands)("$name publishes and plays, with a verified certificate", async ({ command }) => {
    const setup = await startRtmpSetup(scope, { tls: { port: 0, ...files } })
    const url = `rtmps://localhost:${setup.server.tlsPort}/live/cam1`
    const verified = ["-tls_verify", "1", "-cafile", files.certFile]
    const input = ["-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", await clip("tone"), "-c", "copy"]
    startProcess(scope, command, [...input, ...verified, "-f", "flv", url])
    await until("sound and picture", () => [...(setup.registry.list()[0]?.tracks ?? [])].length === 2)
    const reader = runFfmpeg(scope, [...verified, "-i", url, "-t", "2", "-f", "null", "-"])
    await succeeded(reader)
    expect(reader.stderrLines).toEqual([])
    expect(setup.log.filter(({ tls }) => tls !== true)).toEqual([])
  })

  test("rtmpdump plays where TLS 1.3 is off", async () => {
    const tls = { port: 0, ...files, maxVersion: "TLSv1.2" } as const
    const setup = await startRtmpSetup(scope, { tls })
    await publish(setup)
    const file = join(openFolder(), "out.flv")
    const url = `rtmps://localhost:${setup.server.tlsPort}/live/cam1`
    await succeeded(startProcess(scope, "rtmpdump", ["--live", "--rtmp", url, "--stop", "2", "--flv", file]))
    expectEnough(await packetCounts(file))
  })
})
