/**
 * A counter that no replica takes below its bound, without asking anybody: stock, seats, a budget.
 *
 * What there is above the bound is shared out as *rights*. Who counts up has the right to count down as much; rights can be
 * handed to another replica; and nobody counts down by more than the rights that are its own as far as it knows. Since a
 * replica alone spends its rights, and hears of those handed to it only after they were taken from the giver, no two spend
 * the same. A replica that is out of rights is refused though others have some: it must be handed them.
 *
 * Rights of a replica that departs are lost, unless it hands them over before. A replica that loses its state must
 * take a new name: under its old one it would spend its rights again.
 *
 * The states count from the bound: `value` is 0 there. A bound other than 0 is an option of `crdt`.
 *
 * Source: V. Balegas, D. Serra, S. Duarte, C. Ferreira, M. Shapiro, R. Rodrigues, N. Preguiça, "Extending Eventually
 * Consistent Cloud Databases for Enforcing Numeric Invariants", SRDS 2015.
 *
 * @example
 * import { BoundedCounter } from "@troupe/gossip"
 * import { Result } from "effect"
 *
 * const { merge } = BoundedCounter.crdt()
 * const stock = BoundedCounter.increment(BoundedCounter.empty, "n1", 10)
 * console.log(Result.isFailure(BoundedCounter.decrement(stock, "n2", 1))) // true
 * const shared = merge(stock, Result.getOrThrow(BoundedCounter.transfer(stock, "n1", "n2", 4)))
 * console.log(BoundedCounter.rights(shared, "n1"), BoundedCounter.rights(shared, "n2")) // 6 4
 * const sold = merge(shared, Result.getOrThrow(BoundedCounter.decrement(shared, "n2", 3)))
 * console.log(BoundedCounter.value(sold)) // 7
 */
import { Result, Schema, SchemaTransformation } from "effect"
import { type Crdt, ReplicaId } from "../Crdt.ts"
import * as Counts from "./Counts.ts"
import * as Epoch from "./Epoch.ts"

export interface BoundedCounter {
  readonly epoch: Epoch.Epoch
  /** What the departed have added, less what they have spent. */
  readonly settled: number
  /** What the departed have handed to each. */
  readonly inherited: Counts.Counts
  /** What each has counted up. */
  readonly created: Counts.Counts
  /** What each has counted down. */
  readonly spent: Counts.Counts
  /** What each has handed to others. */
  readonly handed: ReadonlyMap<ReplicaId, Counts.Counts>
}

export const empty: BoundedCounter = {
  epoch: Epoch.first,
  settled: 0,
  inherited: Counts.empty,
  created: Counts.empty,
  spent: Counts.empty,
  handed: new Map()
}

/** A replica would spend or hand on more rights than it has. */
export class InsufficientRights extends Schema.TaggedError<InsufficientRights>()("InsufficientRights", {
  replica: Schema.String,
  rights: Schema.Number,
  asked: Schema.Number
}) {
  override get message(): string {
    return (
      `Replica "${this.replica}" has the right to take ${this.rights}, and not ${this.asked}: ` +
      "let others hand it theirs (BoundedCounter.transfer)"
    )
  }
}

const name = "a bounded counter"

const still = (counter: BoundedCounter): BoundedCounter => ({
  ...counter,
  created: Counts.empty,
  spent: Counts.empty,
  handed: empty.handed
})

/** By how much `replica` may count down, as far as this state knows: never more than is right. */
export const rights = ({ created, handed, inherited, spent }: BoundedCounter, replica: ReplicaId): number => {
  let all = (created.get(replica) ?? 0) - (spent.get(replica) ?? 0) + (inherited.get(replica) ?? 0)
  for (const [from, counts] of handed) {
    if (from !== replica) all += counts.get(replica) ?? 0
    else for (const count of counts.values()) all -= count
  }
  return all
}

