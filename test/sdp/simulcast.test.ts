import { describe, expect, test } from "vitest"
import { VIDEO_CODECS } from "../../src/media/codec.ts"
import { answerPublish } from "../../src/sdp/answer.ts"
import { parseOffer } from "../../src/sdp/offer.ts"
import { fixture, LOCAL, section } from "./support.ts"

const publish = (sdp: string) => answerPublish(parseOffer(sdp), LOCAL, { codecs: VIDEO_CODECS })
const obs = fixture("obs-32-simulcast")

test.each([
  ["chromium-simulcast", ["h", "m", "l"]],
  ["firefox-simulcast", ["h", "m", "l"]],
  ["obs-32-simulcast", ["0", "1", "2"]],
])("rule 30: %s keeps all its layers in their order", (name, rids) => {
  const { sdp, media } = publish(fixture(name))
  expect(media[1]).toMatchObject({ rids, extensionIds: { rid: expect.any(Number) } })
  expect(media[0]?.rids).toEqual([])
  // Each line ends in CRLF: OBS looks for it.
  for (const rid of rids) expect(sdp).toContain(`\r\na=rid:${rid} recv\r\n`)
  expect(sdp).toContain(`\r\na=simulcast:recv ${rids.join(";")}\r\n`)
})

test("rule 30: layers need no ssrc lines, as with OBS and Chromium", () => {
  expect(publish(obs).media[1]).toMatchObject({ rids: ["0", "1", "2"], remoteSources: [] })
})

describe("rule 30: a=simulcast", () => {
  const layers = (simulcast: string, rids = obs.match(/a=rid.*\r\n/g)?.join("") ?? "") => {
    const offer = obs.replace(/a=rid:0[\s\S]*a=simulcast.*\r\n/, `${rids}a=simulcast:${simulcast}\r\n`)
    const { sdp, media } = publish(offer)
    return { rids: media[1]?.rids, lines: section(sdp, 1).filter((line) => /^a=(rid|simulcast)/.test(line)) }
  }

  test.each([
    ["a layer that is paused", "send 0;~1;2", ["0", "1", "2"]],
    ["the first of alternatives", "send 0,1;2", ["0", "2"]],
    ["an alternative where the first is taken", "send 0;0,1", ["0", "1"]],
    ["a layer once", "send 1;1;2", ["1", "2"]],
    ["both directions, in this order", "recv 0 send 1;2", ["1", "2"]],
    ["both directions, in that order", "send 2;1 recv 0", ["2", "1"]],
    ["no layer without a=rid", "send 0;7;2", ["0", "2"]],
    ["one layer", "send 1", ["1"]],
    ["nothing where nothing is sent", "recv 0;1", []],
    ["nothing where no list follows", "send", []],
  ])("takes %s", (_, simulcast, rids) => {
    const taken = layers(simulcast)
    expect(taken.rids).toEqual(rids)
    expect(taken.lines.at(-1)).toBe(rids.length === 0 ? undefined : `a=simulcast:recv ${rids.join(";")}`)
    expect(taken.lines).toHaveLength(rids.length === 0 ? 0 : rids.length + 1)
  })

  test("takes no more than four layers", () => {
    const ids = Array.from({ length: 50 }, (_, i) => `r${i}`)
    const rids = ids.map((id) => `a=rid:${id} send\r\n`).join("")
    expect(layers(`send ${ids.join(";")}`, rids).rids).toEqual(["r0", "r1", "r2", "r3"])
  })

  test("repeats restrictions, and takes no layer of another payload type", () => {
    const rids = "a=rid:0 send pt=97;max-width=1920\r\na=rid:1 send pt=95,96;max-width=640\r\na=rid:2 send\r\n"
    const { lines } = layers("send 0,1;2", rids)
    expect(lines).toEqual(["a=rid:1 recv pt=95,96;max-width=640", "a=rid:2 recv", "a=simulcast:recv 1;2"])
  })

  test("takes no layer that the offer wants to receive", () => {
    expect(layers("send 0;1", "a=rid:0 recv\r\na=rid:1 send\r\n").rids).toEqual(["1"])
  })

  test.each([
    ["17 letters", "abcdefghijklmnopq"],
    ["a letter that is not allowed", "0/1"],
  ])("takes no id of %s", (_, id) => {
    expect(layers(`send ${id};2`, `a=rid:${id} send\r\na=rid:2 send\r\n`).rids).toEqual(["2"])
  })
})

test("rule 30: without the header extension that names layers there are none", () => {
  const { sdp, media } = publish(obs.replace(/a=extmap:2 .*\r\n/, ""))
  expect(media[1]?.rids).toEqual([])
  expect(sdp).not.toContain("a=simulcast")
})

test("rule 30: layers without ids are refused", () => {
  const offer = fixture("chromium-whip").replace("a=ssrc-group:FID", "a=ssrc-group:SIM 1 2 3\r\na=ssrc-group:FID")
  expect(() => publish(offer)).toThrow(
    expect.objectContaining({ code: "sdp.unsupported", message: expect.stringContaining("RFC 8853") }),
  )
})
