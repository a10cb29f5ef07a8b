import { GatewayError } from "../errors.ts"
import { DisposablePictures } from "../media/disposable.ts"
import { isVideoFrame, type MediaFrame, type VideoFrame } from "../media/frame.ts"

/**
 * Where a reader begins. `live`: at the live edge; it gets the cached group of pictures with times pressed together right before that.
 * `keyframe`: with the last keyframe; it gets all that is cached with its true times, and what it plays is as late as the keyframe is old.
 */
export const FLV_STARTS = ["live", "keyframe"] as const
/** One of {@link FLV_STARTS}. */
export type FlvStart = (typeof FLV_STARTS)[number]

/** Reads what a player asked for, `fallback` where that is nothing. Throws `stream.start`. */
export function parseFlvStart(text: string | undefined, fallback: FlvStart): FlvStart {
  if (text === undefined || text === "") return fallback
  const start = FLV_STARTS.find((known) => known === text)
  if (start === undefined) throw new GatewayError("stream.start", `start must be ${FLV_STARTS.join(" or ")}`)
  return start
}

/** What a reader that begins at live gets of the cache. */
export interface LiveReplay {
  readonly frames: MediaFrame[]
  /** How many pictures a second the stream has; undefined where it is not known. ffmpeg would take it from the pressed times, and encode 1000 a second. */
  readonly pictureRateHz: number | undefined
}

/**
 * Of the cached frames it gets the pictures pressed together and all sound, of which it has to leave out what lies before the first picture.
 * Without pictures it gets the newest sound alone.
 */
export function replayAtLive(cached: readonly MediaFrame[], hasPictures: boolean): LiveReplay {
  const sound = cached.filter((frame) => !isVideoFrame(frame))
  if (!hasPictures) return { frames: sound.slice(-1), pictureRateHz: undefined }
  const group = cached.filter(isVideoFrame)
  return { frames: [...pressPictures(group), ...sound], pictureRateHz: pictureRateHz(group) }
}

/**
 * Gives a group of pictures, from its keyframe on in decoding order, times right before the live edge, which is the decoding time of the newest one.
 * A decoder runs through them as fast as it can, and the player is at most as many milliseconds behind live as there are
 * pictures, instead of as long as the group has been lasting.
 *
 * Decoding and presentation times rise by a millisecond, the least that FLV can tell. A picture that is shown after the live edge keeps its presentation time: live
 * B-frames that come later are shown before it. Pictures that no other one refers to are left out.
 *
 * All who join between two pictures get the same frames, so that these are serialised once.
 */
export function pressPictures(group: readonly VideoFrame[]): readonly VideoFrame[] {
  const [keyframe, newest] = [group[0], group.at(-1)]
  if (keyframe === undefined || newest === undefined) return group
  const last = lastPressed.get(keyframe)
  if (last?.newest === newest) return last.pressed
  const pressed = press(group, toMs(newest.dtsUs))
  lastPressed.set(keyframe, { newest, pressed })
  return pressed
}

/** By keyframe, and one for each: what is made for other moments, and its serialised form, must not stay until the next keyframe. */
const lastPressed = new WeakMap<VideoFrame, { readonly newest: VideoFrame; readonly pressed: readonly VideoFrame[] }>()

function press(group: readonly VideoFrame[], edgeMs: number): readonly VideoFrame[] {
  const kept = withoutDisposable(group)
  const shown = kept.filter(({ ptsUs }) => toMs(ptsUs) <= edgeMs).sort((a, b) => a.ptsUs - b.ptsUs)
  const ptsMsOf = new Map(shown.map((frame, i) => [frame, edgeMs - (shown.length - 1 - i)]))
  const ptsMs = kept.map((frame) => ptsMsOf.get(frame) ?? toMs(frame.ptsUs))
  const dtsMs = kept.map((_, i) => edgeMs - (kept.length - 1 - i))
  // More are shown behind a picture than are decoded behind it where pictures come at uneven distances: all are decoded that much earlier.
  const earlierMs = dtsMs.reduce((most, decodedMs, i) => Math.max(most, decodedMs - (ptsMs[i] as number)), 0)
  const isCloser = (dtsMs[0] as number) - earlierMs > toMs((group[0] as VideoFrame).dtsUs)
  if (!isCloser) return group
  return kept.map((frame, i) => ({
    ...frame,
    dtsUs: ((dtsMs[i] as number) - earlierMs) * 1000,
    ptsUs: (ptsMs[i] as number) * 1000,
  }))
}

/** Rounded to thousandths. */
function pictureRateHz(group: readonly VideoFrame[]): number | undefined {
  const durationUs = (group.at(-1)?.dtsUs ?? 0) - (group[0]?.dtsUs ?? 0)
  return durationUs > 0 ? Math.round(((group.length - 1) * 1e9) / durationUs) / 1000 : undefined
}

/** The first one stays whatever it says: it is the keyframe. */
function withoutDisposable(group: readonly VideoFrame[]): VideoFrame[] {
  const pictures = new DisposablePictures()
  return group.filter((frame, i) => !pictures.isDisposable(frame) || i === 0)
}

/** As `flvTimestampMs` does, without the wrap. */
function toMs(timeUs: number): number {
  return Math.round(timeUs / 1000)
}
