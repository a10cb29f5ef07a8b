import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { ROOT } from "./paths.ts"
import type { Scope } from "./scope.ts"

/** What `state()` in the page tells. */
export interface PlayerState {
  readonly time: number
  readonly pictures: number
  /** Bytes of sound decoded. */
  readonly sound: number
  readonly width: number
  readonly height: number
  /** How often the picture stood still for want of data after it had begun. */
  readonly stalls: number
  readonly errors: string[]
}

/** Serves a page with mpegts.js, as any site may have one, and returns its origin. `play(url)` begins, `firstPictureMs` counts from there. */
export async function serveMpegtsPage(scope: Scope): Promise<string> {
  const library = readFileSync(join(ROOT, "node_modules/mpegts.js/dist/mpegts.js"))
  const server = createServer((request, response) => {
    const isLibrary = request.url === "/mpegts.js"
    response.writeHead(200, { "content-type": isLibrary ? "text/javascript" : "text/html" })
    response.end(isLibrary ? library : PAGE)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  scope.defer(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const PAGE = `<!doctype html><video></video><script src="/mpegts.js"></script><script>
  const video = document.querySelector("video")
  const errors = []
  let stalls = 0
  var firstPictureMs
  function play(url, config = {}) {
    const startedAt = performance.now()
    video.requestVideoFrameCallback(() => { firstPictureMs = performance.now() - startedAt })
    video.addEventListener("waiting", () => { if (firstPictureMs !== undefined) stalls++ })
    const player = mpegts.createPlayer({ type: "flv", isLive: true, url }, config)
    player.on(mpegts.Events.ERROR, (...details) => errors.push(details.slice(0, 2).join(" ")))
    player.attachMediaElement(video)
    player.load()
    player.play()
  }
  const state = () => ({
    time: video.currentTime,
    pictures: video.getVideoPlaybackQuality().totalVideoFrames,
    sound: video.webkitAudioDecodedByteCount,
    width: video.videoWidth,
    height: video.videoHeight,
    stalls,
    errors,
  })
</script>`
