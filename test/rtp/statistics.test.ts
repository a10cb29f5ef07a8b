import { expect, test } from "vitest"
import { compactNtp, ntpToUs, unixUsToNtp } from "../../src/rtp/ntp.ts"
import { ReceiverStatistics } from "../../src/rtp/receiver-statistics.ts"
import { roundTripMs } from "../../src/rtp/round-trip.ts"
import type { ReportBlock } from "../../src/rtp/rtcp-report.ts"

test.each([
  { unixUs: 0, ntpSeconds: 0x83aa7e80, ntpFraction: 0 },
  { unixUs: 1_500_000, ntpSeconds: 0x83aa7e81, ntpFraction: 0x80000000 },
  { unixUs: 1_700_000_000_000_001, ntpSeconds: 3_908_988_800, ntpFraction: 4_295 },
  { unixUs: 2_085_978_496_000_000, ntpSeconds: 0, ntpFraction: 0 },
])("writes $unixUs µs as NTP time", ({ unixUs, ntpSeconds, ntpFraction }) => {
  const time = unixUsToNtp(unixUs)
  expect(time).toEqual({ ntpSeconds, ntpFraction })
  if (ntpSeconds > 0) expect(ntpToUs(time)).toBe(unixUs + 2_208_988_800_000_000)
})

test("the compact form holds the middle of an NTP time", () => {
  expect(compactNtp({ ntpSeconds: 0x1234abcd, ntpFraction: 0x98765432 })).toBe(0xabcd9876)
})

const BLOCK: ReportBlock = {
  ssrc: 1,
  fractionLost: 0,
  cumulativeLost: 0,
  extendedHighestSequenceNumber: 0,
  jitter: 0,
  lastSr: compactNtp(unixUsToNtp(1_700_000_000_000_000)),
  delaySinceLastSr: 65_536,
}

test.each([
  { name: "200 ms", block: BLOCK, nowUnixUs: 1_700_000_001_200_000, expected: 200 },
  { name: "0 where rounding makes it negative", block: BLOCK, nowUnixUs: 1_700_000_000_999_000, expected: 0 },
  { name: "nothing without a sender report", block: { ...BLOCK, lastSr: 0 }, nowUnixUs: 1_700_000_001_200_000 },
  { name: "nothing from a lie", block: { ...BLOCK, delaySinceLastSr: 0x10_0000 }, nowUnixUs: 1_700_000_001_200_000 },
])("the round trip time is $name", ({ block, nowUnixUs, expected }) => {
  const result = roundTripMs(block, nowUnixUs)
  if (expected === undefined) expect(result).toBeUndefined()
  else expect(result).toBeCloseTo(expected, 1)
})

test("a report block counts losses of the interval and of the whole", () => {
  const receiver = new ReceiverStatistics(7, 90_000)
  expect(receiver.report(0)).toBeUndefined()
  const send = (numbers: number[]) => {
    for (const number of numbers) receiver.onPacket(number & 0xffff, number * 3_000, number * 33_333)
  }
  send([65_530, 65_531, 65_533, 65_534, 65_532, 65_537])
  expect(receiver.report(0)).toMatchObject({
    ssrc: 7,
    fractionLost: 64,
    cumulativeLost: 2,
    extendedHighestSequenceNumber: 0x10001,
    lastSr: 0,
    delaySinceLastSr: 0,
  })
  send([65_538, 65_539, 65_535, 65_536])
  expect(receiver.report(0)).toMatchObject({ fractionLost: 0, cumulativeLost: 0 })
  send([65_539, 65_539])
  expect(receiver.report(0)).toMatchObject({ fractionLost: 0, cumulativeLost: -2 })
  expect(receiver.lostPackets).toBe(-2)
  expect(receiver.receivedPackets).toBe(12)
})

test("a report block names the last sender report and its age", () => {
  const receiver = new ReceiverStatistics(7, 48_000)
  receiver.onPacket(1, 0, 0)
  receiver.onSenderReport({ ntpSeconds: 0x1234abcd, ntpFraction: 0x98765432 }, 1_000_000)
  expect(receiver.report(1_500_000)).toMatchObject({ lastSr: 0xabcd9876, delaySinceLastSr: 0x8000 })
})

test("jitter follows RFC 3550 appendix A.8 and does not count the packets of a frame against each other", () => {
  const receiver = new ReceiverStatistics(7, 90_000)
  for (let i = 0; i < 400; i++) {
    const arrivalUs = Math.round((i * 1_000_000) / 30) + (i % 2) * 10_000
    receiver.onPacket(2 * i, i * 3_000, arrivalUs)
    receiver.onPacket(2 * i + 1, i * 3_000, arrivalUs + 8_000)
  }
  expect(receiver.jitterTicks).toBeCloseTo(900, 0)
})

test("a source that numbers anew is counted from there", () => {
  const receiver = new ReceiverStatistics(7, 90_000)
  for (const number of [1, 2, 3, 30_000, 30_001]) receiver.onPacket(number, 0, 0)
  expect(receiver.report(0)).toMatchObject({ cumulativeLost: 0, extendedHighestSequenceNumber: 30_001 })
})
