import type { Check } from "../check.ts"
import { accessChecks } from "./access.ts"
import { answerChecks } from "./answer.ts"
import { counterOfferChecks } from "./counter-offer.ts"
import { extensionChecks } from "./extensions.ts"
import { httpUsageChecks } from "./http-usage.ts"
import { iceChecks } from "./ice.ts"
import { peerChecks } from "./peer.ts"
import { setupChecks } from "./setup.ts"
import { unseenChecks } from "./unseen.ts"

/** All checks, by rule; those of rule 33 stand with the rule of WHIP that they take over. */
export const ALL_CHECKS: readonly Check[] = [
  ...httpUsageChecks,
  ...setupChecks,
  ...answerChecks,
  ...iceChecks,
  ...accessChecks,
  ...counterOfferChecks,
  ...extensionChecks,
  ...peerChecks,
  ...unseenChecks,
].sort((a, b) => (a.asRule ?? a.rule) - (b.asRule ?? b.rule))
