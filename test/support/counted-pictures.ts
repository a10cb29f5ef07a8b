import type { Page } from "playwright-core"
import { COUNTED_PICTURES } from "./media.ts"

/** What a viewer saw of the clips `counted…`. */
export interface CountedPictures {
  /** Pictures that the browser decoded. */
  readonly received: number
  readonly presented: number
  /** Numbers that are not there between two others, as far as the browser decoded. */
  readonly missing: number
  /** Pictures that came in time, but that a busy browser left out of what it decoded. */
  readonly droppedByBrowser: number
  /** Pictures that were decoded or presented after a later one, or decoded twice. */
  readonly misplaced: number
  /** Damaged so far that the number cannot be read. */
  readonly unreadable: number
}

/** Reads the number of every picture for some seconds, in a page that plays such a clip. */
export async function readCountedPictures(page: Page, seconds: number): Promise<CountedPictures> {
  const droppedBefore = await droppedFrames(page)
  const { received, presented } = await page.evaluate<{ received: number[]; presented: number[] }>(
    `counter.read(${seconds})`,
  )
  const droppedByBrowser = (await droppedFrames(page)) - droppedBefore
  const steps = stepsOf(received)
  return {
    received: received.length,
    presented: presented.length,
    missing: steps.filter((step) => step > 1 && step <= MAX_GAP).reduce((sum, step) => sum + step - 1, 0),
    droppedByBrowser,
    // A busy page draws the picture that is there by then, which may be the next callback's.
    misplaced: [
      ...steps.filter((step) => step === 0),
      ...[...steps, ...stepsOf(presented)].filter((step) => step > MAX_GAP),
    ].length,
    unreadable: [...received, ...presented].filter((number) => number < 0).length,
  }
}

function droppedFrames(page: Page): Promise<number> {
  return page.evaluate<number>("harness.receiverStats().then(({ video }) => video.framesDropped)")
}

/** How far each picture is behind the one before, from 0 on, as the clip is played in a loop. */
function stepsOf(numbers: readonly number[]): number[] {
  const readable = numbers.filter((number) => number >= 0)
  return readable.slice(1).map((number, i) => (number - (readable[i] ?? 0) + COUNTED_PICTURES) % COUNTED_PICTURES)
}

/** More than that is a step backwards. */
const MAX_GAP = COUNTED_PICTURES / 2
