import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import type { SessionRequest } from "../../routes/signaling.ts"
import { GatewayError } from "../../src/errors.ts"
import { decodeLossless, encodeLossless, type LosslessPacket } from "../../src/minisdp/lossless/envelope.ts"
import { decodePacket, encodePacket, type MiniSdpPacket } from "../../src/minisdp/packet.ts"
import { sessionFromSdp } from "../../src/minisdp/session-from-sdp.ts"
import { ANSWER, fakeApp, problemOf, SESSION_URL } from "./support.ts"

/** Offers and answers as application/x-minisdp. */
const MINISDP = { "content-type": "application/x-minisdp" }
const OFFER_SDP = readFileSync(new URL("../fixtures/sdp/chromium-whep.sdp", import.meta.url), "utf8")
const ANSWER_SDP = readFileSync(new URL("../fixtures/sdp/werift-whep.sdp", import.meta.url), "utf8")

/** An application whose sessions all get this answer; `opened` are the requests for them. */
function answering(sdp: string) {
  const opened: SessionRequest[] = []
  const open = async (request: SessionRequest) => {
    opened.push(request)
    return { ...ANSWER, sdp }
  }
  return { ...fakeApp({ publish: open, play: open }, { maxBodyBytes: 10_000 }), opened }
}

const lossless = (packet: Partial<LosslessPacket> = {}): Uint8Array<ArrayBuffer> =>
  new Uint8Array(
    encodeLossless({
      type: "offer",
      seq: 7,
      status: 0,
      immSend: false,
      streamUrl: "",
      cookie: new Uint8Array(0),
      sessionId: "",
      sdp: OFFER_SDP,
      ...packet,
    }),
  )

const publicForm = (packet: Partial<MiniSdpPacket> = {}): Uint8Array<ArrayBuffer> =>
  new Uint8Array(
    encodePacket({
      generation: "ext",
      type: "offer",
      status: 0,
      seq: 7,
      immSend: false,
      streamUrl: "",
      svrsig: "",
      push: undefined,
      session: sessionFromSdp(OFFER_SDP),
      ...packet,
    }),
  )

const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer())

describe.each(["/whip", "/whep"])("MiniSDP on %s", (base) => {
  const path = `${base}/live/cam1`
  const post = (app: ReturnType<typeof fakeApp>["app"], body: Uint8Array<ArrayBuffer>, headers = {}) =>
    app.request(`http://gateway${path}`, { method: "POST", headers: { ...MINISDP, ...headers }, body })

  test("a lossless offer reaches the service as its SDP, and the answer goes back in the same form with all headers", async () => {
    const { app, opened } = answering(ANSWER_SDP)
    const response = await post(app, lossless(), { authorization: "Bearer s3cret" })
    expect(response.status).toBe(201)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/x-minisdp",
      location: `http://gateway${SESSION_URL}`,
      etag: '"ice-1"',
      "accept-post": "application/sdp, application/x-minisdp",
      "accept-patch": expect.stringContaining("application/trickle-ice-sdpfrag"),
    })
    expect(decodeLossless(await bytesOf(response))).toMatchObject({
      type: "answer",
      seq: 7,
      status: 0,
      sdp: ANSWER_SDP,
      streamUrl: "",
      sessionId: "",
    })
    expect(opened).toMatchObject([{ offerSdp: OFFER_SDP, token: "s3cret", stream: "live/cam1" }])
  })

  test("a public offer is answered in the public form", async () => {
    const { app, opened } = answering(ANSWER_SDP)
    const response = await post(app, publicForm())
    expect([response.status, response.headers.get("content-type")]).toEqual([201, "application/x-minisdp"])
    const offered = sessionFromSdp(OFFER_SDP)
    const answered = sessionFromSdp(ANSWER_SDP)
    const { ufrag, pwd, fingerprint } = answered
    expect(decodePacket(await bytesOf(response))).toMatchObject({
      type: "answer",
      seq: 7,
      status: 0,
      svrsig: offered.ufrag,
      session: { ufrag, pwd, fingerprint },
    })
    expect(sessionFromSdp(opened[0]?.offerSdp ?? "")).toMatchObject({ ufrag: offered.ufrag, pwd: offered.pwd })
  })

  test("the stream and the token in a packet count for nothing: HTTP says them", async () => {
    const { app, opened } = answering(ANSWER_SDP)
    await post(app, lossless({ streamUrl: "live/other?token=stolen" }))
    expect(opened).toMatchObject([{ stream: "live/cam1", token: undefined }])
  })

  test("an answer that the public form cannot hold comes as SDP, since its session is open", async () => {
    const { app } = answering("v=0\r\n")
    const response = await post(app, publicForm())
    expect([response.status, response.headers.get("content-type")]).toEqual([201, "application/sdp"])
    expect(await response.text()).toBe("v=0\r\n")
  })

  test.each([
    { name: "nothing", body: new Uint8Array(0) },
    { name: "SDP as text", body: new TextEncoder().encode(OFFER_SDP) },
    { name: "a cut packet", body: lossless().subarray(0, 60) },
    { name: "a version from the future", body: Uint8Array.from([0xff, 0x53, 0x44, 0x50, 0x58, 0, 0, 0]) },
    { name: "an answer", body: lossless({ type: "answer" }) },
    { name: "a packet without SDP", body: lossless({ sdp: "" }) },
  ])("refuses $name with 400 and problem details, before a session is opened", async ({ body }) => {
    const { app, opened, bugs } = answering(ANSWER_SDP)
    const response = await post(app, new Uint8Array(body))
    expect(response.status).toBe(400)
    expect(await problemOf(response)).toMatchObject({ code: "minisdp.packet", status: 400 })
    expect(opened).toEqual([])
    expect(bugs).toEqual([])
  })

  test("refuses a packet larger than any offer, whatever SDP may have", async () => {
    const { app } = fakeApp({}, { maxBodyBytes: 100_000 })
    const response = await post(app, new Uint8Array(8_193))
    expect([response.status, (await problemOf(response)).code]).toEqual([413, "http.too_large"])
  })

  test("errors stay problem details", async () => {
    const refuse = () => Promise.reject(new GatewayError("access.required", "a token is needed"))
    const { app } = fakeApp({ publish: refuse, play: refuse }, { maxBodyBytes: 10_000 })
    const response = await post(app, lossless())
    expect(response.status).toBe(401)
    expect(await problemOf(response)).toMatchObject({ code: "access.required" })
  })
})

test("a counter-offer is SDP, also for an offer in MiniSDP, and only for a player that names SDP", async () => {
  const accepted: boolean[] = []
  const { app } = fakeApp(
    {
      play: async ({ acceptsCounterOffer }) => {
        accepted.push(acceptsCounterOffer)
        return { ...ANSWER, type: "counterOffer", sdp: "v=0\r\noffer" }
      },
    },
    { maxBodyBytes: 10_000 },
  )
  const post = (headers: Record<string, string>) =>
    app.request("/whep/live/cam1", { method: "POST", headers: { ...MINISDP, ...headers }, body: lossless() })
  const response = await post({ accept: "application/x-minisdp, application/sdp" })
  expect([response.status, response.headers.get("content-type")]).toEqual([406, "application/sdp"])
  expect(await response.text()).toBe("v=0\r\noffer")
  await post({ accept: "application/x-minisdp" })
  expect(accepted).toEqual([true, false])
})
