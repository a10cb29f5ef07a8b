import type { Check } from "./check.ts"
import { classify, type ProtocolContext } from "./context.ts"
import { isSuccess } from "./http.ts"
import { createOffer } from "./offers.ts"
import { type ConnectedPeer, connect, within } from "./peer.ts"

/** What came of one check. A rule that is no MUST gives a warning where it is broken. */
export interface Result {
  readonly check: Check
  readonly status: "pass" | "fail" | "warn" | "skip"
  readonly seen: string
}

/** What to run and against what. */
export interface Suite {
  readonly checks: readonly Check[]
  readonly whip?: ProtocolContext | undefined
  readonly whep?: ProtocolContext | undefined
  /** Whether the suite publishes by WHIP what the checks of WHEP watch; otherwise somebody else does. */
  readonly publishes: boolean
  /** Called with each result as it comes. */
  readonly onResult?: (result: Result) => void
}

/** Runs the checks one after the other: those of WHIP, those of WHEP without a publisher, then the others of WHEP. */
export async function runSuite({ checks, whip, whep, publishes, onResult }: Suite): Promise<Result[]> {
  const results: Result[] = []
  const add = (result: Result) => {
    results.push(result)
    onResult?.(result)
  }
  const runAll = async (context: ProtocolContext | undefined, wanted: (check: Check) => boolean) => {
    if (context === undefined) return
    for (const check of checks.filter((one) => one.protocol === context.protocol && wanted(one))) {
      add(await runCheck(check, context))
    }
  }
  await runAll(whip, () => true)
  if (whep === undefined) return results
  const hasIdleEndpoint = publishes || whep.options.idleEndpoint !== undefined
  if (hasIdleEndpoint) await runAll(whep, ({ isIdle }) => isIdle === true)
  const live = checks.filter(({ protocol, isIdle }) => protocol === "whep" && !isIdle)
  if (live.length === 0) return results
  const publisher = whip !== undefined && publishes ? await publish(whip, whep) : undefined
  try {
    if (typeof publisher === "string") for (const check of live) add({ check, status: "skip", seen: publisher })
    else await runAll(whep, ({ isIdle }) => !isIdle)
  } finally {
    if (typeof publisher === "object") publisher.close()
    await whip?.cleanUp()
  }
  return results
}

async function runCheck(check: Check, context: ProtocolContext): Promise<Result> {
  try {
    return { check, status: "pass", seen: await check.run(context) }
  } catch (error) {
    const { status, seen } = classify(error)
    const failure = check.level === "MUST" ? "fail" : "warn"
    return { check, status: status === "skipped" ? "skip" : failure, seen }
  } finally {
    await context.cleanUp()
  }
}

/** Publishes until the returned peer is closed; a sentence where that does not come about. */
async function publish(whip: ProtocolContext, whep: ProtocolContext): Promise<ConnectedPeer | string> {
  try {
    const peer = await connect(whip)
    const isLive = async () => isSuccess(await whep.post(createOffer("whep")))
    if (await within(whep.options.patience.connectMs, isLive)) return peer
    peer.close()
    return "what the suite publishes cannot be watched"
  } catch (error) {
    return `there is nothing to watch: ${classify(error).seen}`
  } finally {
    await whep.cleanUp()
  }
}
