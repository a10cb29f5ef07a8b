import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"

/**
 * `scripts/run --demo`: the gateway with the arguments given, and beside it an ffmpeg that publishes a test picture with a
 * tone as live/demo. The picture starts again when it ends and stops with the gateway.
 */
const CLOCK_FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"
const RESTART_DELAY_MS = 1_000

const isTerminal = process.stdout.isTTY
const gateway = spawn(process.execPath, [join(import.meta.dirname, "../src/main.ts"), ...process.argv.slice(2)], {
  stdio: ["inherit", "pipe", "inherit"],
  env: isTerminal ? { WHIPSTITCH_LOG__FORMAT: "text", ...process.env } : process.env,
})
let publisher: ChildProcess | undefined
let isClosing = false

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    close()
    gateway.kill(signal)
  })
}
gateway.on("close", (code) => {
  close()
  process.exitCode = code ?? 1
})

let watchUrl = ""
for await (const line of createInterface({ input: gateway.stdout })) {
  process.stdout.write(`${line}\n`)
  watchUrl ||= line.match(/(\S+\/watch\/live\/)NAME/)?.[1] ?? ""
  const rtmpUrl = line.match(/(rtmp:\/\/\S+\/live\/)NAME/)?.[1]
  if (rtmpUrl !== undefined && publisher === undefined) publish(`${rtmpUrl}demo`)
  if (line.includes("Live now")) process.stdout.write(`\n  Demo      watch it at   ${watchUrl}demo\n`)
}

function publish(url: string): void {
  if (isClosing) return
  publisher = spawn("ffmpeg", ["-hide_banner", "-v", "error", "-nostdin", ...testPicture(), "-f", "flv", url], {
    stdio: ["ignore", "ignore", "pipe"],
  })
  // What it says about being interrupted is of no interest.
  publisher.stderr?.on("data", (text) => isClosing || process.stderr.write(text))
  publisher.on("close", () => setTimeout(publish, RESTART_DELAY_MS, url).unref())
}

function close(): void {
  isClosing = true
  publisher?.kill("SIGTERM")
}

/** 720p at 30 fps with the time of day where there is a font for it, and a quiet tone that beeps every second. */
function testPicture(): string[] {
  const clock = "drawtext=text='%{localtime\\:%T}':fontsize=72:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=16"
  const place = `fontfile=${CLOCK_FONT}:x=(w-text_w)/2:y=h-text_h-48`
  const picture = ["testsrc2=size=1280x720:rate=30", ...(existsSync(CLOCK_FONT) ? [`${clock}:${place}`] : [])].join(",")
  const tone = "sine=frequency=330:beep_factor=4:sample_rate=48000,volume=0.5"
  return [
    ...["-re", "-f", "lavfi", "-i", picture, "-re", "-f", "lavfi", "-i", tone],
    ...["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-profile:v", "baseline"],
    ...["-pix_fmt", "yuv420p", "-g", "60", "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k"],
    ...["-c:a", "aac", "-b:a", "128k", "-ac", "2"],
  ]
}
