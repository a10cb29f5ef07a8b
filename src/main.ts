#!/usr/bin/env node
import { Buffer } from "node:buffer"
import { readFileSync } from "node:fs"
import process from "node:process"
import { parseArgs } from "node:util"
import { type Config, loadConfig } from "./config.ts"
import { GatewayError } from "./errors.ts"
import { createGateway, type Gateway } from "./gateway.ts"
import { createLogger } from "./io/log.ts"
import { VERSION } from "./version.ts"

const HELP = `Whipstitch ${VERSION}: an edge gateway for live video, WebRTC (WHIP, WHEP) on one side and RTMP on the other.

Usage: whipstitch [options]

  -c, --config FILE   read the configuration from a JSON file
      --check         check the configuration and exit
  -v, --version       print the version
  -h, --help          print this help

Every key can also be set by a variable: rtmp.port is WHIPSTITCH_RTMP__PORT.
Defaults: HTTP 8080, RTMP 1935 (RTMPS 1936 where it is on), WebRTC media 8000 (UDP and TCP). All keys are in the README.
`

/** Reads the command line, runs the gateway until a signal comes, and returns the exit code. */
async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      config: { type: "string", short: "c" },
      check: { type: "boolean" },
      version: { type: "boolean", short: "v" },
      help: { type: "boolean", short: "h" },
    },
  })
  if (values.help === true) return print(HELP)
  if (values.version === true) return print(`${VERSION}\n`)
  const config = loadConfig(values.config === undefined ? {} : readConfigFile(values.config), process.env)
  if (values.check === true) return print("the configuration is valid\n")

  Buffer.poolSize = BUFFER_POOL_BYTES
  const signal = nextSignal()
  const logger = createLogger(config.log)
  const gateway = await createGateway(config, { logger })
  print(describeStart(gateway, config))
  const name = await signal
  logger.info({ signal: name }, "closing: sessions are told and given time to end")
  await gateway.close()
  return 0
}

/**
 * Small buffers are parts of larger ones, which each of them keeps whole. A DTLS session leaves a few that live as long as it does: with Node's 64 kB
 * they kept 100 kB for each viewer, and with this an eighth of it.
 */
const BUFFER_POOL_BYTES = 8_192

function describeStart({ urls }: Gateway, { access }: Config): string {
  const isOpen = [access.publishTokens, access.playTokens, access.rules].every((list) => list.length === 0)
  const isAsked = access.jwt !== undefined || access.callbacks.onPublish || access.callbacks.onPlay
  const who = isOpen && !isAsked ? "everyone may publish and watch (docs/access.md)" : "by the rules of access.*"
  const rtmps = urls.rtmps === undefined ? "" : `\n            RTMPS         ${urls.rtmps}/live/NAME`
  return `
  Whipstitch ${VERSION} is ready

  Publish   OBS, ffmpeg   ${urls.rtmp}/live/NAME${rtmps}
            WHIP          ${urls.http}/whip/live/NAME
            browser       ${urls.http}/publish/live/NAME
  Watch     browser       ${urls.http}/watch/live/NAME
            WHEP          ${urls.http}/whep/live/NAME
            ffplay, VLC   ${urls.rtmp}/live/NAME
            HTTP-FLV      ${urls.http}/flv/live/NAME.flv
  Live now  ${urls.http}/
  Access    ${who}

`
}

function readConfigFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new GatewayError("config.invalid", `cannot read the configuration file ${path}: ${reason}`, { cause })
  }
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      process.once(name, () => {
        resolve(name)
        // A moment later, as Deno calls a listener that is added now for this very signal.
        setImmediate(() => process.once(name, () => process.exit(130)))
      })
    }
  })
}

function print(text: string): 0 {
  process.stdout.write(text)
  return 0
}

/** Mistakes of the user get one clear sentence, bugs a stack. */
function explain(error: unknown): string {
  if (error instanceof GatewayError) return error.message
  if (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS")) {
    return `${error.message}\nSee whipstitch --help.`
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

try {
  process.exit(await main(process.argv.slice(2)))
} catch (error) {
  process.stderr.write(`whipstitch: ${explain(error)}\n`)
  process.exit(1)
}
