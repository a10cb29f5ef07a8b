/**
 * Whether a name such as `live/cam1` fits a pattern such as `live/cam*`: `*` stands for any characters within one part of
 * the name, and `*` alone for every name.
 */
export function matchesPattern(pattern: string, name: string): boolean {
  if (pattern === "*") return true
  const patternParts = pattern.split("/")
  const nameParts = name.split("/")
  return (
    patternParts.length === nameParts.length &&
    patternParts.every((part, index) => matchesPart(part, nameParts[index] ?? ""))
  )
}

/** Goes back to the last `*` only, so the time is bounded by the product of the lengths; a RegExp's is not. */
function matchesPart(pattern: string, text: string): boolean {
  let p = 0
  let starAt = -1
  let starEnd = 0
  for (let t = 0; t < text.length; ) {
    if (pattern[p] === "*") {
      starAt = p++
      starEnd = t
    } else if (pattern[p] === text[t]) {
      p++
      t++
    } else if (starAt >= 0) {
      p = starAt + 1
      t = ++starEnd
    } else return false
  }
  while (pattern[p] === "*") p++
  return p === pattern.length
}
