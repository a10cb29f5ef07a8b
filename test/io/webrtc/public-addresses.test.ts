import { expect, test } from "vitest"
import { resolvePublicAddresses } from "../../../src/io/webrtc/public-addresses.ts"

const zone: Record<string, string[]> = {
  "both.example": ["2001:db8::7", "203.0.113.7"],
  "own-name.example": ["127.0.1.1", "fe80::1", "203.0.113.8"],
  "lost.example": ["127.0.1.1"],
}

async function lookUp(name: string): Promise<{ address: string }[]> {
  const addresses = zone[name]
  if (addresses === undefined) throw new Error(`getaddrinfo ENOTFOUND ${name}`)
  return addresses.map((address) => ({ address }))
}

test("names become all their addresses in place, IPv4 first, and nothing is announced twice", async () => {
  const configured = ["198.51.100.1", "both.example", "own-name.example", "203.0.113.7"]
  const expected = ["198.51.100.1", "203.0.113.7", "2001:db8::7", "203.0.113.8"]
  expect(await resolvePublicAddresses(configured, lookUp)).toEqual(expected)
})

test.each(["unknown.example", "lost.example"])(
  "%s, which has no address for others, is a clear error",
  async (name) => {
    await expect(resolvePublicAddresses([name], lookUp)).rejects.toMatchObject({
      code: "config.invalid",
      message: expect.stringMatching(new RegExp(`media.publicAddresses.*${name}`)),
    })
  },
)
