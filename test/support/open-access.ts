import type { AccessControl } from "../../src/access/access.ts"

/** Access control that lets everyone do everything; a token is its bearer's identity. */
export const OPEN_ACCESS: AccessControl = {
  authorize: async ({ token }) => ({ identity: token, ended: () => {} }),
  permitted: async () => () => true,
  requireAdmin: async () => {},
}
