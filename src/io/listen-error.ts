import { GatewayError } from "../errors.ts"

/** Says in a sentence why a port could not be opened and what to do. */
export function listenError(what: string, host: string, port: number, cause: Error): GatewayError {
  const isTaken = "code" in cause && cause.code === "EADDRINUSE"
  const reason = isTaken ? "another program uses it; stop that one or choose another port" : cause.message
  return new GatewayError("listen.failed", `cannot open ${what} port ${port} on ${host}: ${reason}`, { cause })
}
