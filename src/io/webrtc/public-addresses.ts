import { lookup } from "node:dns/promises"
import { isIP } from "node:net"
import { GatewayError } from "../../errors.ts"
import { isLinkLocal, isLoopback } from "./candidates.ts"

/** Finds the addresses of a name, of both families. */
export type LookUp = (name: string) => Promise<readonly { readonly address: string }[]>

/**
 * The addresses to announce: those that the configuration gives as they are, names with all their addresses, IPv4 first. Addresses
 * that lead nowhere for others, as a machine often has for its own name, are left out. Throws `config.invalid` for a name without any.
 */
export async function resolvePublicAddresses(
  namesOrAddresses: readonly string[],
  lookUp: LookUp = (name) => lookup(name, { all: true, order: "ipv4first" }),
): Promise<string[]> {
  const resolved = await Promise.all(namesOrAddresses.map((name) => (isIP(name) ? [name] : resolve(name, lookUp))))
  return [...new Set(resolved.flat())]
}

async function resolve(name: string, lookUp: LookUp): Promise<string[]> {
  let addresses: string[]
  try {
    addresses = (await lookUp(name)).map(({ address }) => address)
  } catch (cause) {
    throw unresolved(name, cause instanceof Error ? cause.message : String(cause), cause)
  }
  const usable = addresses.filter((address) => !isLinkLocal(address) && !isLoopback(address))
  if (usable.length === 0) throw unresolved(name, `it has only ${addresses.join(", ") || "no address"}`)
  return [...usable.filter((address) => !address.includes(":")), ...usable.filter((address) => address.includes(":"))]
}

function unresolved(name: string, reason: string, cause?: unknown): GatewayError {
  const text = `media.publicAddresses: no address to announce for ${name} (${reason}); give the IP address instead`
  return new GatewayError("config.invalid", text, { cause })
}
