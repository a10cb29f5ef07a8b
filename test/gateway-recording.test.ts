import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { expect, test } from "vitest"
import { createGateway } from "../src/gateway.ts"
import { MESSAGE_TYPE } from "../src/rtmp/message.ts"
import { RtmpClient } from "./io/rtmp/client.ts"
import { hex } from "./support/bytes.ts"
import { testScope } from "./support/test-scope.ts"
import { until } from "./support/wait.ts"

const scope = testScope()
const ADMIN = { authorization: "Bearer administrator" }
const CONFIG = hex(
  "17 00 000000 0142c01effe10019 6742c01ed890280bfe5c0440000003004000000c83c58b8980 01 0005 68c888cb20",
)
const KEYFRAME = hex("17 01 000000 00000004 65888421")

test("an RTMP publisher of type record has its stream recorded, one of type live has not; the file is there after the gateway", async () => {
  const folder = await mkdtemp(join(tmpdir(), "recordings-"))
  scope.defer(() => rm(folder, { recursive: true }))
  const gateway = await createGateway(
    {
      ...{
        http: { host: "127.0.0.1", port: 0 },
        rtmp: { host: "127.0.0.1", port: 0 },
        media: { host: "127.0.0.1", port: 0 },
      },
      access: { adminTokens: ["administrator"] },
      recordings: { folder, allowPublishers: true, minFreeBytes: 0, template: "{stream}.flv" },
    },
    { logger: pino({ level: "silent" }) },
  )
  scope.defer(() => gateway.close())
  for (const type of ["live", "record"]) {
    const client = await RtmpClient.open(gateway.ports.rtmp, scope, "publish", type, type)
    await client.status("NetStream.Publish.Start")
    for (const [timestampMs, body] of [
      [0, CONFIG],
      [0, KEYFRAME],
      [40, KEYFRAME],
    ] as const) {
      client.message(MESSAGE_TYPE.video, timestampMs, body)
    }
  }
  const list = async () => {
    const response = await fetch(`${gateway.urls.http}/api/v1/recordings`, { headers: ADMIN })
    return ((await response.json()) as { recordings: { stream: string; cause: string }[] }).recordings
  }
  await until("the recording", async () => (await list()).length > 0)
  expect(await list()).toMatchObject([{ stream: "live/record", cause: "publisher" }])
  const metrics = await (await fetch(`${gateway.urls.http}/metrics`, { headers: ADMIN })).text()
  expect(metrics).toContain("whipstitch_recordings 1\n")
  await gateway.close()
  expect(await readdir(folder)).toEqual(["record.flv"])
})
