/**
 * Matrix clocks: what everybody knows that everybody knows.
 *
 * A node's matrix has a row for each node: the vector clock of what that node is known to know. A message carries its
 * sender's matrix; the receiver takes over what others are known to know, and learns itself what its sender knew. The
 * lowest count in a column is then known to everybody: those events are stable, and what was kept for the sake of a node
 * that might not have heard of them (a log, a tombstone, a deferred update) can go.
 *
 * It costs N² numbers a message, and a node that falls silent holds stability up for all.
 *
 * Sources: G. T. J. Wuu, A. J. Bernstein, "Efficient Solutions to the Replicated Log and Dictionary Problems", PODC 1984;
 * S. K. Sarin, N. A. Lynch, "Discarding Obsolete Information in a Replicated Database System", IEEE TSE 13(1), 1987.
 *
 * @example
 * import { MatrixClock, VectorClock } from "@troupe/clocks"
 *
 * const group = VectorClock.group(["n1", "n2"])
 * const sent = MatrixClock.tick(MatrixClock.zero(group), "n1")
 * const answered = MatrixClock.receive(MatrixClock.zero(group), "n2", sent, "n1")
 * const heard = MatrixClock.receive(sent, "n1", answered, "n2")
 * console.log(VectorClock.toRecord(MatrixClock.stable(sent))) // { n1: 0, n2: 0 }
 * console.log(VectorClock.toRecord(MatrixClock.stable(heard))) // { n1: 1, n2: 1 }
 */
import type { NodeId } from "@troupe/transport"
import { Combiner as EffectCombiner, type Equivalence as EffectEquivalence, Schema, SchemaTransformation } from "effect"
import { checkGroups, type Group, isSameGroup, placeOf, UnknownNode } from "./internal/Group.ts"
import * as VectorClock from "./VectorClock.ts"

export interface MatrixClock {
  readonly group: Group
  /** What each node is known to know, in the order of the group. */
  readonly rows: ReadonlyArray<VectorClock.VectorClock>
}

/** The matrix of a node that knows of no event. */
export const zero = (group: Group): MatrixClock => ({
  group,
  rows: group.nodes.map(() => VectorClock.zero(group))
})

/** What `node` is known to know; of the matrix's owner, its vector clock. Throws `UnknownNode`. */
export const row = (clock: MatrixClock, node: NodeId.NodeId): VectorClock.VectorClock =>
  clock.rows[placeOf(clock.group, node)]!

/** The matrix of `node` after an event of its own, such as sending. Throws `UnknownNode` and `CountOutOfRange`. */
export const tick = (clock: MatrixClock, node: NodeId.NodeId): MatrixClock =>
  withRow(clock, node, VectorClock.tick(row(clock, node), node))

/** What either knows of each node's knowledge. Throws `DifferentGroups`. */
export const merge = (first: MatrixClock, second: MatrixClock): MatrixClock => {
  checkGroups(first.group, second.group)
  return { group: first.group, rows: first.rows.map((mine, place) => VectorClock.merge(mine, second.rows[place]!)) }
}

/**
 * The matrix of `node` after it received a message that `from` sent with the matrix `sent`: it knows what the sender knew and
 * what the sender knew of others, and has had an event of its own. Throws `DifferentGroups` and `UnknownNode`.
 */
export const receive = (
  clock: MatrixClock,
  node: NodeId.NodeId,
  sent: MatrixClock,
  from: NodeId.NodeId
): MatrixClock => {
  const merged = merge(clock, sent)
  return withRow(merged, node, VectorClock.receive(row(merged, node), node, row(sent, from)))
}

/** The events that everybody is known to know: the lowest count of each column. It never goes down. */
export const stable = ({ group, rows }: MatrixClock): VectorClock.VectorClock => {
  const counts = rows[0]!.counts.slice()
  for (const { counts: known } of rows) {
    for (let place = 0; place < counts.length; place++) {
      if (known[place]! < counts[place]!) counts[place] = known[place]!
    }
  }
  return { group, counts }
}

/** Same group, same counts. */
export const Equivalence: EffectEquivalence.Equivalence<MatrixClock> = (first, second) =>
  isSameGroup(first.group, second.group) &&
  first.rows.every((mine, place) => VectorClock.Equivalence(mine, second.rows[place]!))

/** Merging: associative, commutative, idempotent, within a group. */
export const Combiner: EffectCombiner.Combiner<MatrixClock> = EffectCombiner.make(merge)

type Rows = Readonly<Record<NodeId.NodeId, VectorClock.VectorClock>>

/** Matrices of this group as records of their rows: `{ n1: { n1: 2, n2: 1 }, n2: { n1: 0, n2: 1 } }`, every row there. */
export const schema = (
  group: Group
): Schema.Codec<
  MatrixClock,
  Readonly<Record<NodeId.NodeId, Readonly<Record<NodeId.NodeId, number>>>>,
  never,
  never
> => {
  const row = VectorClock.schema(group)
  const isRow = Schema.is(row)
  return Schema.Record(Schema.String, row)
    .check(Schema.makeFilter((rows: Rows) => misfits(group, rows)))
    .pipe(
      Schema.decodeTo(
        Schema.declare((value): value is MatrixClock => isMatrixOf(value, group, isRow), {
          expected: `a matrix clock of ${group.nodes.join(", ")}`
        }),
        SchemaTransformation.transform({
          decode: (rows: Rows): MatrixClock => ({ group, rows: group.nodes.map((node) => rows[node]!) }),
          encode: ({ rows }: MatrixClock): Rows =>
            Object.fromEntries(group.nodes.map((node, place) => [node, rows[place]!]))
        })
      )
    )
}

const misfits = (group: Group, rows: Rows): ReadonlyArray<Schema.FilterIssue> => {
  const unknown = Object.keys(rows).filter((node) => !group.places.has(node))
  const missing = group.nodes.filter((node) => !Object.hasOwn(rows, node))
  return [
    ...unknown.map((node) => ({
      path: [node],
      issue: new UnknownNode({ node, group: group.nodes }).message
    })),
    ...missing.map((node) => ({ path: [node], issue: `the row of "${node}" is missing` }))
  ]
}

const isMatrixOf = (value: unknown, group: Group, isRow: (row: unknown) => boolean): boolean => {
  const rows = (value as MatrixClock | null | undefined)?.rows
  return Array.isArray(rows) && rows.length === group.nodes.length && rows.every(isRow)
}

const withRow = (clock: MatrixClock, node: NodeId.NodeId, changed: VectorClock.VectorClock): MatrixClock => ({
  group: clock.group,
  rows: clock.rows.with(placeOf(clock.group, node), changed)
})
