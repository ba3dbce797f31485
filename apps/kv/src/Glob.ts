/**
 * Patterns as Redis has them: `*`, `?`, `[abc]`, `[^a-z]`, and `\` before what is meant as it is. In time of the product
 * of both lengths at the most: of the stars only the last one is ever gone back to.
 */
export const matches = (pattern: string, text: string): boolean => {
  let p = 0
  let t = 0
  let star = -1
  let resume = 0
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++
      resume = t
      continue
    }
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t)) : 0
    if (next > 0) {
      p = next
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++resume
    } else return false
  }
  while (pattern[p] === "*") p++
  return p === pattern.length
}

/** Where the pattern goes on after the character that it begins with, or 0 when that is another. */
const matchOne = (pattern: string, p: number, code: number): number => {
  if (pattern[p] === "?") return p + 1
  if (pattern[p] === "[") return matchClass(pattern, p + 1, code)
  const literal = pattern[p] === "\\" && p + 1 < pattern.length ? p + 1 : p
  return pattern.charCodeAt(literal) === code ? literal + 1 : 0
}

const matchClass = (pattern: string, start: number, code: number): number => {
  const negated = pattern[start] === "^"
  let p = negated ? start + 1 : start
  let found = false
  while (p < pattern.length && pattern[p] !== "]") {
    if (pattern[p] === "\\" && p + 1 < pattern.length) p++
    const low = pattern.charCodeAt(p)
    const range = pattern[p + 1] === "-" && p + 2 < pattern.length
    const high = range ? pattern.charCodeAt(p + 2) : low
    if (code >= Math.min(low, high) && code <= Math.max(low, high)) found = true
    p += range ? 3 : 1
  }
  return found !== negated ? Math.min(p + 1, pattern.length) : 0
}
