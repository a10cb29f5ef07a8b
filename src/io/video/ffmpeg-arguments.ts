/**
 * The arguments of ffmpeg (5.1 and newer) that read FLV with H.264 from its input and write FLV with H.264 to its output: each picture as
 * soon as it is there, with the time that it came with, and a keyframe where there was one. `encoder` is what chooses and sets up the
 * encoder.
 */
export function ffmpegArguments(encoder: readonly string[]): string[] {
  return [
    ...["-hide_banner", "-nostdin", "-v", "error"],
    // One thread: with more of them the decoder holds back a picture for each.
    ...["-probesize", "32", "-analyzeduration", "0", "-threads", "1", "-f", "flv", "-i", "pipe:0"],
    ...["-map", "0:v:0", "-fps_mode", "passthrough", "-copyts", "-enc_time_base", "1:1000"],
    ...["-pix_fmt", "yuv420p", "-bf", "0", "-force_key_frames", "source", ...encoder],
    ...["-flush_packets", "1", "-flvflags", "no_duration_filesize+no_sequence_end+no_metadata", "-f", "flv", "pipe:1"],
  ]
}
