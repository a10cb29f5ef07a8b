import { afterAll, afterEach } from "vitest"
import { Scope } from "./scope.ts"

/** A scope that ends after each test of the file or group that calls this. */
export function testScope(): Scope {
  const scope = new Scope()
  afterEach(() => scope.close())
  return scope
}

/** A scope that ends after the last test of the file or group that calls this. */
export function groupScope(): Scope {
  const scope = new Scope()
  afterAll(() => scope.close())
  return scope
}
