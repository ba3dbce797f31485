/**
 * Queues whose values are distinct: no value is overtaken.
 *
 * Source: T. A. Henzinger, A. Sezgin, V. Vafeiadis, "Aspect-Oriented Linearizability Proofs", CONCUR 2013: a queue's
 * history has an order unless a value is removed that was not added, one is removed twice, one overtakes another, or an
 * empty queue is seen that never was empty.
 */
import * as Explain from "../../Explain.ts"
import type { Item, Pattern } from "./Pattern.ts"

/** A value that was removed before another, though it was added after it. */
export const overtaking = (items: ReadonlyArray<Item>): Pattern | undefined => {
  const byEnd = items.toSorted((a, b) => a.added - b.added)
  const byBeginning = items.toSorted((a, b) => a.add.invoked - b.add.invoked)
  let latest: Item | undefined
  let next = 0
  for (const item of byBeginning) {
    for (; next < byEnd.length && byEnd[next]!.added < item.add.invoked; next++) {
      const before = byEnd[next]!
      if (latest === undefined || before.removing > latest.removing) latest = before
    }
    if (latest !== undefined && item.removed < latest.removing) return explain(latest, item)
  }
  return undefined
}

const explain = (first: Item, second: Item): Pattern => {
  const late =
    first.remove === undefined ? "which nobody had removed by then" : `before ${Explain.operation(first.remove)} began`
  return {
    reason:
      `${Explain.value(first.add.input)} was overtaken: ${Explain.operation(first.add)} ended before ` +
      `${Explain.operation(second.add)} began, but ${Explain.operation(second.remove!)} took the later value ` +
      (first.remove === undefined ? `and left the earlier, ${late}.` : `${late}.`),
    operations: [first.add, second.add, second.remove!, ...(first.remove === undefined ? [] : [first.remove])]
  }
}
