import { expect, test } from "vitest"
import type { AccessControl, AccessRequest } from "../../src/access/access.ts"
import { wakingAccess } from "../../src/access/waking-access.ts"
import { GatewayError } from "../../src/errors.ts"
import { parseStreamName } from "../../src/hub/stream-name.ts"
import { OPEN_ACCESS } from "../support/open-access.ts"

const NAME = parseStreamName("live", "cam1")

test("a player's permission waits for the stream, a publisher's does not", async () => {
  const woken: string[] = []
  const access = waking(OPEN_ACCESS, woken)
  await access.authorize(request("publish"))
  expect(woken).toEqual([])
  expect(await access.authorize(request("play"))).toMatchObject({ identity: "t" })
  expect(woken).toEqual(["live/cam1"])
})

test("nothing is fetched for those who may not watch", async () => {
  const woken: string[] = []
  const denied = new GatewayError("access.denied", "no")
  const access = waking({ ...OPEN_ACCESS, authorize: () => Promise.reject(denied) }, woken)
  await expect(access.authorize(request("play"))).rejects.toBe(denied)
  expect(woken).toEqual([])
})

test("a permission that is of no use, as the stream cannot be had, is given back", async () => {
  const ended: string[] = []
  const grant = { identity: undefined, ended: ({ sessionId }: { sessionId: string }) => ended.push(sessionId) }
  const failure = new GatewayError("stream.not_live", "gone")
  const access = waking({ ...OPEN_ACCESS, authorize: async () => grant }, [], failure)
  await expect(access.authorize(request("play"))).rejects.toBe(failure)
  expect(ended).toEqual(["session"])
})

function waking(access: AccessControl, woken: string[], failure?: GatewayError): AccessControl {
  return wakingAccess(access, {
    wake: async (name) => {
      woken.push(name)
      if (failure !== undefined) throw failure
    },
  })
}

function request(action: "publish" | "play"): AccessRequest {
  return { action, stream: NAME, token: "t", protocol: "rtmp", sessionId: "session", remoteAddress: undefined }
}
