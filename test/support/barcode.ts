import { performance } from "node:perf_hooks"

/**
 * Pictures that show the time they were drawn at: 12 × 2 black and white cells of 48 pixels, from (32, 16) on, in a picture
 * of 640 × 360. Cell i (row by row) is bit i of a 24-bit number: tenths of a millisecond of the machine's clock modulo 2^20,
 * then 4 bits of checksum. Here they are drawn and read at a quarter of the size or one pixel per cell; ffmpeg scales.
 */
export const DRAWN_WIDTH = 160
/** Height of the pictures that `drawBarcode` fills. */
export const DRAWN_HEIGHT = 90
/** An ffmpeg filter that turns such a picture into one byte per cell. */
export const CELLS_FILTER = "crop=iw*576/640:ih*96/360:iw*32/640:ih*16/360,scale=12:2:flags=area,format=gray"
/** Bytes of a picture after `CELLS_FILTER`. */
export const CELL_COUNT = 24

const COLUMNS = 12
const CELL = 12
const LEFT = 8
const TOP = 4

/** Draws the time and a moving bar into a gray picture. */
export function drawBarcode(picture: Uint8Array, frameIndex: number): void {
  picture.fill(70)
  const barAt = (frameIndex * 2) % (DRAWN_WIDTH - 20)
  for (let y = 50; y < 70; y++) picture.fill(180, y * DRAWN_WIDTH + barAt, y * DRAWN_WIDTH + barAt + 20)
  const ticks = Math.floor(clockMs() * 10) & 0xfffff
  const bits = (ticks << 4) | checksum(ticks)
  for (let cell = 0; cell < CELL_COUNT; cell++) {
    const column = cell % COLUMNS
    const left = LEFT + column * CELL
    const top = TOP + ((cell - column) / COLUMNS) * CELL
    const value = bits & (1 << cell) ? 235 : 16
    for (let y = top; y < top + CELL; y++) picture.fill(value, y * DRAWN_WIDTH + left, y * DRAWN_WIDTH + left + CELL)
  }
}

/** The age in ms of a picture that arrives now as one byte per cell; undefined where the checksum does not fit. */
export function readAgeMs(cells: Uint8Array): number | undefined {
  const seenAtMs = clockMs()
  let bits = 0
  for (const [cell, value] of cells.entries()) if (value > 127) bits |= 1 << cell
  const ticks = bits >>> 4
  if (checksum(ticks) !== (bits & 15)) return undefined
  return ((Math.floor(seenAtMs * 10) - ticks) & 0xfffff) / 10
}

function checksum(ticks: number): number {
  return (0xa ^ (ticks + (ticks >> 4) + (ticks >> 8) + (ticks >> 12) + (ticks >> 16))) & 15
}

/** The machine's clock with the resolution of performance.now(): the largest difference seen is the one at a tick. */
function clockMs(): number {
  return offsetMs + performance.now()
}

const offsetMs = measureOffset()

function measureOffset(): number {
  let offset = Number.NEGATIVE_INFINITY
  const endsAt = performance.now() + 30
  while (performance.now() < endsAt) offset = Math.max(offset, Date.now() - performance.now())
  return offset
}
