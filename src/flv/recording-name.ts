import { GatewayError } from "../errors.ts"

/** What the name of a recording's file may tell. */
export interface RecordingNameFacts {
  readonly app: string
  readonly stream: string
  /** When the file begins. */
  readonly startedAt: Date
  /** Which file of its recording it is, from 1. */
  readonly part: number
  /** The recording's id. */
  readonly id: string
}

/** In which time zone dates and times of names are. */
export type RecordingTimeZone = "utc" | "local"

/**
 * Tells what is wrong with a template, undefined for nothing. A good one gives, with every stream name, a path that stays below the folder
 * that it is put into: no part of it is empty or begins with a dot.
 */
export function recordingTemplateProblem(template: string): string | undefined {
  if (template.length > MAX_TEMPLATE_LENGTH) return `is longer than ${MAX_TEMPLATE_LENGTH} characters`
  if (!template.endsWith(".flv")) return "must end in .flv"
  for (const [token, name = ""] of template.matchAll(TOKEN)) {
    if (!Object.hasOwn(VALUES, name)) return `does not know ${token}: it may name ${TOKEN_LIST}`
  }
  const literal = template.replace(TOKEN, "x")
  if (!/^[\w.@+=, -]+(\/[\w.@+=, -]+)*$/.test(literal)) {
    return 'may hold letters, digits, "-", "_", ".", "@", "+", "=", "," and spaces beside tokens, and "/" between folders'
  }
  if (literal.split("/").some((part) => /^[. ]|[. ]$/.test(part))) {
    return "must have no part that begins or ends with a dot or a space"
  }
  return undefined
}

/** Makes the path of a file, relative to the folder of recordings, with `/`. Throws `config.invalid` for a template with a problem. */
export function recordingName(template: string, facts: RecordingNameFacts, timeZone: RecordingTimeZone): string {
  const problem = recordingTemplateProblem(template)
  if (problem !== undefined) throw new GatewayError("config.invalid", `the template of a recording's name ${problem}`)
  const calendar = calendarOf(facts.startedAt, timeZone)
  return template.replace(TOKEN, (_, name: keyof typeof VALUES) => VALUES[name](facts, calendar))
}

/** Puts a number before the ending of a name that is taken. */
export function numberedName(name: string, number: number): string {
  return number < 2 ? name : name.replace(/\.flv$/, `-${number}.flv`)
}

interface Calendar {
  readonly year: string
  readonly month: string
  readonly day: string
  readonly hour: string
  readonly minute: string
  readonly second: string
}

function calendarOf(date: Date, timeZone: RecordingTimeZone): Calendar {
  const local = new Date(date.getTime() - (timeZone === "local" ? date.getTimezoneOffset() * 60_000 : 0))
  const [year = "", month = "", day = "", hour = "", minute = "", second = ""] = local.toISOString().split(/[-T:.]/)
  return { year, month, day, hour, minute, second }
}

const VALUES = {
  app: ({ app }) => app,
  stream: ({ stream }) => stream,
  date: (_, { year, month, day }) => `${year}-${month}-${day}`,
  time: (_, { hour, minute, second }) => `${hour}-${minute}-${second}`,
  year: (_, { year }) => year,
  month: (_, { month }) => month,
  day: (_, { day }) => day,
  hour: (_, { hour }) => hour,
  minute: (_, { minute }) => minute,
  second: (_, { second }) => second,
  unix: ({ startedAt }) => `${Math.floor(startedAt.getTime() / 1000)}`,
  n: ({ part }) => `${part}`.padStart(3, "0"),
  id: ({ id }) => id,
} as const satisfies Record<string, (facts: RecordingNameFacts, calendar: Calendar) => string>

const TOKEN = /\{(\w+)\}/g
const TOKEN_LIST = Object.keys(VALUES)
  .map((name) => `{${name}}`)
  .join(" ")
const MAX_TEMPLATE_LENGTH = 300
