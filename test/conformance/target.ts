import type { Protocol } from "../../scripts/lib/conformance/check.ts"
import { ALL_CHECKS } from "../../scripts/lib/conformance/checks/all.ts"
import { ProtocolContext, type TargetOptions } from "../../scripts/lib/conformance/context.ts"
import { createOffer } from "../../scripts/lib/conformance/offers.ts"
import { type Result, runSuite } from "../../scripts/lib/conformance/run.ts"
import type { ConfigInput } from "../../src/config.ts"
import { createGateway, type Gateway } from "../../src/gateway.ts"
import type { Scope } from "../support/scope.ts"
import { brokenServer, type Misbehave } from "./stub.ts"

export const BOTH: readonly Protocol[] = ["whip", "whep"]
export const TOKEN = "conformance-token"

/** What a mutation changes, and what shows it. */
export interface Mutation {
  readonly name: string
  readonly protocols: readonly Protocol[]
  /** Ids of the checks that find it, all others pass. */
  readonly found: readonly string[]
  /** Makes a new broken server, with its state. */
  readonly create: () => Misbehave
  readonly options?: Partial<TargetOptions>
}

/** What is tested. */
interface Subject {
  readonly protocol: Protocol
  readonly stream: string
}

/** A gateway with tokens and ICE servers, which counts no requests, on free ports. */
export async function startTarget(scope: Scope, media: ConfigInput["media"] = {}): Promise<Gateway> {
  const local = { host: "127.0.0.1", port: 0 }
  const gateway = await createGateway({
    http: { ...local, requestsPerSecond: 100_000, requestBurst: 100_000 },
    rtmp: local,
    media: { host: ["127.0.0.1"], port: 0, iceServers: ICE_SERVERS, ...media },
    access: { publishTokens: [TOKEN], playTokens: [TOKEN] },
    log: { level: "silent" },
  })
  scope.defer(() => gateway.close())
  return gateway
}

/** Publishes by an offer alone, without media. */
export async function publishNothing({ urls }: Gateway, stream: string): Promise<void> {
  const headers = { "content-type": "application/sdp", authorization: `Bearer ${TOKEN}` }
  const body = createOffer("whip")
  const { status } = await fetch(`${urls.http}/whip/${stream}`, { method: "POST", headers, body })
  if (status !== 201) throw new Error(`publishing gave ${status}`)
}

/** Runs the checks of one protocol that only need HTTP, against a gateway that misbehaves. */
export function runHttpChecks(gateway: Gateway, subject: Subject, mutation: Partial<Mutation> = {}): Promise<Result[]> {
  const checks = ALL_CHECKS.filter(({ needs }) => needs === "http")
  return runSuite({ checks, publishes: false, [subject.protocol]: contextOf(gateway, subject, mutation) })
}

/** Runs the checks that need a peer, those of WHEP with a publisher of the suite's own. */
export function runPeerChecks(gateway: Gateway, stream: string, mutation: Partial<Mutation> = {}): Promise<Result[]> {
  const { protocols = BOTH } = mutation
  const checks = ALL_CHECKS.filter(({ needs, protocol }) => needs === "peer" && protocols.includes(protocol))
  const [whip, whep] = BOTH.map((protocol) => contextOf(gateway, { protocol, stream }, mutation))
  return runSuite({ checks, publishes: true, whip, whep })
}

function contextOf(
  { urls }: Gateway,
  { protocol, stream }: Subject,
  { create = () => (_, forward) => forward(), options = {} }: Partial<Mutation>,
): ProtocolContext {
  return new ProtocolContext(protocol, {
    endpoint: `${urls.http}/${protocol}/${stream}`,
    idleEndpoint: `${urls.http}/whep/live/idle`,
    token: TOKEN,
    fetch: brokenServer(urls.http, create()),
    patience: PATIENCE,
    floodRequests: 0,
    ...options,
  })
}

/** Ids of the checks that found something. */
export function found(results: readonly Result[]): string[] {
  return results.filter(({ status }) => status === "fail" || status === "warn").map(({ check }) => check.id)
}

/** Enough for a busy machine; only servers that break a rule take all of it. */
export const PATIENCE = { closeMs: 1_500, connectMs: 5_000, eventMs: 2_000, silenceMs: 8_000 }
const ICE_SERVERS = [
  { urls: ["stun:127.0.0.1:3478"] },
  { urls: ["turn:127.0.0.1:3478?transport=udp"], username: "user", credential: "password" },
]
