/** What goes to a node together, in messages that no transport finds too large. */
import type { Ask, Vote } from "./messages.ts"

/** In bytes, about. What is larger by itself goes alone. */
const largest = 4 * 1024 * 1024

/** At least one, in their order. */
export const bundles = <A extends Ask | Vote>(all: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  if (all.length < 2) return [all]
  const found: Array<ReadonlyArray<A>> = []
  let begun = 0
  let size = 0
  for (let i = 0; i < all.length; i++) {
    const own = sizeOf(all[i]!)
    if (i > begun && size + own > largest) {
      found.push(all.slice(begun, i))
      begun = i
      size = 0
    }
    size += own
  }
  return begun === 0 ? [all] : [...found, all.slice(begun)]
}

const sizeOf = (each: Ask | Vote): number =>
  64 +
  each.key.length +
  ("copy" in each && each.copy !== undefined ? weightOf(each.copy.first) + weightOf(each.copy.rest) : 0)

/** Of plain data: what its texts and bytes take, and a little for all else. */
const weightOf = (value: unknown): number => {
  if (typeof value === "string") return value.length
  if (typeof value !== "object" || value === null) return 8
  if (ArrayBuffer.isView(value)) return value.byteLength
  let weight = 8
  if (Array.isArray(value)) for (const each of value) weight += weightOf(each)
  else for (const key in value) weight += weightOf(value[key as keyof typeof value])
  return weight
}
