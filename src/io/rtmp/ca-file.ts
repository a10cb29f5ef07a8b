import { readFileSync } from "node:fs"
import { GatewayError } from "../../errors.ts"

/** Reads certificates of authorities, PEM; `key` names the setting. Throws `config.invalid` where there are none in the file. */
export function readCaFile(key: string, file: string): string {
  let pem: string
  try {
    pem = readFileSync(file, "utf8")
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new GatewayError("config.invalid", `cannot read ${key}: ${reason}`, { cause })
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new GatewayError("config.invalid", `${key}: there is no certificate (PEM) in ${file}`)
  }
  return pem
}
