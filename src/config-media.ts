import { z } from "zod"
import { listOf, orJson } from "./config-values.ts"

const ipAddress = z.union([z.ipv4(), z.ipv6()])

/** One address of each family at most, so that it is plain which one an answer goes out from. */
export const listenHosts = listOf(
  z
    .array(ipAddress)
    .min(1)
    .refine((hosts) => new Set(hosts.map((host) => host.includes(":"))).size === hosts.length, {
      error: "name one IPv4 address, one IPv6 address, or one of each",
    }),
)

/** What can be announced: addresses, and names that are resolved at start. */
export const publicAddressList = listOf(
  z.array(z.union([ipAddress, z.hostname()], { error: "name IP addresses or DNS names" })).max(8),
)

const iceUrl = z
  .string()
  .regex(
    /^(stun|stuns|turn|turns):[\w.:[\]-]+(\?transport=(udp|tcp))?$/,
    "write stun:HOST:PORT or turn:HOST:PORT?transport=udp",
  )

const IceServer = z
  .strictObject({
    urls: z.preprocess((value) => (typeof value === "string" ? [value] : value), z.array(iceUrl).min(1)),
    username: z.string().min(1).optional(),
    credential: z.string().min(1).optional(),
    secret: z.string().min(1).optional(),
    ttlSeconds: z.coerce.number().int().min(60).optional(),
  })
  .refine(({ username, credential }) => (username === undefined) === (credential === undefined), {
    error: "username and credential belong together",
  })
  .refine(({ credential, secret }) => credential === undefined || secret === undefined, {
    error: "give either username and credential, which are used as they are, or secret, which makes new ones",
  })

/** STUN and TURN servers; JSON in an environment variable. */
export const iceServerList = orJson(z.array(IceServer).max(8))