/** The delta of `replica` counting up, which gives it as many rights. Throws `CounterOverflow` or `InvalidAmount`. */
export const increment = (counter: BoundedCounter, replica: ReplicaId, by = 1): BoundedCounter => {
  Counts.checkAmount(by)
  const count = Counts.added(counter.created.get(replica) ?? 0, by, name)
  return { ...still(counter), created: new Map([[replica, count]]) }
}

/** The delta of `replica` counting down by rights of its own. Throws `InvalidAmount`. */
export const decrement = (
  counter: BoundedCounter,
  replica: ReplicaId,
  by = 1
): Result.Result<BoundedCounter, InsufficientRights> =>
  spending(counter, replica, by, () => ({
    ...still(counter),
    // With them goes what gave the right to: whoever hears of the one has heard of the other.
    ...behind(counter, replica),
    spent: new Map([[replica, (counter.spent.get(replica) ?? 0) + by]])
  }))

/** The delta of `replica` handing rights to another. Throws `InvalidAmount`. */
export const transfer = (
  counter: BoundedCounter,
  replica: ReplicaId,
  to: ReplicaId,
  amount: number
): Result.Result<BoundedCounter, InsufficientRights> =>
  spending(counter, replica, amount, () => {
    if (to === replica) return still(counter)
    const before = counter.handed.get(replica)?.get(to) ?? 0
    const { created, handed } = behind(counter, replica)
    const own = new Map(handed.get(replica)).set(to, Counts.added(before, amount, name))
    return { ...still(counter), created, handed: new Map(handed).set(replica, own) }
  })

/** What the rights of a replica come from: its own counts up, and what it was handed, with what its givers have it from. */
const behind = (counter: BoundedCounter, replica: ReplicaId): Pick<BoundedCounter, "created" | "handed"> => {
  const created = new Map<ReplicaId, number>()
  const handed = new Map<ReplicaId, Counts.Counts>()
  const visited = new Set<ReplicaId>()
  const visit = (each: ReplicaId): void => {
    if (visited.has(each)) return
    visited.add(each)
    const count = counter.created.get(each)
    if (count !== undefined) created.set(each, count)
    for (const [giver, counts] of counter.handed) {
      if (!counts.has(each)) continue
      handed.set(giver, counts)
      visit(giver)
    }
  }
  visit(replica)
  return { created, handed }
}

const spending = (
  counter: BoundedCounter,
  replica: ReplicaId,
  amount: number,
  delta: () => BoundedCounter
): Result.Result<BoundedCounter, InsufficientRights> => {
  Counts.checkAmount(amount)
  const own = rights(counter, replica)
  return amount > own
    ? Result.fail(new InsufficientRights({ replica, rights: own, asked: amount }))
    : Result.succeed(delta())
}

/** How far it is above its bound. Throws `CounterOverflow`. */
export const value = ({ created, settled, spent }: BoundedCounter): number =>
  Counts.added(settled, Counts.sum(created.values(), name) - Counts.sum(spent.values(), name), name)

const isEmpty = ({ created, epoch, handed, spent }: BoundedCounter): boolean =>
  epoch.prunings === 0 && created.size === 0 && spent.size === 0 && handed.size === 0

/** The least counter that includes both. Throws `PrunedDifferently`. */
export const merge = (counter: BoundedCounter, other: BoundedCounter): BoundedCounter => {
  if (isEmpty(other)) return counter
  if (isEmpty(counter)) return other
  const { inherited, settled } = counter
  const epoch = Epoch.common(counter.epoch, false, other.epoch, false)
  const created = Counts.merge(counter.created, other.created)
  const spent = Counts.merge(counter.spent, other.spent)
  const handed = mergeHanded(counter.handed, other.handed)
  return created === counter.created && spent === counter.spent && handed === counter.handed
    ? counter
    : { epoch, settled, inherited, created, spent, handed }
}

