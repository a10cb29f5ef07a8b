import { createHmac } from "node:crypto"
import fc from "fast-check"
import { beforeEach, describe, expect, test } from "vitest"
import type { TransportAddress } from "../../src/ice/ip-address.ts"
import { IceLiteResponder } from "../../src/ice/lite-responder.ts"
import {
  BINDING,
  CLASS_ERROR,
  CLASS_INDICATION,
  CLASS_REQUEST,
  CLASS_SUCCESS,
  ERROR_CODE,
  findAttribute,
  hasValidIntegrity,
  ICE_CONTROLLED,
  parseStunMessage,
  type StunAttribute,
  serializeStunMessage,
  serializeXorAddress,
  USE_CANDIDATE,
  USERNAME,
  XOR_MAPPED_ADDRESS,
} from "../../src/ice/stun.ts"

const hmacSha1 = (key: Uint8Array, data: Uint8Array) => new Uint8Array(createHmac("sha1", key).update(data).digest())
const ascii = (text: string) => new TextEncoder().encode(text)

const HOME: TransportAddress = { transport: "udp", family: 4, address: "192.0.2.7", port: 50_000 }
const MOBILE: TransportAddress = { transport: "udp", family: 6, address: "2001:db8::7", port: 50_001 }
const TRANSACTION = ascii("transaction!")
const NOMINATE: StunAttribute = { type: USE_CANDIDATE, value: new Uint8Array(0) }

let responder: IceLiteResponder<string>

beforeEach(() => {
  responder = new IceLiteResponder<string>(hmacSha1)
  responder.register({ localUfrag: "alpha", localPwd: "password-of-alpha-22ch" }, "session alpha")
  responder.register({ localUfrag: "beta", localPwd: "password-of-beta-22chr", remoteUfrag: "them" }, "session beta")
})

interface Check {
  transactionId?: Uint8Array
  username?: string
  password?: string
  attributes?: StunAttribute[]
  messageClass?: number
}

let checks = 0

/** A check of a transaction of its own, if nothing else is said. */
function check({
  transactionId = ascii(`check ${++checks}`.padEnd(12)),
  username = "alpha:them",
  password,
  attributes = [],
  messageClass = CLASS_REQUEST,
}: Check = {}): Uint8Array {
  const all = [{ type: USERNAME, value: ascii(username) }, ...attributes]
  const message = { messageClass, method: BINDING, transactionId, attributes: all }
  return serializeStunMessage(message, password === undefined ? undefined : { key: ascii(password), hmacSha1 })
}

const good = (attributes: StunAttribute[] = []) => check({ password: "password-of-alpha-22ch", attributes })

test("answers a check that has neither PRIORITY nor a role, from an address nobody announced", () => {
  const outcome = responder.push(check({ password: "password-of-alpha-22ch", transactionId: TRANSACTION }), HOME)
  if (outcome.type !== "answered") throw new Error(outcome.type)
  expect(outcome).toMatchObject({ session: "session alpha", selected: true })
  const response = parseStunMessage(outcome.response)
  expect(response).toMatchObject({ messageClass: CLASS_SUCCESS, transactionId: TRANSACTION })
  expect(findAttribute(response, XOR_MAPPED_ADDRESS)).toEqual(serializeXorAddress(HOME, TRANSACTION))
  expect(hasValidIntegrity(outcome.response, response, ascii("password-of-alpha-22ch"), hmacSha1)).toBe(true)
})

test("the first check selects the address, and only USE-CANDIDATE moves it", () => {
  const selected = (attributes: StunAttribute[], source: TransportAddress) => {
    const outcome = responder.push(good(attributes), source)
    return outcome.type === "answered" && outcome.selected
  }
  expect(selected([], HOME)).toBe(true)
  expect(selected([], HOME)).toBe(false)
  expect(selected([], MOBILE)).toBe(false)
  expect(selected([NOMINATE], MOBILE)).toBe(true)
  expect(selected([NOMINATE], MOBILE)).toBe(false)
  expect(selected([], HOME)).toBe(false)
})

test("a check that was overheard and comes again from elsewhere is dropped, a repeat from the same place is answered", () => {
  const overheard = good([NOMINATE])
  expect(responder.push(overheard, HOME)).toMatchObject({ type: "answered", selected: true })
  expect(responder.push(overheard, MOBILE)).toEqual({ type: "dropped", reason: "unknown" })
  expect(responder.push(overheard, { ...HOME, transport: "tcp" })).toEqual({ type: "dropped", reason: "unknown" })
  expect(responder.push(overheard, HOME)).toMatchObject({ type: "answered", selected: false })
  for (let n = 0; n < 40; n++) responder.push(good(), HOME)
  expect(responder.push(overheard, MOBILE)).toEqual({ type: "dropped", reason: "unknown" })
})

describe("a check that is not the peer's", () => {
  test.each([
    { name: "no password", input: { attributes: [NOMINATE] }, errorCode: 400 },
    { name: "a wrong password", input: { password: "guess", attributes: [NOMINATE] }, errorCode: 401 },
    {
      name: "another ufrag than the offer's",
      input: { username: "beta:others", password: "password-of-beta-22chr" },
      errorCode: 401,
    },
    {
      name: "a mandatory attribute nobody knows",
      input: { password: "password-of-alpha-22ch", attributes: [{ type: 0x7777, value: new Uint8Array(0) }] },
      errorCode: 420,
    },
    {
      name: "the role that is ours",
      input: { password: "password-of-alpha-22ch", attributes: [{ type: ICE_CONTROLLED, value: new Uint8Array(8) }] },
      errorCode: 487,
    },
  ])("with $name gets error $errorCode and moves nothing", ({ input, errorCode }) => {
    responder.push(good(), HOME)
    const outcome = responder.push(check(input), MOBILE)
    if (outcome.type !== "refused") throw new Error(outcome.type)
    const response = parseStunMessage(outcome.response)
    const [, , hundreds = 0, rest = 0] = findAttribute(response, ERROR_CODE) ?? []
    expect(response.messageClass).toBe(CLASS_ERROR)
    expect(hundreds * 100 + rest).toBe(errorCode)
    expect(responder.push(good([NOMINATE]), HOME)).toMatchObject({ type: "answered", selected: false })
  })

  test.each([
    { name: "an unknown ufrag", input: { username: "nobody:them", password: "x" }, reason: "unknown" },
    { name: "no ufrag", input: { username: "", password: "x" }, reason: "unknown" },
    { name: "the class of an answer", input: { messageClass: CLASS_SUCCESS }, reason: "unknown" },
    { name: "the class of an indication", input: { messageClass: CLASS_INDICATION }, reason: "indication" },
  ])("with $name is dropped", ({ input, reason }) => {
    expect(responder.push(check(input), HOME)).toEqual({ type: "dropped", reason })
  })

  test("never gets an unsigned answer longer than itself", () => {
    const short = check({ username: "alpha" }) // 20 + 12 + 8 bytes, and an error answer takes 44
    expect(responder.push(short, HOME)).toEqual({ type: "dropped", reason: "unknown" })
  })
})

test("a removed session answers no more", () => {
  responder.remove("alpha")
  expect(responder.push(good(), HOME)).toEqual({ type: "dropped", reason: "unknown" })
})

test("no datagram makes it throw", () => {
  const mutated = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })).map(([at, value]) => {
    const bytes = good()
    bytes[at % bytes.length] = value
    return bytes
  })
  const datagram = fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated)
  fc.assert(fc.property(datagram, (bytes) => void responder.push(bytes, HOME)))
})
