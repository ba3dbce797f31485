/**
 * Queues whose values repeat: a search that leaves open in which order values wait.
 *
 * The k-th value that is taken is the k-th that was added, so that the order of removals tells that of additions, as far
 * as it matters. What has been searched is therefore known by which removals and which additions are placed, whatever
 * the state is between. A removal is placed with an addition of its value; such a pair can come next where
 *
 * - no other removal that is left ended before a removal or an addition that is placed began,
 * - and no addition that is left ended before the addition began.
 *
 * A removal that found nothing can come next where no addition that is left ended before anything that is placed began.
 * Of additions of one value that can come next, the one that ends first is taken: to exchange it for another forbids
 * nothing later. So it is with removals, unless some find nothing.
 */
import type { Operation } from "../../History.ts"
import type { Specification } from "../../Specification.ts"
import { textOf } from "../../specifications/Values.ts"
import type { Limit } from "../Limit.ts"

/** Values are numbers; that of a removal that found nothing is `nothing`. */
interface Placed {
  readonly value: number
  readonly invoked: number
  readonly returned: number
}

const nothing = -1

interface Sorted {
  /** Those that ended, in the order of their invocations. */
  readonly adds: ReadonlyArray<Placed>
  readonly removes: ReadonlyArray<Placed>
  /** When open additions of each value began, in order: they may have taken effect. */
  readonly openAdds: ReadonlyArray<ReadonlyArray<number>>
  /** When open removals began, in order: they may have taken anything. */
  readonly openRemoves: ReadonlyArray<number>
}

const sort = (
  operations: ReadonlyArray<Operation>,
  role: NonNullable<Specification["collection"]>["role"]
): Sorted | undefined => {
  const numbers = new Map<string, number>()
  const adds: Array<Placed> = []
  const removes: Array<Placed> = []
  const openAdds: Array<Array<number>> = []
  const openRemoves: Array<number> = []
  for (const operation of operations) {
    const { invoked, returned } = operation
    const does = role(operation)
    if (does === undefined || does._tag === "Observe") return undefined
    if (does._tag === "Empty") removes.push({ value: nothing, invoked, returned })
    else if (does._tag === "Remove" && does.value === undefined) openRemoves.push(invoked)
    else {
      const text = textOf(does.value!)
      let value = numbers.get(text)
      if (value === undefined) {
        numbers.set(text, (value = numbers.size))
        openAdds.push([])
      }
      if (does._tag === "Remove") removes.push({ value, invoked, returned })
      else if (returned === Infinity) openAdds[value]!.push(invoked)
      else adds.push({ value, invoked, returned })
    }
  }
  if (removes.some(({ returned }) => returned === Infinity)) return undefined
  return { adds, removes, openAdds, openRemoves }
}

export type Answer = "Ok" | "Violated" | "Unknown"

/** Whether the operations, in the order of their invocations, are a queue's; `undefined` where one is of another kind. */
export const judgeQueue = (
  operations: ReadonlyArray<Operation>,
  collection: NonNullable<Specification["collection"]>,
  limit: Limit
): Answer | undefined => {
  const sorted = sort(operations, collection.role)
  return sorted === undefined ? undefined : new QueueSearch(sorted, limit).run()
}

/** A removal with its addition: numbers of those that ended, or `open`. */
interface Step {
  readonly remove: number
  readonly add: number
  readonly value: number
}

const open = -1
const none = -2

/** Where the search stands, and how it may go on. */
interface Frame {
  readonly step: Step | undefined
  /** The first that is not placed: all before are. */
  readonly firstRemove: number
  readonly firstAdd: number
  /** The last that is placed. */
  readonly lastAdd: number
  /** The latest invocation of what is placed. */
  readonly time: number
  readonly steps: ReadonlyArray<Step>
  next: number
}

class QueueSearch {
  readonly sorted: Sorted
  readonly limit: Limit
  readonly isRemoved: Uint8Array
  readonly isAdded: Uint8Array
  /** How many open additions of each value, and how many open removals, took effect. */
  readonly usedAdds: Array<number>
  usedRemoves = 0
  readonly hasEmpty: boolean
  readonly searched = new Set<string>()

  constructor(sorted: Sorted, limit: Limit) {
    this.sorted = sorted
    this.limit = limit
    this.isRemoved = new Uint8Array(sorted.removes.length)
    this.isAdded = new Uint8Array(sorted.adds.length)
    this.usedAdds = sorted.openAdds.map(() => 0)
    this.hasEmpty = sorted.removes.some(({ value }) => value === nothing)
  }

  run(): Answer {
    const { limit } = this
    const frames: Array<Frame> = [this.frame(undefined, undefined)]
    while (frames.length > 0) {
      if (limit.isReached) return "Unknown"
      const frame = frames.at(-1)!
      if (frame.firstRemove === this.sorted.removes.length) return "Ok"
      if (frame.next === frame.steps.length) {
        if (frame.step !== undefined) this.mark(frame.step, 0)
        frames.pop()
        continue
      }
      const step = frame.steps[frame.next++]!
      this.mark(step, 1)
      const next = this.frame(frame, step)
      if (this.isNew(next)) frames.push(next)
      else this.mark(step, 0)
    }
    return "Violated"
  }

