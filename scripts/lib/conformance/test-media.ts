/** Sends one RTP packet. */
export type SendRtp = (packet: Buffer) => void

/** Where packets go and under which numbers. */
export interface MediaTrack {
  readonly send: SendRtp
  readonly payloadType: number
  readonly ssrc: number
}

/** Sends a picture ten times a second, each a keyframe, and silence; returns the way to stop it. */
export function sendTestMedia(audio: MediaTrack, video: MediaTrack): () => void {
  const startedAt = performance.now()
  let sound = 0
  let pictures = 0
  let videoNumber = 0
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedAt
    for (; sound * SOUND_MS <= elapsedMs; sound++) {
      audio.send(rtp(audio, sound, sound * SOUND_MS * 48, true, OPUS_SILENCE))
    }
    for (; pictures * PICTURE_MS <= elapsedMs; pictures++) {
      for (const [index, unit] of H264_PICTURE.entries()) {
        const isLast = index === H264_PICTURE.length - 1
        video.send(rtp(video, videoNumber++, pictures * PICTURE_MS * 90, isLast, unit))
      }
    }
  }, SOUND_MS)
  return () => clearInterval(timer)
}

/** RFC 3550 section 5.1. */
function rtp(
  { payloadType, ssrc }: MediaTrack,
  number: number,
  timestamp: number,
  marker: boolean,
  payload: Buffer,
): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt8(0x80, 0)
  header.writeUInt8((marker ? 0x80 : 0) | payloadType, 1)
  header.writeUInt16BE(number & 0xffff, 2)
  header.writeUInt32BE(timestamp >>> 0, 4)
  header.writeUInt32BE(ssrc, 8)
  return Buffer.concat([header, payload])
}

const SOUND_MS = 20
const PICTURE_MS = 100
/** 20 ms of silence, RFC 6716. */
const OPUS_SILENCE = Buffer.from("f8fffe", "hex")
/** SPS, PPS and IDR slice of a blue picture, 160×96, constrained baseline; made by x264. */
const H264_PICTURE = [
  "6742c00adc28db011000000300100000030140f12278",
  "68ce044b20",
  "6588843f118a00020631c000404238000802c47a93939393939393" +
    "9393bd575d75d75d75d75d75d75d75d75d75d75d75d75d75d75d75d75d75d75d75d75d75d75d78",
].map((unit) => Buffer.from(unit, "hex"))
