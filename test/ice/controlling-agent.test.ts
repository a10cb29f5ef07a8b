import { createHmac } from "node:crypto"
import { beforeEach, expect, test } from "vitest"
import { type AgentEvent, ControllingAgent } from "../../src/ice/controlling-agent.ts"
import type { TransportAddress } from "../../src/ice/ip-address.ts"
import { IceLiteResponder } from "../../src/ice/lite-responder.ts"
import {
  BINDING,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  findAttribute,
  ICE_CONTROLLED,
  ICE_CONTROLLING,
  PRIORITY,
  parseStunMessage,
  serializeStunMessage,
  USE_CANDIDATE,
  USERNAME,
} from "../../src/ice/stun.ts"

const hmacSha1 = (key: Uint8Array, data: Uint8Array) => createHmac("sha1", key).update(data).digest()
const local = { ufrag: "client", pwd: "0123456789abcdefghijkl" }
const remote = { ufrag: "server", pwd: "ABCDEFGHIJKL0123456789" }
const GATEWAY = address("192.0.2.1", 8000)
const OTHER = address("192.0.2.2", 8000)
const CLIENT = address("198.51.100.9", 40_000)

let seed = 0
const randomBytes = (count: number) =>
  Uint8Array.from({ length: count }, () => {
    seed += 37
    return seed & 0xff
  })

let responder: IceLiteResponder<string>
beforeEach(() => {
  seed = 0
  responder = new IceLiteResponder(hmacSha1)
  responder.register({ localUfrag: remote.ufrag, localPwd: remote.pwd, remoteUfrag: local.ufrag }, "session")
})

test("the first check is one that an ICE-lite gateway takes, and its answer selects the address", () => {
  const agent = createAgent()
  const [check] = sent(agent.start(0))
  const request = parseStunMessage(check?.datagram as Uint8Array)
  for (const type of [PRIORITY, ICE_CONTROLLING, USE_CANDIDATE]) expect(findAttribute(request, type)).toBeDefined()
  expect(agent.push(answerOf(check?.datagram), GATEWAY, 10)).toEqual([{ type: "selected", path: GATEWAY }])
})

test("checks are sent again after 500 ms, then after twice as long each time, seven times in all", () => {
  const agent = createAgent()
  const times = [...runUntilFailed(agent, agent.start(0))]
  expect(times).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500])
  expect(agent.nextTimeoutMs).toBe(Number.POSITIVE_INFINITY)
})

test("candidates are tried 50 ms apart, and no longer once one has answered", () => {
  const agent = createAgent([OTHER, GATEWAY, address("192.0.2.3", 8000)])
  expect(sent(agent.start(0)).map(({ to }) => to)).toEqual([OTHER])
  expect(agent.nextTimeoutMs).toBe(50)
  const [second] = sent(agent.onTimeout(50))
  expect(second?.to).toEqual(GATEWAY)
  agent.push(answerOf(second?.datagram), GATEWAY, 60)
  expect(sent(agent.onTimeout(100))).toEqual([])
})

test.each([
  { name: "under another password", answer: (request: Uint8Array) => answerOf(request, "another password 01234") },
  { name: "from another address", answer: (request: Uint8Array) => answerOf(request), source: OTHER },
  { name: "to another check", answer: () => answerOf(createAgent().start(0)[0]) },
  { name: "cut short", answer: (request: Uint8Array) => answerOf(request).subarray(0, 40) },
])("an answer $name selects nothing", ({ answer, source = GATEWAY }) => {
  const agent = createAgent()
  const [check] = sent(agent.start(0))
  expect(agent.push(answer(check?.datagram as Uint8Array), source, 1)).toEqual([])
  expect(agent.nextTimeoutMs).toBe(500)
})

test("a refusal ends the agent with its code", () => {
  const agent = createAgent()
  responder.remove(remote.ufrag)
  responder.register({ localUfrag: remote.ufrag, localPwd: "wrong wrong wrong wrong" }, "session")
  const [check] = sent(agent.start(0))
  const events = agent.push(answerOf(check?.datagram), GATEWAY, 1)
  expect(events).toEqual([{ type: "failed", text: "the peer refused our check with 401" }])
})

test("consent is asked for each 4 to 6 s, and 30 s without an answer end the agent", () => {
  const agent = createAgent()
  agent.push(answerOf(sent(agent.start(0))[0]?.datagram), GATEWAY, 0)
  const first = agent.nextTimeoutMs
  expect(first).toBeGreaterThanOrEqual(4_000)
  expect(first).toBeLessThanOrEqual(6_000)
  agent.push(answerOf(sent(agent.onTimeout(first))[0]?.datagram), GATEWAY, first)
  const times = [...runUntilFailed(agent, [])]
  expect(times.length).toBeGreaterThanOrEqual(5)
  expect(times.at(-1)).toBeLessThan(first + 30_000)
})

test("a check of the peer is answered where it is signed for us, and one of our own role refused", () => {
  const agent = createAgent()
  agent.start(0)
  const [answer] = sent(agent.push(checkOfPeer(local.pwd, ICE_CONTROLLED), CLIENT, 1))
  expect(answer?.to).toEqual(CLIENT)
  expect(parseStunMessage(answer?.datagram as Uint8Array).messageClass).toBe(CLASS_SUCCESS)
  expect(agent.push(checkOfPeer("some other password 01", ICE_CONTROLLED), CLIENT, 1)).toEqual([])
  const [conflict] = sent(agent.push(checkOfPeer(local.pwd, ICE_CONTROLLING), CLIENT, 1))
  expect(parseStunMessage(conflict?.datagram as Uint8Array).messageClass).toBe(3)
})

function createAgent(candidates = [GATEWAY]): ControllingAgent {
  return new ControllingAgent({ local, remote, candidates, hmacSha1, randomBytes })
}

function address(ip: string, port: number): TransportAddress {
  return { transport: "udp", family: 4, address: ip, port }
}

function sent(events: AgentEvent[]) {
  return events.filter((event) => event.type === "send")
}

/** Times at which something is sent, until the agent says that it has failed. */
function* runUntilFailed(agent: ControllingAgent, first: AgentEvent[]): Generator<number> {
  let events = first
  let nowMs = 0
  while (!events.some(({ type }) => type === "failed")) {
    if (sent(events).length > 0) yield nowMs
    nowMs = agent.nextTimeoutMs
    events = agent.onTimeout(nowMs)
  }
}

/** What the gateway answers, or one that has another password. */
function answerOf(check: Uint8Array | AgentEvent | undefined, pwd?: string): Uint8Array {
  const datagram = (check instanceof Uint8Array ? check : (check as { datagram: Uint8Array }).datagram) as Uint8Array
  if (pwd !== undefined) {
    const { transactionId } = parseStunMessage(datagram)
    const message = { messageClass: CLASS_SUCCESS, method: BINDING, transactionId, attributes: [] }
    return serializeStunMessage(message, { key: Buffer.from(pwd), hmacSha1 })
  }
  const outcome = responder.push(datagram, CLIENT)
  if (outcome.type === "dropped") throw new Error(`the gateway dropped the check: ${outcome.reason}`)
  return outcome.response
}

function checkOfPeer(pwd: string, role: number): Uint8Array {
  const attributes = [
    { type: USERNAME, value: Buffer.from(`${local.ufrag}:${remote.ufrag}`) },
    { type: role, value: Buffer.alloc(8) },
  ]
  const message = { messageClass: CLASS_REQUEST, method: BINDING, transactionId: randomBytes(12), attributes }
  return serializeStunMessage(message, { key: Buffer.from(pwd), hmacSha1 })
}
