import { expect, test } from "vitest"
import { startRtmpSetup } from "../io/rtmp/setup.ts"
import { readStream } from "../support/ffmpeg.ts"
import { clip } from "../support/media.ts"
import { HAS_OBS, startObs } from "../support/obs.ts"
import { testScope } from "../support/test-scope.ts"
import { until } from "../support/wait.ts"

const scope = testScope()

test.skipIf(!HAS_OBS)(
  "OBS publishes by RTMP, is read, and goes in peace",
  async () => {
    const setup = await startRtmpSetup(scope)
    const obs = await startObs(scope, {
      server: setup.url("").replace(/\/$/, ""),
      key: "obs?token=key",
      file: await clip("bbb"),
    })
    const tracks = () => [...(setup.registry.list()[0]?.tracks ?? [])]
    await until("sound and picture", () => tracks().length === 2, { timeoutMs: 40_000 })
    expect(tracks()).toEqual([
      expect.objectContaining({ codec: "h264", widthPx: 640, heightPx: 360 }),
      expect.objectContaining({ codec: "aac" }),
    ])
    const { errors, videoFrames } = await readStream(scope, setup.url("obs"), 3)
    expect(errors).toEqual([])
    expect(videoFrames).toBeGreaterThan(60)
    await obs.stop(10_000)
    await until("its end", () => setup.log.find(({ msg }) => msg === "publisher gone"))
    expect(JSON.stringify(setup.log)).not.toContain("token=key")
  },
  80_000,
)
