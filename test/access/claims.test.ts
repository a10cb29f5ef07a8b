import { expect, test } from "vitest"
import { checkClaims, claimsAllow, claimsIdentity } from "../../src/access/claims.ts"
import { gatewayErrorCode } from "../support/errors.ts"

test.each([
  { claims: { app: "live", stream: "cam1", action: "publish" }, allows: true },
  { claims: { app: "live", stream: "cam1", action: ["play", "publish"] }, allows: true },
  { claims: { stream: "live/cam1", action: "publish" }, allows: true },
  { claims: { app: "live", stream: "live/cam1", action: "publish" }, allows: true },
  { claims: { app: ["studio", "live"], stream: ["cam0", "cam1"], action: "publish" }, allows: true },
  { claims: { app: "live", stream: "*", action: "publish" }, allows: true },
  { claims: { app: "*", stream: "cam*", action: "publish" }, allows: true },
  { claims: { stream: "*", action: "publish" }, allows: true },
  { claims: { app: "live", stream: "cam1", action: "play" }, allows: false },
  { claims: { app: "live", stream: "cam1", action: [] }, allows: false },
  { claims: { app: "live", stream: "cam1", action: "publishing" }, allows: false },
  { claims: { app: "live", stream: "cam1", action: { publish: true } }, allows: false },
  { claims: { app: "live", stream: "cam1" }, allows: false },
  { claims: { app: "live", stream: "cam2", action: "publish" }, allows: false },
  { claims: { app: "studio", stream: "cam1", action: "publish" }, allows: false },
  { claims: { app: "studio", stream: "*", action: "publish" }, allows: false },
  { claims: { app: "studio", stream: "live/cam1", action: "publish" }, allows: false },
  { claims: { app: 1, stream: "*", action: "publish" }, allows: false },
  { claims: { stream: "cam1", action: "publish" }, allows: false },
  { claims: { app: "live", action: "publish" }, allows: false },
  { claims: { app: "live", stream: null, action: "publish" }, allows: false },
  { claims: { sub: "me", scope: "publish" }, allows: false },
])("$claims may publish live/cam1: $allows", ({ claims, allows }) => {
  expect(claimsAllow(claims, "publish", "live/cam1")).toBe(allows)
  if (!allows) expect(gatewayErrorCode(() => checkClaims(claims, "publish", "live/cam1"))).toBe("access.denied")
})

test("an identity is the issuer's subject, or the right where there is none", () => {
  const identity = (claims: object) => claimsIdentity({ ...claims }, "publish", "live/cam1")
  expect(identity({ iss: "a", sub: "me" })).toBe(identity({ iss: "a", sub: "me", exp: 1 }))
  expect(identity({ iss: "a", sub: "me" })).not.toBe(identity({ iss: "b", sub: "me" }))
  expect(identity({ exp: 1 })).toBe(identity({ exp: 2 }))
  expect(identity({})).not.toBe(claimsIdentity({}, "publish", "live/cam2"))
})
