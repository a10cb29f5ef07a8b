import { createHmac } from "node:crypto"
import { expect, test } from "vitest"
import { iceServersFor } from "../../../src/io/webrtc/turn-credentials.ts"

const NOW_MS = 1_700_000_000_500

test("rule 28: TURN credentials from a secret name their end and are signed with it", () => {
  const servers = [{ urls: ["turn:turn.example:3478?transport=udp"], secret: "shared", ttlSeconds: 600 }]
  const [server] = iceServersFor(servers, NOW_MS, "session-1")
  expect(server).toEqual({
    url: "turn:turn.example:3478?transport=udp",
    username: "1700000600:session-1",
    credential: createHmac("sha1", "shared").update("1700000600:session-1").digest("base64"),
  })
})

test("rule 28: each URL becomes a server of its own; only TURN gets credentials, and fixed ones stay as they are", () => {
  const servers = [
    { urls: ["stun:a:3478", "turn:a:3478"], username: "user", credential: "pass" },
    { urls: ["stun:b"], secret: "shared" },
  ]
  expect(iceServersFor(servers, NOW_MS, "x")).toEqual([
    { url: "stun:a:3478" },
    { url: "turn:a:3478", username: "user", credential: "pass" },
    { url: "stun:b" },
  ])
})

test("a user's name of any kind becomes one that a header and coturn carry as it is", () => {
  const [server] = iceServersFor(
    [{ urls: ["turn:a"], secret: "s", ttlSeconds: 60 }],
    NOW_MS,
    `Zoë:"1"\r\n${"x".repeat(99)}`,
  )
  expect(server?.username).toMatch(/^1700000060:Zo___1___x{55}$/)
})
