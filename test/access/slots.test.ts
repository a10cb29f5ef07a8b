import { expect, test } from "vitest"
import { Slots } from "../../src/access/slots.ts"

const never = new AbortController().signal

test("who comes when all slots are taken waits in line", async () => {
  const slots = new Slots(1, 2)
  const release = await slots.take(never)
  const order: string[] = []
  const waiting = ["first", "second"].map(async (name) => {
    const giveBack = await slots.take(never)
    order.push(name)
    giveBack?.()
  })
  expect(order).toEqual([])
  release?.()
  await Promise.all(waiting)
  expect(order).toEqual(["first", "second"])
  expect(await slots.take(never)).toBeDefined()
})

test("when the line is full, nobody may join it", async () => {
  const slots = new Slots(1, 1)
  await slots.take(never)
  void slots.take(never)
  expect(await slots.take(never)).toBeUndefined()
})

test("who gives up leaves the line, and its slot is not lost", async () => {
  const slots = new Slots(1, 1)
  const release = await slots.take(never)
  const impatient = new AbortController()
  const given = slots.take(impatient.signal)
  impatient.abort(new Error("enough"))
  await expect(given).rejects.toThrow("enough")
  release?.()
  expect(await slots.take(never)).toBeDefined()
})
