import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { decodeLossless, encodeLossless } from "../../src/minisdp/lossless/envelope.ts"
import { type MiniSdpMode, SignalingClient } from "../../src/player/signaling.ts"

/** A request that the client has made, and the answers that it gets in turn. */
const requests: { url: string; method: string; type: string; sdp: string; authorization: string | null }[] = []
let answers: Response[] = []

beforeEach(() => {
  requests.length = 0
  vi.stubGlobal("fetch", async (input: URL | string, init: RequestInit) => {
    const headers = new Headers(init.headers)
    const type = headers.get("content-type") ?? ""
    const { body = "" } = init
    const sdp = typeof body === "string" ? body : decodeLossless(body as Uint8Array).sdp
    const authorization = headers.get("authorization")
    requests.push({ url: `${input}`, method: init.method ?? "GET", type, sdp, authorization })
    const response = answers.shift() ?? new Response(null, { status: 200 })
    Object.defineProperty(response, "url", { value: new URL(`${input}`, "https://page.example").href })
    return response
  })
})
afterEach(() => vi.unstubAllGlobals())

const OFFER = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n"
const STEREO_OFFER = OFFER.replace("minptime=10", "minptime=10;stereo=1;sprop-stereo=1")
const ANSWER = "v=0\r\nanswer\r\n"
const MINISDP = "application/x-minisdp"
const ENDPOINT = "https://gateway.example/whep/live/cam1"

/** As much of a connection as signaling touches; `applied` are the answers. */
function fakeConnection() {
  const applied: string[] = []
  const fake = {
    localDescription: null as { sdp: string } | null,
    createOffer: async () => ({ type: "offer", sdp: OFFER }),
    setLocalDescription: async ({ sdp }: { sdp: string }) => {
      fake.localDescription = { sdp }
    },
    setRemoteDescription: async ({ sdp }: { sdp: string }) => {
      applied.push(sdp)
    },
  }
  return { pc: fake as unknown as RTCPeerConnection, applied }
}

function miniSdp(sdp: string): Uint8Array<ArrayBuffer> {
  const rest = { seq: 0, status: 0, immSend: false, streamUrl: "", cookie: new Uint8Array(0), sessionId: "" }
  return new Uint8Array(encodeLossless({ type: "answer", ...rest, sdp }))
}

function created(type: string, body: BodyInit, headers: Record<string, string> = {}): Response {
  return new Response(body, { status: 201, headers: { "content-type": type, location: "/sessions/k3", ...headers } })
}

function refused(status: number, problem: { code: string; detail?: string } | undefined, acceptPost = ""): Response {
  return new Response(problem === undefined ? "no" : JSON.stringify(problem), {
    status,
    headers: acceptPost === "" ? {} : { "accept-post": acceptPost },
  })
}

const types = () => requests.map(({ type }) => type)

test("offers in MiniSDP, applies the answer as it was, and knows what the session offers besides", async () => {
  const link =
    '<stun:a>; rel="ice-server", </sessions/k3/layers>; rel="urn:ietf:params:whep:ext:core:layer", <https://gateway.example/sessions/k3/events>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="active"'
  answers = [created(MINISDP, miniSdp(ANSWER), { link })]
  const { pc, applied } = fakeConnection()
  const session = await new SignalingClient(ENDPOINT, "auto").open(pc, { token: "s3cret" })
  expect(applied).toEqual([ANSWER])
  expect(`${session.layersUrl}`).toBe("https://gateway.example/sessions/k3/layers")
  expect(`${session.eventsUrl}`).toBe("https://gateway.example/sessions/k3/events")
  session.end()
  session.end()
  const authorization = "Bearer s3cret"
  expect(requests).toEqual([
    { url: ENDPOINT, method: "POST", type: MINISDP, sdp: STEREO_OFFER, authorization },
    { url: "https://gateway.example/sessions/k3", method: "DELETE", type: "", sdp: "", authorization },
  ])
})

test.each([400, 406, 415, 422, 500, 501])(
  "a server that says %i to MiniSDP gets the same offer as SDP, and never MiniSDP again",
  async (status) => {
    const sdpAnswer = () => created("application/sdp", ANSWER)
    answers = [refused(status, undefined), sdpAnswer(), sdpAnswer()]
    const client = new SignalingClient(ENDPOINT, "auto")
    const { pc, applied } = fakeConnection()
    await client.open(pc)
    await client.open(fakeConnection().pc)
    expect(types()).toEqual([MINISDP, "application/sdp", "application/sdp"])
    expect(new Set(requests.map(({ sdp }) => sdp))).toEqual(new Set([STEREO_OFFER]))
    expect(applied).toEqual([ANSWER])
  },
)

test.each([401, 403, 404, 409, 429, 503])("%i is no refusal of the form, and not asked twice", async (status) => {
  answers = [refused(status, { code: "some.code", detail: "why" })]
  const opened = new SignalingClient(ENDPOINT, "auto").open(fakeConnection().pc)
  await expect(opened).rejects.toMatchObject({ status, code: "some.code", message: "why" })
  expect(types()).toEqual([MINISDP])
})

test("a server that lists MiniSDP in Accept-Post is believed when it refuses the offer itself", async () => {
  answers = [refused(422, { code: "sdp.unsupported", detail: "why" }, `application/sdp, ${MINISDP}`)]
  vi.stubGlobal("RTCRtpReceiver", { getCapabilities: () => ({ codecs: [{ mimeType: "video/H264" }] }) })
  const opened = new SignalingClient(ENDPOINT, "auto").open(fakeConnection().pc)
  await expect(opened).rejects.toMatchObject({ code: "sdp.unsupported", message: "why" })
  expect(types()).toEqual([MINISDP])
})

test("a gateway that speaks another version of MiniSDP is asked in SDP", async () => {
  answers = [
    refused(400, { code: "minisdp.packet" }, `application/sdp, ${MINISDP}`),
    created("application/sdp", ANSWER),
  ]
  const { pc, applied } = fakeConnection()
  await new SignalingClient(ENDPOINT, "auto").open(pc)
  expect([types(), applied]).toEqual([[MINISDP, "application/sdp"], [ANSWER]])
})

test("an answer in SDP to an offer in MiniSDP is taken", async () => {
  answers = [created("application/sdp; charset=utf-8", ANSWER)]
  const { pc, applied } = fakeConnection()
  await new SignalingClient(ENDPOINT, "auto").open(pc)
  expect(applied).toEqual([ANSWER])
})

test("an answer that cannot be read ends its session, and the next offer is SDP", async () => {
  answers = [created(MINISDP, Uint8Array.of(1, 2, 3)), new Response(null), created("application/sdp", ANSWER)]
  const client = new SignalingClient(ENDPOINT, "auto")
  await expect(client.open(fakeConnection().pc)).rejects.toMatchObject({ code: "minisdp.packet" })
  await client.open(fakeConnection().pc)
  expect(requests.map(({ method, type }) => [method, type])).toEqual([
    ["POST", MINISDP],
    ["DELETE", ""],
    ["POST", "application/sdp"],
  ])
})

test.each<{ mode: MiniSdpMode; type: string }>([
  { mode: "auto", type: MINISDP },
  { mode: "off", type: "application/sdp" },
])("minisdp $mode begins with $type", async ({ mode, type }) => {
  answers = [created("application/sdp", ANSWER)]
  await new SignalingClient("/whep/live/cam1", mode).open(fakeConnection().pc)
  expect(types()).toEqual([type])
})
