import type { ReportBlock } from "./rtcp-report.ts"

/**
 * What of the losses that a receiver reports is the fault of its own link: packets that never came to us, and so were never sent to it, are
 * missing there too.
 */
export class LinkLoss {
  #highest: number | undefined
  /** The most packets that the link can have lost so far, after all that was said. */
  #lost = 0

  /** Takes a report and how many packets were missing here so far; returns the share that the link lost since the last one, 0 to 1. */
  onReport(block: ReportBlock, missingPackets: number): number {
    const expected = block.extendedHighestSequenceNumber - (this.#highest ?? block.extendedHighestSequenceNumber)
    const lost = block.cumulativeLost - missingPackets
    const lostNow = this.#highest === undefined ? 0 : Math.max(lost - this.#lost, 0)
    this.#lost = this.#highest === undefined ? lost : Math.max(lost, this.#lost)
    this.#highest = block.extendedHighestSequenceNumber
    return expected <= 0 ? 0 : Math.min(lostNow / expected, block.fractionLost / 256)
  }
}
