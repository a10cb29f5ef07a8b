import { expect, test } from "vitest"
import type { AmfValue } from "../../../src/rtmp/amf-value.ts"
import { parseAmf0, serializeAmf0 } from "../../../src/rtmp/amf0.ts"
import { MESSAGE_TYPE } from "../../../src/rtmp/message.ts"
import { hex } from "../../support/bytes.ts"
import { testScope } from "../../support/test-scope.ts"
import { until } from "../../support/wait.ts"
import { RtmpClient } from "./client.ts"
import { startRtmpSetup } from "./setup.ts"

const scope = testScope()
const { audio: AUDIO, dataAmf0: DATA, dataAmf3: DATA_AMF3 } = MESSAGE_TYPE

test("readers get a publisher's captions and texts at the time of its frames, and nothing that this gateway says itself", async () => {
  const { server } = await startRtmpSetup(scope)
  const publisher = await RtmpClient.open(server.port, scope, "publish", "cam1")
  await publisher.status("NetStream.Publish.Start")
  const reader = await RtmpClient.open(server.port, scope, "play", "cam1")
  await reader.status("NetStream.Play.Start")
  publisher.message(AUDIO, 0, hex("af 00 1210"))
  publisher.message(AUDIO, 1_000, hex("af 01 2110"))
  await until("sound", () => reader.media().length === 2)
  const say = (...values: AmfValue[]) => publisher.message(DATA, 1_010, serializeAmf0(values))
  say("onStatus", { level: "error", code: "NetStream.Failed" })
  say("|RtmpSampleAccess", false, false)
  say("@setDataFrame", "onTextData", { text: "hello" })
  publisher.message(DATA_AMF3, 1_020, new Uint8Array([0, ...serializeAmf0(["onCuePoint", { name: "goal" }])]))
  const seen = () => reader.messages.filter(({ typeId }) => typeId === DATA)
  const named = (name: string) => seen().find(({ payload }) => parseAmf0(payload)[0] === name)
  await until("the cue point", () => named("onCuePoint"))
  const names = seen().map(({ payload }) => parseAmf0(payload)[0])
  expect(names).toEqual(["|RtmpSampleAccess", "onMetaData", "onTextData", "onCuePoint"])
  expect(named("onTextData")?.timestampMs).toBe(reader.media()[1]?.timestampMs)
  expect(parseAmf0(named("onTextData")?.payload ?? new Uint8Array())[1]).toMatchObject({ text: "hello" })
})
