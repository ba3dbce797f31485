/**
 * The name of a node: what a message is addressed to and what an election ranks.
 *
 * @example
 * import { NodeId } from "@troupe/transport"
 * import { Schema } from "effect"
 *
 * console.log(["n10", "n9"].sort(NodeId.Order)) // [ 'n9', 'n10' ]
 * console.log(Schema.is(NodeId.NodeId)("")) // false
 */
import { type Order as EffectOrder, Schema } from "effect"

/** 1 to 255 characters, none of them a control character or a space. */
export const NodeId = Schema.String.check(Schema.isPattern(/^[^\s\p{Cc}]{1,255}$/u))

export type NodeId = string

/**
 * The order of nodes: digits by value, all else by character, so that `n9` comes before `n10`.
 * Total: two names compare equal only when they are the same (`n01` and `n1` differ).
 */
export const Order: EffectOrder.Order<NodeId> = (a, b) => {
  if (a === b) return 0
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const endA = digitsEnd(a, i)
    const endB = digitsEnd(b, j)
    if (endA > i && endB > j) {
      const byValue = compareDigits(a, i, endA, b, j, endB)
      if (byValue !== 0) return byValue
      i = endA
      j = endB
    } else {
      const difference = a.charCodeAt(i++) - b.charCodeAt(j++)
      if (difference !== 0) return difference < 0 ? -1 : 1
    }
  }
  const rest = a.length - i - (b.length - j)
  return rest !== 0 ? (rest < 0 ? -1 : 1) : a < b ? -1 : 1
}

/** Whether `a` ranks above `b`. */
export const isHigher = (a: NodeId, b: NodeId): boolean => Order(a, b) > 0

const digitsEnd = (text: string, from: number): number => {
  let end = from
  while (end < text.length && text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57) end++
  return end
}

const compareDigits = (a: string, i: number, endA: number, b: string, j: number, endB: number): -1 | 0 | 1 => {
  while (i < endA && a.charCodeAt(i) === 48) i++
  while (j < endB && b.charCodeAt(j) === 48) j++
  if (endA - i !== endB - j) return endA - i < endB - j ? -1 : 1
  for (; i < endA; i++, j++) {
    const difference = a.charCodeAt(i) - b.charCodeAt(j)
    if (difference !== 0) return difference < 0 ? -1 : 1
  }
  return 0
}
