import { existsSync } from "node:fs"
import { join } from "node:path"

/** The folder of the project. */
export const ROOT = join(import.meta.dirname, "../..")
/** Where everything lies that is downloaded or generated; git ignores it. */
export const CACHE = join(ROOT, ".cache")
/** Debian sid's ffmpeg, unpacked by scripts/test: it has a WHIP muxer and Enhanced RTMP. */
export const FFMPEG9 = join(CACHE, "ffmpeg9/ffmpeg")
/** Tests that need it are skipped without it; in CI it is always there. */
export const HAS_FFMPEG9 = existsSync(FFMPEG9)
/** Debian's Chromium. */
export const CHROMIUM = "/usr/bin/chromium"
