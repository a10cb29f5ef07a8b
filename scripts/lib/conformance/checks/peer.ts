import { assume, type Check, demand, NotApplicable, sharedCheck, Unmet, whepCheck, whipCheck } from "../check.ts"
import type { ProtocolContext } from "../context.ts"
import { connectDtls } from "../dtls-client.ts"
import { describe } from "../http.ts"
import { type ConnectedPeer, connect, connectByAnswer, within } from "../peer.ts"
import { acceptedSections } from "../sdp-text.ts"
import { counterOffer } from "./counter-offer.ts"
import { answersChecks } from "./ice.ts"

/** What only a peer with ICE, DTLS and media can see: rules 6, 7, 25, 35, 37. */
export const peerChecks: readonly Check[] = [
  ...sharedCheck({
    id: "dtls-close",
    rule: 6,
    section: "4.2",
    whepSection: "4.3.8",
    level: "MUST",
    title: "A client that closes DTLS ends the session",
    needs: "peer",
    async run(context) {
      const client = await connectDtls(context).catch(noPeer)
      client.hangUp()
      const { closeMs } = context.options.patience
      const isGone = await within(closeMs, async () => !(await context.isAlive(client.url)))
      demand(isGone, `the session is still there after ${closeMs / 1000} s`)
      return "the session is gone"
    },
  }),
  ...sharedCheck({
    id: "consent",
    rule: 6,
    section: "4.2, RFC 7675",
    whepSection: "4.3.8, RFC 7675",
    level: "MUST",
    title: "A client that vanishes is noticed",
    needs: "peer",
    run: (context) =>
      connected(context, async (peer) => {
        peer.relay.cut()
        const startedAt = performance.now()
        const { silenceMs } = context.options.patience
        const isGone = await within(silenceMs, async () => !(await context.isAlive(peer.url)))
        demand(isGone, `the session is still there after ${silenceMs / 1000} s of silence`)
        return `the session is gone after ${Math.round((performance.now() - startedAt) / 1000)} s of silence`
      }),
  }),
  ...sharedCheck({
    id: "delete-removes",
    rule: 7,
    section: "4.2",
    whepSection: "4.4",
    level: "MUST",
    title: "DELETE gives 2xx and removes the session",
    async run(context) {
      const { url } = await context.openAt()
      const deleted = await context.delete(url)
      demand(deleted.status >= 200 && deleted.status < 300, describe(deleted))
      demand(!(await context.isAlive(url)), "its address still answers 2xx")
      return describe(deleted)
    },
  }),
  ...sharedCheck({
    id: "delete-200",
    rule: 7,
    section: "practice: OBS",
    whepSection: "4 (flow)",
    level: "SHOULD",
    title: "DELETE gives exactly 200",
    async run(context) {
      const deleted = await context.delete((await context.openAt()).url)
      demand(deleted.status === 200, describe(deleted))
      return describe(deleted)
    },
  }),
  ...sharedCheck({
    id: "delete-ends-media",
    rule: 7,
    section: "4.2, RFC 7675 5.2",
    whepSection: "4.4, RFC 7675 5.2",
    level: "MUST",
    title: "DELETE closes ICE and DTLS at once",
    needs: "peer",
    run: (context) =>
      connected(context, async (peer) => {
        await context.delete(peer.url)
        const { closeMs } = context.options.patience
        const isClosed = await within(closeMs, () => peer.state() !== "connected")
        demand(isClosed, `the peer is still ${peer.state()} after ${closeMs / 1000} s`)
        demand(!(await answersChecks(peer)), "ICE checks are still answered")
        return `the peer is ${peer.state()}, ICE checks are no longer answered`
      }),
  }),
  ...(["actpass", "active", "passive"] as const).map((setup) =>
    whipCheck({
      id: `connect-${setup}`,
      rule: 25,
      section: setup === "passive" ? "practice: FFmpeg 8" : "4.4.4",
      level: setup === "actpass" ? "MUST" : "SHOULD",
      title: `A publisher that offers setup:${setup} gets connected`,
      needs: "peer",
      run: async (context) =>
        whileOpen(await connect(context, { setup }), async (peer) => `the peer is ${peer.state()}`),
    }),
  ),
  whepCheck({
    id: "media",
    rule: 35,
    section: "4.3.1",
    level: "MUST",
    title: "A player gets packets of every kind that the answer accepts",
    needs: "peer",
    run: async (context) => whileOpen(await connect(context), (peer) => demandMedia(context, peer)),
  }),
  whepCheck({
    id: "counter-offer-media",
    rule: 37,
    section: "4.3.2",
    level: "MUST",
    title: "A player that answers a counter-offer gets media",
    needs: "peer",
    async run(context) {
      const countered = await counterOffer(context)
      return whileOpen(await connectByAnswer(context, countered), (peer) => demandMedia(context, peer))
    },
  }),
]

/** Judges a connected peer. That there is a connection is judged by checks of its own. */
async function connected(context: ProtocolContext, judge: (peer: ConnectedPeer) => Promise<string>): Promise<string> {
  return whileOpen(await connect(context).catch(noPeer), judge)
}

async function whileOpen(peer: ConnectedPeer, judge: (peer: ConnectedPeer) => Promise<string>): Promise<string> {
  try {
    return await judge(peer)
  } finally {
    peer.close()
  }
}

function noPeer(error: unknown): never {
  if (error instanceof Unmet) throw new NotApplicable(`no connection to test: ${error.message}`)
  throw error
}

async function demandMedia(context: ProtocolContext, { relay, answer }: ConnectedPeer): Promise<string> {
  const sections = acceptedSections(answer).filter(({ attributes }) => !attributes.includes("inactive"))
  assume(sections.length > 0, "the answer accepts nothing")
  const { rtp } = relay.fromServer
  const isThere = (payloadTypes: readonly string[]) => payloadTypes.some((payloadType) => rtp.has(Number(payloadType)))
  await within(context.options.patience.connectMs, () => sections.every(({ payloadTypes }) => isThere(payloadTypes)))
  const missing = sections.filter(({ payloadTypes }) => !isThere(payloadTypes)).map(({ kind }) => kind)
  demand(missing.length === 0, `no ${missing.join(" and no ")} after ${context.options.patience.connectMs / 1000} s`)
  return [...rtp].map(([payloadType, count]) => `${count} packets of payload type ${payloadType}`).join(", ")
}
