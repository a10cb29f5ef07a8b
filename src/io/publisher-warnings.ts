import type { FlvToFrames } from "../bridge/flv-to-frames.ts"
import { parseAv1Format } from "../media/av1.ts"
import { CODEC_TITLES } from "../media/codec.ts"
import type { Track, VideoTrack } from "../media/frame.ts"
import { parseH265Sps } from "../media/h265.ts"

/** Tells once of each thing in a publisher's media that not all viewers can have, and what to set in the encoder. */
export class PublisherWarnings {
  readonly #warn: (message: string) => void
  readonly #given = new Set<string>()
  /** Tracks that have been looked at. */
  readonly #last: { video: Track | undefined; audio: Track | undefined } = { video: undefined, audio: undefined }

  constructor(warn: (message: string) => void) {
    this.#warn = warn
  }

  /** Looks at what became of a message. */
  check(kind: Track["kind"], frames: FlvToFrames): void {
    const problem = frames.problem(kind)
    if (problem !== undefined) this.#once(`${kind} problem`, `${problem}; ${WITHOUT[kind]}`)
    if (frames.hasBFrames) this.#once(B_FRAMES)
    if (frames.otherTracks(kind) > 0) this.#once(`${kind} tracks`, `${kind}: ${OTHER_TRACKS}`)
  }

  /** Looks at the track of a frame. */
  checkTrack(track: Track): void {
    if (this.#last[track.kind] === track) return
    this.#last[track.kind] = track
    if (track.kind === "video") {
      if (!isShownByBrowsers(track)) this.#once(PROFILE)
    } else if (track.codec !== "aac" && track.codec !== "opus") {
      this.#once("passed sound", `the sound is ${CODEC_TITLES[track.codec]}: ${PASSED_SOUND}`)
    }
  }

  #once(key: string, message = key): void {
    if (this.#given.has(key)) return
    this.#given.add(key)
    this.#warn(message)
  }
}

/** True for 8 bits and 4:2:0, and for the 10 bits of AV1's main profile, which all its decoders know. */
function isShownByBrowsers(track: VideoTrack): boolean {
  switch (track.codec) {
    case "h264":
      return track.sps.every((sps) => H264_PROFILES_OF_BROWSERS.has(sps[1]))
    case "h265":
      return track.sps.every((sps) => parseH265Sps(sps)?.profileIdc === H265_MAIN)
    case "av1":
      return parseAv1Format(track.sequenceHeader)?.profile === 0
    case "vp9":
      return track.profile === 0
    case "vp8":
      return true
  }
}

const WITHOUT = { video: "the sound goes on alone", audio: "the picture goes on alone" } as const
const B_FRAMES =
  "the video has B-frames: WebRTC viewers see it some frames later, and some browsers with fewer pictures a second; set B-frames to 0 in the encoder (x264: bframes=0, or tune zerolatency), or have them taken out here (video.bFrames)"
const PROFILE =
  "the video has 10 bits or full colour resolution, which many browsers cannot show: set the encoder's pixel format to yuv420p (NV12 in OBS, I420 in GStreamer)"
const PASSED_SOUND =
  "RTMP and FLV readers get it as it is, WebRTC viewers and outputs with AAC get none; set the encoder to AAC or Opus"
const OTHER_TRACKS = "the publisher sends several tracks, of which only the default one (the lowest track id) is used"
/** `profile_idc` of Baseline, Main, Extended and High, the second byte of an SPS. */
const H264_PROFILES_OF_BROWSERS: ReadonlySet<number | undefined> = new Set([66, 77, 88, 100])
const H265_MAIN = 1
