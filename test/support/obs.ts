import { existsSync } from "node:fs"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type RunningProcess, startProcess } from "./process.ts"
import type { Scope } from "./scope.ts"

/** Whether OBS and a display for it are installed; nobody installs them for a test. */
export const HAS_OBS = existsSync("/usr/bin/obs") && existsSync("/usr/bin/Xvfb")

/** What OBS publishes, and where. */
export interface ObsOptions {
  /** Its server, `rtmp://HOST:PORT/live`. */
  readonly server: string
  readonly key: string
  /** A clip that it plays in a loop. */
  readonly file: string
}

/** Starts OBS on a display of its own, publishing at once; it ends with the scope. */
export async function startObs(scope: Scope, options: ObsOptions): Promise<RunningProcess> {
  const home = await mkdtemp(join(tmpdir(), "obs-"))
  scope.defer(() => rm(home, { recursive: true, force: true, maxRetries: 5 }))
  await writeProfile(join(home, "obs-studio"), options)
  const display = await startDisplay(scope)
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_RUNTIME_DIR: home,
    DISPLAY: display,
    LIBGL_ALWAYS_SOFTWARE: "1",
    QT_QPA_PLATFORM: "xcb",
  }
  return startProcess(scope, "/usr/bin/obs", ["--multi", "--startstreaming", "--scene", "Scene"], { env })
}

/** A virtual screen; the server chooses its number and says it on file descriptor 3. */
async function startDisplay(scope: Scope): Promise<string> {
  const args = ["-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp"]
  const screen = startProcess(scope, "/usr/bin/Xvfb", args, { stdio: ["ignore", "ignore", "pipe", "pipe"] })
  const said = screen.child.stdio[3]
  if (said === null || said === undefined) throw new Error("Xvfb has no way to say its number")
  for await (const number of said as AsyncIterable<Buffer>) return `:${number.toString().trim()}`
  throw new Error(`Xvfb did not start: ${screen.stderrLines.join("\n")}`)
}

async function writeProfile(folder: string, { server, key, file }: ObsOptions): Promise<void> {
  const profile = join(folder, "basic/profiles/Test")
  const scenes = join(folder, "basic/scenes")
  await mkdir(profile, { recursive: true })
  await mkdir(scenes, { recursive: true })
  await writeFile(join(folder, "global.ini"), GLOBAL_INI)
  await writeFile(join(profile, "basic.ini"), BASIC_INI)
  const service = { type: "rtmp_custom", settings: { server, key, use_auth: false } }
  await writeFile(join(profile, "service.json"), JSON.stringify(service))
  await writeFile(join(scenes, "Test.json"), JSON.stringify(sceneCollection(file)))
}

function sceneCollection(file: string) {
  const media = { local_file: file, looping: true, is_local_file: true, hw_decode: false, restart_on_activate: false }
  const item = { name: "Media", id: 1, visible: true, pos: { x: 0, y: 0 }, scale: { x: 1, y: 1 }, align: 5 }
  return {
    name: "Test",
    current_scene: "Scene",
    current_program_scene: "Scene",
    scene_order: [{ name: "Scene" }],
    sources: [
      { id: "ffmpeg_source", versioned_id: "ffmpeg_source", name: "Media", settings: media, mixers: 255 },
      { id: "scene", versioned_id: "scene", name: "Scene", settings: { id_counter: 2, items: [item] }, mixers: 0 },
    ],
  }
}

/** OBS asks nothing at its start where it was there before, in this version. */
const GLOBAL_INI = `[General]
FirstRun=true
LastVersion=486539266
Pre19Defaults=false
Pre21Defaults=false
Pre23Defaults=false
Pre24.1Defaults=false
EnableAutoUpdates=false
ConfirmOnExit=false
[Basic]
Profile=Test
ProfileDir=Test
SceneCollection=Test
SceneCollectionFile=Test
[BasicWindow]
SysTrayEnabled=false
WarnBeforeStartingStream=false
WarnBeforeStoppingStream=false
`

const BASIC_INI = `[General]
Name=Test
[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSType=0
FPSCommon=30
[Audio]
SampleRate=48000
ChannelSetup=Stereo
[Output]
Mode=Simple
Reconnect=true
RetryDelay=2
MaxRetries=25
[SimpleOutput]
VBitrate=1000
ABitrate=128
StreamEncoder=x264
UseAdvanced=false
Preset=ultrafast
`
