/** The name that may be meant by `given`: one that begins it or that it begins, or that few letters set apart. */
export const nearest = (given: string, names: ReadonlyArray<string>): string | undefined => {
  const name = given.slice(0, 64).toLowerCase()
  if (name === "") return undefined
  const begun = names.find((other) => other.startsWith(name) || name.startsWith(other))
  if (begun !== undefined) return begun
  let best: string | undefined
  let least = Math.min(3, Math.ceil(name.length / 2))
  for (const other of names) {
    const edits = distance(name, other.toLowerCase())
    if (edits < least) [best, least] = [other, edits]
  }
  return best
}

/** How many letters to add, leave out or replace to make one of the other (Levenshtein 1966). */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