const mergeHanded = (first: BoundedCounter["handed"], second: BoundedCounter["handed"]): BoundedCounter["handed"] => {
  let merged: Map<ReplicaId, Counts.Counts> | undefined
  for (const [replica, counts] of second) {
    const mine = first.get(replica)
    const both = mine === undefined ? counts : Counts.merge(mine, counts)
    if (both !== mine) (merged ??= new Map(first)).set(replica, both)
  }
  return merged ?? first
}

export const equals = (first: BoundedCounter, second: BoundedCounter): boolean =>
  Epoch.equals(first.epoch, second.epoch) &&
  first.settled === second.settled &&
  Counts.equals(first.inherited, second.inherited) &&
  Counts.equals(first.created, second.created) &&
  Counts.equals(first.spent, second.spent) &&
  first.handed.size === second.handed.size &&
  [...first.handed].every(([replica, counts]) => Counts.equals(counts, second.handed.get(replica) ?? Counts.empty))

/** See `Crdt.prune`. What was handed to the departed stays with them, and their names with it. */
export const prune = (counter: BoundedCounter, departed: ReadonlyArray<ReplicaId>): BoundedCounter => {
  const created = Counts.take(counter.created, departed)
  const spent = Counts.take(counter.spent, departed)
  const gone = [...counter.handed].filter(([replica]) => departed.includes(replica)).sort()
  if (created.gone.length + spent.gone.length + gone.length === 0) return counter
  const inherited = new Map(counter.inherited)
  for (const [, counts] of gone) {
    for (const [to, count] of counts) inherited.set(to, (inherited.get(to) ?? 0) + count)
  }
  const total = (counts: ReadonlyArray<readonly [string, number]>): number =>
    counts.reduce((sum, [, count]) => sum + count, 0)
  return {
    epoch: Epoch.next(counter.epoch, [created.gone, spent.gone, gone.map(([from, to]) => [from, [...to].sort()])]),
    settled: counter.settled + total(created.gone) - total(spent.gone),
    inherited,
    created: created.left,
    spent: spent.left,
    handed: new Map([...counter.handed].filter(([replica]) => !departed.includes(replica)))
  }
}

/** As it travels. */
const Wire = Schema.Struct({
  epoch: Epoch.Epoch,
  settled: Schema.Int,
  inherited: Counts.Wire,
  created: Counts.Wire,
  spent: Counts.Wire,
  handed: Schema.Array(Schema.Tuple([ReplicaId, Counts.Wire]))
})

const isCounter = (it: unknown): it is BoundedCounter =>
  typeof it === "object" && it !== null && "handed" in it && it.handed instanceof Map

export const schema: Schema.Codec<BoundedCounter, typeof Wire.Encoded> = Wire.pipe(
  Schema.decodeTo(
    Schema.declare(isCounter),
    SchemaTransformation.transform({
      decode: (wire) => ({
        ...wire,
        inherited: Counts.fromWire(wire.inherited),
        created: Counts.fromWire(wire.created),
        spent: Counts.fromWire(wire.spent),
        handed: new Map(
          wire.handed.map(([replica, counts]) => [replica, Counts.fromWire(counts)])
        ) as BoundedCounter["handed"]
      }),
      encode: (counter) => ({
        ...counter,
        inherited: Counts.toWire(counter.inherited),
        created: Counts.toWire(counter.created),
        spent: Counts.toWire(counter.spent),
        handed: [...counter.handed].map(([replica, counts]) => [replica, Counts.toWire(counts)] as const)
      })
    })
  )
)

export const crdt = ({ minimum = 0 }: { readonly minimum?: number } = {}): Crdt<BoundedCounter, number> => ({
  name: "bounded-counter",
  empty,
  schema,
  value: (counter) => minimum + value(counter),
  merge,
  equals,
  known: ({ created, handed, spent }, replica) =>
    (created.get(replica) ?? 0) +
    (spent.get(replica) ?? 0) +
    Counts.sum((handed.get(replica) ?? Counts.empty).values(), name),
  prune,
  // What a change stands on goes with it.
  halves: () => undefined
})
