import { expect, test } from "vitest"
import { ParameterSets } from "../../src/rtp/parameter-sets.ts"
import { hex } from "../support/bytes.ts"

const A = hex("6701")
const B = hex("6702")
const C = hex("6803")

test("sets count from the next picture on; a run with all kinds replaces what was known, others are merged", () => {
  const sets = new ParameterSets(2)
  sets.add(0, 0, A)
  sets.add(1, 0, C)
  expect(sets.of(0)).toEqual([])
  expect([sets.activate(), sets.of(0), sets.of(1)]).toEqual([true, [A], [C]])
  sets.add(0, 1, B)
  expect([sets.activate(), sets.of(0), sets.of(1)]).toEqual([true, [A, B], [C]])
  sets.add(0, 1, B)
  sets.add(1, 0, C)
  expect([sets.activate(), sets.of(0), sets.of(1)]).toEqual([true, [B], [C]])
})

test("after a loss a run replaces nothing", () => {
  const sets = new ParameterSets(2)
  for (const [kind, set] of [
    [0, A],
    [1, C],
  ] as const)
    sets.add(kind, 0, set)
  sets.activate()
  sets.onLoss()
  for (const [kind, set] of [
    [0, B],
    [1, C],
  ] as const)
    sets.add(kind, 1, set)
  expect([sets.activate(), sets.of(0), sets.of(1)]).toEqual([true, [A, B], [C, C]])
})

test("the same sets again are no change, and copies are kept", () => {
  const sets = new ParameterSets(1)
  const given = Uint8Array.of(...A)
  sets.add(0, 0, given)
  given.fill(0)
  expect([sets.activate(), sets.of(0)]).toEqual([true, [A]])
  sets.add(0, 0, A)
  expect([sets.activate(), sets.activate()]).toEqual([false, false])
})

test("too long ones and too many are refused", () => {
  const sets = new ParameterSets(1)
  expect(sets.add(0, 0, new Uint8Array(4_097))).toBe(false)
  expect(sets.add(1, 0, A)).toBe(false)
  const added = Array.from({ length: 33 }, (_, id) => sets.add(0, id, A))
  expect(added.filter(Boolean)).toHaveLength(31)
  expect(sets.add(0, 3, B)).toBe(true)
})
