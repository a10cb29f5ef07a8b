import type { Page } from "playwright-core"

/** What a viewer saw who joined and left again; times are from its POST on. */
export interface Join {
  readonly firstPictureMs: number
  /** NaN where no sound came. */
  readonly firstSoundMs: number
  /** From the first picture until several in a row are as young as those at the end; NaN where that was not within the time. */
  readonly backAtLiveMs: number
  /** Age of the pictures at the end. */
  readonly liveAgeMs: number
  /** The longest time that one picture stood. */
  readonly longestGapMs: number
  /** Pictures that were shown after a younger one. */
  readonly reversals: number
  readonly freezes: number
  readonly nacks: number
  readonly plis: number
  readonly lost: number
  /** When each step was done: the answer, ICE, the connection. */
  readonly steps: Readonly<Record<string, number>>
}

/** Joins in a page of `openPage`, watches for some seconds after the first picture, and leaves. */
export async function joinOnce(page: Page, url: string, seconds: number): Promise<Join> {
  const { pictures, ...seen } = await page.evaluate<Seen>(`joins.once("${url}", { seconds: ${seconds} })`)
  const times = pictures.map(({ atMs }) => atMs)
  const firstPictureMs = times[0] ?? Number.NaN
  const read = pictures.filter((picture): picture is Required<Picture> => picture.ageMs !== undefined)
  const endMs = times.at(-1) ?? 0
  const liveAgeMs = quantile(
    read.filter(({ atMs }) => atMs > endMs - LAST_MS).map(({ ageMs }) => ageMs),
    0.5,
  )
  const isLive = ({ ageMs }: Required<Picture>) => ageMs <= liveAgeMs + LIVE_MS
  const live = read.find((_, i) => i + LIVE_PICTURES <= read.length && read.slice(i, i + LIVE_PICTURES).every(isLive))
  const drawn = read.map(({ atMs, ageMs }) => atMs - ageMs)
  return {
    ...seen,
    firstPictureMs,
    backAtLiveMs: (live?.atMs ?? Number.NaN) - firstPictureMs,
    liveAgeMs,
    longestGapMs: Math.max(0, ...times.slice(1).map((time, i) => time - (times[i] ?? time))),
    reversals: drawn.slice(1).filter((time, i) => time < (drawn[i] ?? time) - CLOCK_MS).length,
  }
}

/** The 50th and 95th percentile, and the longest. */
export interface Spread {
  readonly p50: number
  readonly p95: number
  readonly max: number
}

/** What many joins showed together; sums where nothing else is said. */
export interface JoinSummary {
  readonly firstPicture: Spread
  readonly firstSound: Spread
  readonly backAtLive: Spread
  readonly joins: number
  readonly freezes: number
  readonly nacks: number
  readonly plis: number
  readonly lost: number
  /** Joins that lost packets. */
  readonly lossyJoins: number
  /** Joins that were back at live after more than two seconds. */
  readonly lateJoins: number
  readonly reversals: number
  /** The longest of all. */
  readonly longestGapMs: number
  /** Median. */
  readonly liveAgeMs: number
}

/** Sums many joins up. */
export function summarise(joins: readonly Join[]): JoinSummary {
  const of = (name: keyof Omit<Join, "steps">) => joins.map((join) => join[name])
  const sum = (name: keyof Omit<Join, "steps">) => of(name).reduce((total, value) => total + value, 0)
  return {
    firstPicture: spread(of("firstPictureMs")),
    firstSound: spread(of("firstSoundMs")),
    backAtLive: spread(of("backAtLiveMs")),
    joins: joins.length,
    freezes: sum("freezes"),
    nacks: sum("nacks"),
    plis: sum("plis"),
    lost: sum("lost"),
    lossyJoins: joins.filter(({ lost }) => lost > 0).length,
    lateJoins: joins.filter(({ backAtLiveMs }) => !(backAtLiveMs <= LATE_MS)).length,
    reversals: sum("reversals"),
    longestGapMs: Math.max(...of("longestGapMs")),
    liveAgeMs: quantile(of("liveAgeMs"), 0.5),
  }
}

interface Picture {
  readonly atMs: number
  readonly ageMs?: number
}

interface Seen extends Pick<Join, "firstSoundMs" | "freezes" | "nacks" | "plis" | "lost" | "steps"> {
  readonly pictures: readonly Picture[]
}

function spread(values: readonly number[]): Spread {
  return { p50: quantile(values, 0.5), p95: quantile(values, 0.95), max: quantile(values, 1) }
}

/** The value that a share of all does not exceed; those that are missing count as the largest. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => (Number.isNaN(a) ? 1 : Number.isNaN(b) ? -1 : a - b))
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** What a viewer should not have to wait for live pictures. */
const LATE_MS = 2_000
/** Over which the pictures' usual age is taken. */
const LAST_MS = 1_500
/** A picture that is older than usual by two and a half pictures is late, */
const LIVE_MS = 100
/** and so many in a row that are not are live. */
const LIVE_PICTURES = 5
/** Clocks of a page are no finer. */
const CLOCK_MS = 5
