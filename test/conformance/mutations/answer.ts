import { edit, editAnswers, forwardWhen, isOffer, type Misbehave } from "../stub.ts"
import { BOTH, type Mutation } from "../target.ts"

const change = (pattern: RegExp | string, text: string) => (sdp: string) => sdp.replaceAll(pattern, text)
const offers = (line: string) => (offer: string) => offer.includes(line)

/** Servers that break what the answer's SDP has to say, and that take what they must refuse. */
export const answerMutations: readonly Mutation[] = [
  {
    name: "sendonly is answered sendrecv",
    protocols: ["whip"],
    found: ["recvonly"],
    create: () => editAnswers({ body: change("a=recvonly", "a=sendrecv") }, offers("a=sendonly")),
  },
  {
    name: "sendrecv is answered sendrecv",
    protocols: ["whip"],
    found: ["recvonly-for-sendrecv"],
    create: () => editAnswers({ body: change("a=recvonly", "a=sendrecv") }, offers("a=sendrecv")),
  },
  {
    name: "players get sendrecv",
    protocols: ["whep"],
    found: ["sendonly"],
    create: () => editAnswers({ body: change("a=sendonly", "a=sendrecv") }),
  },
  {
    name: "candidates are left for later",
    protocols: BOTH,
    found: ["candidates"],
    create: () => editAnswers({ body: change(/a=candidate:.*\r\n/g, "") }),
  },
  {
    name: "the first candidate is a name",
    protocols: BOTH,
    found: ["first-candidate"],
    create: () => editAnswers({ body: (sdp) => sdp.replace("a=candidate:", `${NAMED_CANDIDATE}a=candidate:`) }),
  },
  {
    name: "no rtcp-mux",
    protocols: BOTH,
    found: ["bundle"],
    create: () => editAnswers({ body: change("a=rtcp-mux\r\n", "") }),
  },
  {
    name: "a section is not bundled",
    protocols: BOTH,
    found: ["bundle"],
    create: () => editAnswers({ body: change("BUNDLE 0 1", "BUNDLE 0") }),
  },
  {
    name: "no rtcp-mux-only",
    protocols: BOTH,
    found: ["rtcp-mux-only"],
    create: () => editAnswers({ body: change("a=rtcp-mux-only\r\n", "") }),
  },
  {
    name: "a second video track is dropped",
    protocols: ["whip"],
    found: ["second-video-track"],
    create: () =>
      forwardWhen(
        (call) => isOffer(call) && call.body.split("m=video").length > 2,
        ({ body }) => ({ body: body.slice(0, body.lastIndexOf("m=video")) }),
      ),
  },
  {
    name: "two streams are taken for one",
    protocols: ["whip"],
    found: ["second-stream"],
    create: () => forwardWhen(isOffer, ({ body }) => ({ body: body.replace("a=msid:two", "a=msid:one") })),
  },
  {
    name: "a section that cannot be taken is rejected alone",
    protocols: ["whip"],
    found: ["no-partial-answer"],
    create: () => async (call, forward) => {
      if (!call.body.includes("conformance-unknown")) return forward()
      const response = await forward({ body: call.body.slice(0, call.body.indexOf("m=video")) })
      return edit(response, { body: (sdp) => `${sdp}m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=inactive\r\n` })
    },
  },
  ...[
    { offered: "actpass", answered: "actpass" },
    { offered: "active", answered: "active" },
    { offered: "passive", answered: "passive" },
  ].map(
    ({ offered, answered }): Mutation => ({
      name: `setup:${offered} is answered ${answered}`,
      protocols: ["whip"],
      found: [`setup-${offered}`],
      create: () => editAnswers({ body: change(/a=setup:\w+/g, `a=setup:${answered}`) }, offers(`a=setup:${offered}`)),
    }),
  ),
  {
    name: "an offer of DTLS roles gives 500",
    protocols: ["whip"],
    found: ["setup-passive"],
    create: () => editAnswers({ status: 500 }, offers("a=setup:passive")),
  },
  {
    name: "simulcast is answered without a=rid",
    protocols: ["whip"],
    found: ["simulcast"],
    create: () => editAnswers({ body: change(/a=rid:.*\r\n/g, "") }, offers("a=simulcast")),
  },
  {
    name: "simulcast is answered with a layer of its own",
    protocols: ["whip"],
    found: ["simulcast"],
    create: () => editAnswers({ body: change("recv h;m;l", "recv h;m;x") }, offers("a=simulcast")),
  },
  {
    name: "simulcast is answered with one layer",
    protocols: ["whip"],
    found: ["simulcast-all-layers"],
    create: () => editAnswers({ body: change("recv h;m;l", "recv h") }, offers("a=simulcast")),
  },
  {
    name: "simulcast is left out, which is right",
    protocols: ["whip"],
    found: [],
    create: () => editAnswers({ body: change(/a=(rid|simulcast):.*\r\n/g, "") }, offers("a=simulcast")),
  },
  {
    name: "tracks of two streams",
    protocols: ["whep"],
    found: ["one-stream"],
    create: () => editAnswers({ body: (sdp) => sdp.replace(/(m=video[\s\S]*a=msid:)\S+/, "$1other") }),
  },
  {
    name: "checks are not answered where the candidates say",
    protocols: BOTH,
    found: ["answers-checks"],
    create: (): Misbehave => editAnswers({ body: change(/(a=candidate:\S+ 1 udp \d+) \S+ \d+/g, "$1 127.0.0.1 9") }),
  },
]

const NAMED_CANDIDATE = "a=candidate:0 1 udp 2130706431 edge.example 8000 typ host\r\n"
