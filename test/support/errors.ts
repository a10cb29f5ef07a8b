import { type ErrorCode, GatewayError } from "../../src/errors.ts"

/** Runs an action that may refuse its input: a GatewayError is fine and gives undefined, anything else is a bug and goes on. */
export function allowGatewayErrors<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

/** Runs an action that must be refused and returns the code of the GatewayError that it throws. */
export function gatewayErrorCode(action: () => unknown): ErrorCode {
  try {
    action()
  } catch (error) {
    if (error instanceof GatewayError) return error.code
    throw error
  }
  throw new Error("expected a GatewayError, but nothing was thrown")
}
