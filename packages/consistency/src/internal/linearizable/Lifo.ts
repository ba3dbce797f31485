/**
 * Stacks whose values are distinct: at any time that the stack cannot be empty, some value is at its bottom.
 *
 * A value is surely in the stack from the end of its push to the beginning of its pop: its core. A value without a core
 * may be pushed and popped at one moment, and does not matter. At a moment in no core the stack may be empty, and what
 * is before and after can be looked at apart: all that can have been popped by then goes before, the rest after it. What
 * remains are runs of cores that overlap. In a run the value that is pushed first is popped last, so it needs a push that
 * began before all others ended and a pop that ended after all others began. Any value will do that has these: in an
 * order of the run it can be moved to the ends. So it is taken out, and the rest, which may fall apart, is looked at in
 * the same way.
 *
 * Compare: Z. H. Lee, U. Mathur, "Efficient Decrease-and-Conquer Linearizability Monitoring", OOPSLA 2025.
 */
import * as Explain from "../../Explain.ts"
import type { Limit } from "../Limit.ts"
import type { Item, Pattern } from "./Pattern.ts"

/** A run of values none of which can be at the bottom. `undefined` also when the limit is reached. */
export const entangled = (items: ReadonlyArray<Item>, limit: Limit): Pattern | undefined => {
  const work = [items.filter(({ added, removing }) => added < removing).sort((a, b) => a.added - b.added)]
  for (let part = work.pop(); part !== undefined; part = work.pop()) {
    for (let from = 0; from < part.length;) {
      if (limit.isReached) return undefined
      const { to, end } = run(part, from)
      const begin = part[from]!.added
      const rest: Array<Item> = []
      for (let at = from; at < to; at++) {
        const item = part[at]!
        if (item.add.invoked > begin || item.removed < end) rest.push(item)
      }
      if (rest.length === to - from) return explain(rest)
      if (rest.length > 1) work.push(rest)
      from = to
    }
  }
  return undefined
}

/** Where the run of overlapping cores that begins at `from` is over, and when. */
const run = (items: ReadonlyArray<Item>, from: number): { readonly to: number; readonly end: number } => {
  let end = items[from]!.removing
  let to = from + 1
  while (to < items.length && items[to]!.added < end) end = Math.max(end, items[to++]!.removing)
  return { to, end }
}

const explain = (items: ReadonlyArray<Item>): Pattern => {
  const first = items.reduce((a, b) => (b.add.invoked < a.add.invoked ? b : a))
  const last = items.reduce((a, b) => (b.removing > a.removing ? b : a))
  const values = Explain.few(items.map(({ add }) => Explain.value(add.input)))
  const involved = items.length <= 8 ? items : [first, last]
  return {
    reason:
      `Not last in, first out: from ${Explain.operation(items[0]!.add)} to ` +
      `${last.remove === undefined ? "the end" : Explain.operation(last.remove)} the stack is never empty, but none of ` +
      `${values} can be at its bottom: each was pushed after another was there, or popped while another stayed. ` +
      (first.remove === undefined || first === last ? "" : `${Explain.operation(first.remove)} came too early.`),
    operations: involved.flatMap(({ add, remove }) => (remove === undefined ? [add] : [add, remove]))
  }
}
