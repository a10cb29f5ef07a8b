import { describe, expect, test } from "vitest"
import { Acknowledgements } from "../../src/rtmp/acknowledgements.ts"

describe("what this side acknowledges", () => {
  test("is due once a window has arrived, and again after another one", () => {
    const acknowledgements = new Acknowledgements(10_000)
    expect([9_999, 10_000, 15_000, 19_999, 20_000].map((total) => acknowledgements.onReceived(total))).toEqual([
      undefined,
      10_000,
      undefined,
      undefined,
      20_000,
    ])
  })

  test("follows the peer's window, but not below a least one", () => {
    const acknowledgements = new Acknowledgements(10_000)
    acknowledgements.onWindowAckSize(5_000)
    expect(acknowledgements.onReceived(5_000)).toBe(5_000)
    acknowledgements.onWindowAckSize(0)
    expect(acknowledgements.onReceived(5_001)).toBeUndefined()
    expect(acknowledgements.onReceived(9_096)).toBe(9_096)
  })

  test("wraps at 32 bits", () => {
    const acknowledgements = new Acknowledgements(2 ** 31)
    expect(acknowledgements.onReceived(2 ** 32 - 1)).toBe(0xffff_ffff)
    expect(acknowledgements.onReceived(2 ** 32 + 2 ** 31)).toBe(2 ** 31)
    expect(acknowledgements.onReceived(2 ** 33)).toBe(0)
  })
})

describe("what the peer acknowledges", () => {
  test("is unknown before it does so", () => {
    const acknowledgements = new Acknowledgements(10_000)
    acknowledgements.onSent(500)
    expect(acknowledgements.unacknowledgedBytes).toBeUndefined()
    acknowledgements.onAcknowledgement(200)
    expect(acknowledgements.unacknowledgedBytes).toBe(300)
  })

  test("goes on over the end of the 32-bit range", () => {
    const acknowledgements = new Acknowledgements(10_000)
    for (let sent = 0; sent < 10; sent++) {
      acknowledgements.onSent(2 ** 30)
      acknowledgements.onAcknowledgement(((sent + 1) * 2 ** 30 - 100) % 2 ** 32)
    }
    expect(acknowledgements.acknowledgedBytes).toBe(10 * 2 ** 30 - 100)
    expect(acknowledgements.unacknowledgedBytes).toBe(100)
  })

  test("never goes back, nor beyond what was sent", () => {
    const acknowledgements = new Acknowledgements(10_000)
    acknowledgements.onSent(1_000)
    acknowledgements.onAcknowledgement(800)
    acknowledgements.onAcknowledgement(500)
    expect(acknowledgements.acknowledgedBytes).toBe(800)
    acknowledgements.onAcknowledgement(5_000) // counts the handshake, which this side does not
    expect(acknowledgements.acknowledgedBytes).toBe(1_000)
  })
})

describe("Set Peer Bandwidth", () => {
  test.each([
    {
      name: "hard sets the window",
      steps: [
        ["hard", 100],
        ["hard", 500],
      ],
      window: 500,
    },
    {
      name: "soft makes it smaller only",
      steps: [
        ["hard", 300],
        ["soft", 500],
        ["soft", 200],
      ],
      window: 200,
    },
    {
      name: "dynamic counts after hard",
      steps: [
        ["hard", 300],
        ["dynamic", 500],
      ],
      window: 500,
    },
    {
      name: "dynamic counts again after a dynamic that counted",
      steps: [
        ["hard", 300],
        ["dynamic", 500],
        ["dynamic", 700],
      ],
      window: 700,
    },
    {
      name: "dynamic does not count after soft",
      steps: [
        ["hard", 300],
        ["soft", 200],
        ["dynamic", 500],
      ],
      window: 200,
    },
    { name: "dynamic alone does not count", steps: [["dynamic", 500]], window: undefined },
  ] as const)("$name", ({ steps, window }) => {
    const acknowledgements = new Acknowledgements(10_000)
    for (const [limit, windowBytes] of steps) acknowledgements.onSetPeerBandwidth(windowBytes, limit)
    expect(acknowledgements.sendWindowBytes).toBe(window)
  })

  test("is answered with the window, unless the peer knows it", () => {
    const acknowledgements = new Acknowledgements(10_000)
    expect(acknowledgements.onSetPeerBandwidth(5_000, "hard")).toBe(5_000)
    expect(acknowledgements.onSetPeerBandwidth(5_000, "hard")).toBeUndefined()
    acknowledgements.onWindowAnnounced(7_000)
    expect(acknowledgements.onSetPeerBandwidth(7_000, "soft")).toBeUndefined()
    expect(acknowledgements.onSetPeerBandwidth(5_000, "dynamic")).toBeUndefined()
  })
})
