import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { vectors } from "./vectors.ts"

const OFFER = "test/fixtures/sdp/chromium-whep.sdp"

test("scripts/minisdp encodes, decodes and explains the public form", () => {
  const { stdout } = run(["encode", OFFER, "--url", "webrtc://example.com/live/a", "--seq", "258", "--as", "hex"])
  expect(stdout).toMatch(/^ff534450[\da-f]+\n$/)
  const decoded = run(["decode"], stdout)
  expect(decoded.stdout).toContain("m=video 9 UDP/TLS/RTP/SAVPF")
  expect(decoded.stderr).toContain("streamUrl: example.com/live/a\n")
  expect(run(["explain", stdout.trim()]).stdout).toMatch(/^ +26 +2 +seq +258$/m)
})

test("scripts/minisdp gives back every byte by the lossless form, wrapped in STUN", () => {
  const { stdout } = run(["encode", "--form", "lossless", "--stun", "--as", "base64"], readFileSync(OFFER, "utf8"))
  expect(run(["decode"], stdout).stdout).toBe(readFileSync(OFFER, "utf8"))
})

test("scripts/minisdp shows the text of Tencent's decoder", () => {
  const [vector] = vectors("v0-ext")
  const { stdout } = run(["decode", "--reference", vector?.packet_hex as string])
  expect(stdout).toBe(vector?.["decoded_by_v0-ext"]?.sdp)
})

test.each([
  { name: "no command", args: [], status: 2, message: "usage:" },
  { name: "an option that there is not", args: ["encode", "--nothing"], status: 2, message: "usage:" },
  { name: "another form", args: ["encode", OFFER, "--form", "gzip"], status: 2, message: "--form must be one of" },
  { name: "a packet that is none", args: ["decode", "00ff"], status: 1, message: "magic" },
  { name: "a file that is not there", args: ["encode", "nothing.sdp"], status: 1, message: "nothing.sdp" },
])("scripts/minisdp refuses $name", ({ args, status, message }) => {
  const result = run(args)
  expect(result.stderr).toContain(message)
  expect(result.status).toBe(status)
})

function run(args: readonly string[], input = "") {
  return spawnSync(process.execPath, ["scripts/minisdp.ts", ...args], { input, encoding: "utf8" })
}
