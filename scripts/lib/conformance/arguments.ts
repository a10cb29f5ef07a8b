import { parseArgs } from "node:util"

/** What the command line asks for. */
export interface Arguments {
  readonly whip: string | undefined
  readonly whep: string | undefined
  readonly idle: string | undefined
  readonly token: string | undefined
  readonly json: boolean
  readonly httpOnly: boolean
  /** Numbers of rules; empty for all of them. */
  readonly only: readonly number[]
  readonly floodRequests: number
  readonly silenceMs: number
}

/** How to call the suite. */
export const USAGE = `scripts/conformance URL | --whip URL | --whep URL  [options]

  URL            base address of a Whipstitch, for /whip/live/conformance and /whep/live/conformance
  --whip URL     endpoint of WHIP
  --whep URL     endpoint of WHEP; without --whip its stream has to be live
  --idle URL     endpoint of WHEP that nobody publishes to, for rule 38
  --token TOKEN  Bearer token of both
  --only N,N     these rules alone
  --http-only    leave out what needs ICE, DTLS and media
  --silence S    seconds that a server has to notice that a client vanished; default 45
  --flood N      send up to N requests at once to see whether the server limits them
  --json         results for programs
`

/** Reads the command line. Throws an Error with a sentence for its user. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      whip: { type: "string" },
      whep: { type: "string" },
      idle: { type: "string" },
      token: { type: "string" },
      only: { type: "string", default: "" },
      flood: { type: "string", default: "0" },
      silence: { type: "string", default: "45" },
      json: { type: "boolean", default: false },
      "http-only": { type: "boolean", default: false },
    },
  })
  const [base, ...others] = positionals
  if (others.length > 0) throw new Error("name one base address, or --whip and --whep")
  const at = (path: string) => (base === undefined ? undefined : `${base.replace(/\/+$/, "")}${path}`)
  const { whip = at("/whip/live/conformance"), whep = at("/whep/live/conformance"), idle } = values
  if (whip === undefined && whep === undefined) throw new Error("name a server")
  for (const url of [whip, whep, idle]) {
    if (url !== undefined && !/^https?:\/\/./.test(url)) throw new Error(`no http address: ${url}`)
  }
  return {
    whip,
    whep,
    idle,
    token: values.token,
    json: values.json,
    httpOnly: values["http-only"],
    only: values.only
      .split(",")
      .filter(Boolean)
      .map((text) => parseNumber("--only", text)),
    floodRequests: parseNumber("--flood", values.flood),
    silenceMs: parseNumber("--silence", values.silence) * 1000,
  }
}

function parseNumber(option: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new Error(`${option} takes numbers, not ${text}`)
  return Number(text)
}
