import { z } from "zod"
import { BOTH_TLS_FILES, listOf, positive, tlsFileKeys } from "./config-values.ts"

const publicUrl = z
  .union([
    z.literal(""),
    z
      .url({ protocol: /^https?$/, error: "must be an http or https address" })
      .refine((text) => new URL(text).search === "" && new URL(text).hash === "", { error: "must have no query" }),
  ])
  .transform((text) => text.replace(/\/+$/, ""))

const trustedProxies = listOf(z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])).max(100))

/** The section `http` of the configuration. */
export const Http = z.strictObject({
  host: z.string().min(1).default("0.0.0.0").describe("address that the HTTP server listens on"),
  port: z.coerce.number().int().min(0).max(65_535).default(8080).describe("TCP port of pages, WHIP, WHEP and API"),
  tls: z
    .strictObject(tlsFileKeys("HTTPS"))
    .refine(...BOTH_TLS_FILES)
    .prefault({}),
  publicUrl: publicUrl
    .default("")
    .describe("the gateway's address for the world, as in https://live.example.org; left out: what requests name"),
  overflowUrl: publicUrl
    .default("")
    .describe("another gateway's address: WHIP and WHEP clients are sent there (307) while this one is full"),
  trustedProxies: trustedProxies
    .default([])
    .describe("addresses and networks of proxies whose word on the client's address, scheme and host is taken"),
  proxyHeaders: z
    .enum(["x-forwarded", "forwarded"])
    .default("x-forwarded")
    .describe("which headers they write: X-Forwarded-For, -Proto, -Host, or Forwarded (RFC 7239)"),
  maxBodyBytes: positive.default(65_536).describe("largest request body"),
  maxConnections: positive.default(8_000).describe("HTTP connections at once"),
  requestTimeoutMs: positive.default(15_000).describe("time for a client to send its request"),
  requestsPerSecond: positive
    .default(50)
    .describe("POST, PATCH and DELETE requests that one address may make, on average"),
  requestBurst: positive.default(500).describe("the same, at once after a pause"),
})
