/**
 * Vector clocks: what happened before what, exactly.
 *
 * A clock has a count for each node of its group: how many of that node's events are known. A node counts its own events;
 * a message carries its sender's clock, and the receiver takes the higher count of each node. So A → B ⇔ V(A) < V(B), and
 * two events whose clocks do not compare are concurrent. The price is N numbers a message.
 *
 * The group is fixed, and numbers its nodes once: a clock is an array of counts, and names are looked up at the edge only.
 * As data a clock is a record, `{ n1: 2, n2: 1 }`; `schema` reads and writes it. Where nodes come and go, take
 * `VersionVector` (replicas that stay known by name) or `IntervalTreeClock` (no names at all).
 *
 * There is no `Order` of vector clocks: causality is partial. `Equivalence` and `Combiner` are lawful.
 *
 * Sources: C. J. Fidge, "Timestamps in Message-Passing Systems That Preserve the Partial Ordering", ACSC 1988;
 * F. Mattern, "Virtual Time and Global States of Distributed Systems", 1989.
 *
 * @example
 * import { VectorClock } from "@troupe/clocks"
 *
 * const group = VectorClock.group(["n1", "n2", "n3"])
 * const sent = VectorClock.tick(VectorClock.zero(group), "n1")
 * const received = VectorClock.receive(VectorClock.zero(group), "n2", sent)
 * const elsewhere = VectorClock.tick(VectorClock.zero(group), "n3")
 * console.log(VectorClock.toRecord(received)) // { n1: 1, n2: 1, n3: 0 }
 * console.log(VectorClock.compare(sent, received), VectorClock.compare(received, elsewhere)) // before concurrent
 */
import type { NodeId } from "@troupe/transport"
import { Combiner as EffectCombiner, type Equivalence as EffectEquivalence, Schema, SchemaTransformation } from "effect"
import { type Causality, causality } from "./internal/Causality.ts"
import { counted, Natural } from "./internal/Counting.ts"
import { checkGroups, type Group, isSameGroup, placeOf, UnknownNode } from "./internal/Group.ts"

export type { Causality } from "./internal/Causality.ts"
export { CountOutOfRange } from "./internal/Counting.ts"
export { DifferentGroups, group, InvalidGroup, UnknownNode, type Group } from "./internal/Group.ts"

export interface VectorClock {
  readonly group: Group
  /** How many events of each node are known, in the order of the group. */
  readonly counts: ReadonlyArray<number>
}

// --------------------------------------------------------------------------------------------------------- constructors

/** The clock of a node that knows of no event. */
export const zero = (group: Group): VectorClock => ({ group, counts: group.nodes.map(() => 0) })

/** A clock of these counts; nodes that are not named have 0. Throws `UnknownNode` and `CountOutOfRange`. */
export const make = (group: Group, counts: Readonly<Record<NodeId.NodeId, number>>): VectorClock => {
  const all = group.nodes.map(() => 0)
  for (const [node, count] of Object.entries(counts)) all[placeOf(group, node)] = counted(count)
  return { group, counts: all }
}

// -------------------------------------------------------------------------------------------------------------- the rules

/** The clock of `node` after an event of its own, such as sending. Throws `UnknownNode` and `CountOutOfRange`. */
export const tick = (clock: VectorClock, node: NodeId.NodeId): VectorClock => {
  const place = placeOf(clock.group, node)
  const counts = clock.counts.slice()
  counts[place] = counted(counts[place]! + 1)
  return { group: clock.group, counts }
}

/** What either knows: the higher count of each node. Throws `DifferentGroups`. */
export const merge = (first: VectorClock, second: VectorClock): VectorClock => {
  checkGroups(first.group, second.group)
  const counts = first.counts.slice()
  const others = second.counts
  for (let place = 0; place < counts.length; place++) {
    const other = others[place]!
    if (other > counts[place]!) counts[place] = other
  }
  return { group: first.group, counts }
}

/** The clock of `node` after it received a message that was sent at `sent`: a merge, and an event of its own. */
export const receive = (clock: VectorClock, node: NodeId.NodeId, sent: VectorClock): VectorClock =>
  tick(merge(clock, sent), node)

// -------------------------------------------------------------------------------------------------------------- comparing

/** How the events of two clocks stand to each other. Throws `DifferentGroups`. */
export const compare = (first: VectorClock, second: VectorClock): Causality => {
  checkGroups(first.group, second.group)
  const mine = first.counts
  const others = second.counts
  let firstHasMore = false
  let secondHasMore = false
  for (let place = 0; place < mine.length; place++) {
    const difference = mine[place]! - others[place]!
    if (difference > 0) {
      if (secondHasMore) return "concurrent"
      firstHasMore = true
    } else if (difference < 0) {
      if (firstHasMore) return "concurrent"
      secondHasMore = true
    }
  }
  return causality(firstHasMore, secondHasMore)
}

/** Whether `first` → `second`. Throws `DifferentGroups`. */
export const happenedBefore = (first: VectorClock, second: VectorClock): boolean => compare(first, second) === "before"

/** Whether all that `second` knows, `first` knows too. Throws `DifferentGroups`. */
export const covers = (first: VectorClock, second: VectorClock): boolean => {
  checkGroups(first.group, second.group)
  const mine = first.counts
  const others = second.counts
  for (let place = 0; place < mine.length; place++) {
    if (others[place]! > mine[place]!) return false
  }
  return true
}

/** Same group, same counts. */
export const Equivalence: EffectEquivalence.Equivalence<VectorClock> = (first, second) =>
  isSameGroup(first.group, second.group) && compare(first, second) === "equal"

/** Merging: associative, commutative, idempotent, within a group. */
export const Combiner: EffectCombiner.Combiner<VectorClock> = EffectCombiner.make(merge)

// ---------------------------------------------------------------------------------------------------------- names and data

/** How many events of `node` are known. Throws `UnknownNode`. */
export const count = (clock: VectorClock, node: NodeId.NodeId): number => clock.counts[placeOf(clock.group, node)]!

/** The counts by name, in the order of the group. */
export const toRecord = (clock: VectorClock): Readonly<Record<NodeId.NodeId, number>> =>
  Object.fromEntries(clock.group.nodes.map((node, place) => [node, clock.counts[place]!]))

/** Clocks of this group as records of counts. A name that the group does not have is refused; one that lacks has 0. */
export const schema = (
  group: Group
): Schema.Codec<VectorClock, Readonly<Record<NodeId.NodeId, number>>, never, never> =>
  Schema.Record(Schema.String, Natural)
    .check(Schema.makeFilter((counts: Readonly<Record<string, number>>) => unknownNodes(group, counts)))
    .pipe(
      Schema.decodeTo(
        Schema.declare((value): value is VectorClock => isClockOf(group, value), {
          expected: `a vector clock of ${group.nodes.join(", ")}`
        }),
        SchemaTransformation.transform({ decode: (counts) => make(group, counts), encode: toRecord })
      )
    )

const unknownNodes = (group: Group, counts: Readonly<Record<string, number>>): ReadonlyArray<Schema.FilterIssue> =>
  Object.keys(counts)
    .filter((node) => !group.places.has(node))
    .map((node) => ({ path: [node], issue: new UnknownNode({ node, group: group.nodes }).message }))

const isClockOf = (group: Group, value: unknown): boolean => {
  const clock = value as VectorClock | null | undefined
  return (
    Array.isArray(clock?.counts) &&
    Array.isArray(clock.group?.nodes) &&
    isSameGroup(clock.group, group) &&
    clock.counts.length === group.nodes.length &&
    clock.counts.every((each) => Number.isSafeInteger(each) && each >= 0)
  )
}
