import { expect, test } from "vitest"
import { compactNtp, unixUsToNtp } from "../../src/rtp/ntp.ts"
import { ReceiverRoundTrip } from "../../src/rtp/round-trip.ts"

const NOW_US = 1_700_000_000_000_000

test("an answer to a reference time tells the round trip without the time that it lay at the sender", () => {
  const roundTrip = new ReceiverRoundTrip()
  roundTrip.onAnswer({ lastSr: 0, delaySinceLastSr: 0 }, NOW_US)
  expect(roundTrip.ms).toBeUndefined()
  const lastSr = compactNtp(unixUsToNtp(NOW_US - 580_000))
  roundTrip.onAnswer({ lastSr, delaySinceLastSr: 0x8000 }, NOW_US)
  expect(roundTrip.ms).toBeCloseTo(80, 0)
  roundTrip.onRepair(300)
  expect(roundTrip.ms).toBeCloseTo(80, 0)
  roundTrip.onAnswer({ lastSr, delaySinceLastSr: 0xffffffff }, NOW_US)
  expect(roundTrip.ms).toBeGreaterThan(0)
})

test("without answers it goes by retransmissions, of which those that were lost themselves take longer", () => {
  const roundTrip = new ReceiverRoundTrip()
  for (const durationMs of [210, 90, 80, 90, 200, 85, 80]) roundTrip.onRepair(durationMs)
  expect(roundTrip.ms).toBeGreaterThan(75)
  expect(roundTrip.ms).toBeLessThan(100)
})
