import { expect, test } from "vitest"
import { failureReason, readJson } from "../../../src/io/access/read-json.ts"

test.each([
  { error: new Error("fetch failed", { cause: new Error("connect ECONNREFUSED") }), reason: "connect ECONNREFUSED" },
  {
    error: new Error("fetch failed", { cause: Object.assign(new Error(), { code: "ECONNREFUSED" }) }),
    reason: "ECONNREFUSED",
  },
  { error: new DOMException("The operation was aborted", "TimeoutError"), reason: "no answer in time" },
  {
    error: new TypeError("error sending request for url (http://127.0.0.1:1/a?key=secret): refused"),
    reason: "error sending request for url (http://127.0.0.1:1/a?…): refused",
  },
  { error: "text", reason: "text" },
])("a failure is told as: $reason", ({ error, reason }) => {
  expect(failureReason(error)).toBe(reason)
})

test("characters that came in parts are put together", async () => {
  const bytes = new TextEncoder().encode('{"name":"Zoë"}')
  const parts = new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
      controller.close()
    },
  })
  expect(await readJson(new Response(parts), bytes.length)).toEqual({ name: "Zoë" })
})

test("a body is read no further than the limit", async () => {
  let sentBytes = 0
  const endless = new ReadableStream({
    pull(controller) {
      sentBytes += 1_000
      controller.enqueue(new Uint8Array(1_000))
    },
  })
  await expect(readJson(new Response(endless), 10_000)).rejects.toThrow(RangeError)
  expect(sentBytes).toBeLessThan(20_000)
})
