/** The number that a share of all numbers does not exceed, from 0 to 1; `undefined` where there are none. */
export function quantile(numbers: readonly number[], share: number): number | undefined {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}

/** The middle one; of an even count the larger of the two. */
export function median(numbers: readonly number[]): number | undefined {
  return quantile(numbers, 0.5)
}
