import { GatewayError } from "../errors.ts"

/** The error for everything in a packet, or in a request to make one, that cannot be. */
export function malformed(message: string, options?: ErrorOptions): GatewayError {
  return new GatewayError("minisdp.packet", message, options)
}

/** Gives an integer back that fits its field. Throws `minisdp.packet` for any other. */
export function checked(value: number, max: number, name: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  throw malformed(`${name} must be an integer from 0 to ${max}`)
}