  mark({ add, remove, value }: Step, by: 0 | 1): void {
    const one = by === 1 ? 1 : -1
    if (remove === open) this.usedRemoves += one
    else this.isRemoved[remove] = by
    if (add === open) this.usedAdds[value]! += one
    else if (add !== none) this.isAdded[add] = by
  }

  frame(before: Frame | undefined, step: Step | undefined): Frame {
    const { adds, openAdds, openRemoves, removes } = this.sorted
    let firstRemove = before?.firstRemove ?? 0
    while (firstRemove < removes.length && this.isRemoved[firstRemove] === 1) firstRemove++
    let firstAdd = before?.firstAdd ?? 0
    while (firstAdd < adds.length && this.isAdded[firstAdd] === 1) firstAdd++
    let time = before?.time ?? -1
    if (step !== undefined) {
      const { add, remove, value } = step
      time = Math.max(time, remove === open ? openRemoves[this.usedRemoves - 1]! : removes[remove]!.invoked)
      if (add >= 0) time = Math.max(time, adds[add]!.invoked)
      else if (add === open) time = Math.max(time, openAdds[value]![this.usedAdds[value]! - 1]!)
    }
    const lastAdd = Math.max(before?.lastAdd ?? -1, step?.add ?? -1)
    return { step, firstRemove, firstAdd, lastAdd, time, steps: this.steps(firstRemove, firstAdd, time), next: 0 }
  }

  /** Those that may come next, the removal first that ends first. */
  steps(firstRemove: number, firstAdd: number, time: number): ReadonlyArray<Step> {
    const { openRemoves, removes } = this.sorted
    const removeBy = firstEnd(removes, this.isRemoved, firstRemove)
    const addBy = firstEnd(this.sorted.adds, this.isAdded, firstAdd)
    const fitting = this.fittingAdds(firstAdd, Math.min(removeBy, addBy))
    const steps: Array<Step> = []
    const seen = new Map<number, number>()
    for (let remove = firstRemove; remove < removes.length && removes[remove]!.invoked < removeBy; remove++) {
      if (this.isRemoved[remove] === 1) continue
      const { invoked, returned, value } = removes[remove]!
      if (value === nothing) {
        if (addBy > Math.max(time, invoked)) steps.push({ remove, add: none, value })
        continue
      }
      const add = fitting.get(value)
      if (add === undefined) continue
      const other = this.hasEmpty ? undefined : seen.get(value)
      if (other === undefined) {
        seen.set(value, steps.length)
        steps.push({ remove, add, value })
      } else if (returned < removes[steps[other]!.remove]!.returned) steps[other] = { remove, add, value }
    }
    steps.sort((a, b) => removes[a.remove]!.returned - removes[b.remove]!.returned)
    if (this.usedRemoves < openRemoves.length && openRemoves[this.usedRemoves]! < removeBy) {
      for (const [value, add] of fitting) steps.push({ remove: open, add, value })
    }
    return steps
  }

  /** Of each value, the addition that comes next: one that began before `until`, the first to end. */
  fittingAdds(firstAdd: number, until: number): Map<number, number> {
    const { adds, openAdds } = this.sorted
    const fitting = new Map<number, number>()
    for (let add = firstAdd; add < adds.length && adds[add]!.invoked < until; add++) {
      if (this.isAdded[add] === 1) continue
      const { returned, value } = adds[add]!
      const other = fitting.get(value)
      if (other === undefined || returned < adds[other]!.returned) fitting.set(value, add)
    }
    for (const [value, times] of openAdds.entries()) {
      const time = times[this.usedAdds[value]!]
      if (time !== undefined && time < until && !fitting.has(value)) fitting.set(value, open)
    }
    return fitting
  }

  /** Whether no other way has led here. */
  isNew({ firstAdd, firstRemove, lastAdd, time }: Frame): boolean {
    const { removes } = this.sorted
    let text = `${firstRemove} ${firstAdd} ${this.usedRemoves} `
    for (let at = firstRemove; at < removes.length && removes[at]!.invoked <= time; at++) text += this.isRemoved[at]
    text += " "
    for (let at = firstAdd; at <= lastAdd; at++) text += this.isAdded[at]
    for (const [value, used] of this.usedAdds.entries()) if (used > 0) text += ` ${value}:${used}`
    if (this.searched.has(text)) return false
    this.searched.add(text)
    this.limit.remember(64 + 2 * text.length)
    return true
  }
}

/** When the first ends of those that are not placed. */
const firstEnd = (sorted: ReadonlyArray<Placed>, isPlaced: Uint8Array, first: number): number => {
  let end = Infinity
  for (let at = first; at < sorted.length && sorted[at]!.invoked < end; at++) {
    if (isPlaced[at] === 0) end = Math.min(end, sorted[at]!.returned)
  }
  return end
}
