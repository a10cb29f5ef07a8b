import { expect, test } from "vitest"
import type { Logger } from "../../../src/io/log.ts"
import { checkCandidate, reportReachability } from "../../../src/io/webrtc/self-test.ts"
import { freeMediaPort } from "../../support/ports.ts"

test("the log says in one line for each candidate whether it answers, and what to check where it does not", async () => {
  const lines: string[] = []
  const logger = {
    info: (text: string) => lines.push(`info ${text}`),
    warn: ({ reason }: { reason: string }, text: string) => lines.push(`warn ${text} (${reason})`),
  } as unknown as Logger
  const checks = [
    { candidate: { protocol: "udp", address: "192.0.2.1", port: 8000 }, reachable: true },
    { candidate: { protocol: "tcp", address: "2001:db8::1", port: 8000 }, reachable: false, error: "no answer" },
  ] as const
  await reportReachability({ selfTest: async () => checks }, logger)
  expect(lines).toEqual([
    "info WebRTC candidate UDP 192.0.2.1:8000 answers",
    expect.stringMatching(/^warn WebRTC candidate TCP \[2001:db8::1\]:8000 .*publicAddresses.*NAT.*\(no answer\)$/),
  ])
})

test("a candidate where nobody answers is told, and why", async () => {
  const port = await freeMediaPort()
  const check = (protocol: "udp" | "tcp") =>
    checkCandidate({ protocol, address: "127.0.0.1", port }, { ufrag: "u", pwd: "p" }, () => new Uint8Array(20))
  const [udp, tcp] = await Promise.all([check("udp"), check("tcp")])
  expect(udp).toMatchObject({ reachable: false, error: "no answer" })
  expect(tcp).toMatchObject({ reachable: false, error: expect.stringContaining("ECONNREFUSED") })
})
