/**
 * A counter that goes up and down: one G-counter for the way up, one for the way down.
 *
 * Source: Shapiro et al., "Conflict-free Replicated Data Types", SSS 2011.
 *
 * @example
 * import { PNCounter } from "@troupe/gossip"
 *
 * const { empty, merge } = PNCounter.crdt
 * const balance = merge(PNCounter.increment(empty, "n1", 5), PNCounter.decrement(empty, "n2", 7))
 * console.log(PNCounter.value(balance)) // -2
 */
import { Schema } from "effect"
import type { Contributed, ReplicaId } from "../Crdt.ts"
import * as GCounter from "./GCounter.ts"

export interface PNCounter {
  readonly up: GCounter.GCounter
  readonly down: GCounter.GCounter
}

export const empty: PNCounter = { up: GCounter.empty, down: GCounter.empty }

/** What changes nothing, in the epoch of the counter. */
const still = (counter: GCounter.GCounter): GCounter.GCounter => ({ ...counter, counts: GCounter.empty.counts })

/** The delta of `replica` counting up. Throws `CounterOverflow` or `InvalidAmount`. */
export const increment = ({ down, up }: PNCounter, replica: ReplicaId, by = 1): PNCounter => ({
  up: GCounter.increment(up, replica, by),
  down: still(down)
})

/** The delta of `replica` counting down. Throws `CounterOverflow` or `InvalidAmount`. */
export const decrement = ({ down, up }: PNCounter, replica: ReplicaId, by = 1): PNCounter => ({
  up: still(up),
  down: GCounter.increment(down, replica, by)
})

/** Throws `CounterOverflow` where either way passes 2^53. */
export const value = ({ down, up }: PNCounter): number => GCounter.value(up) - GCounter.value(down)

/** The least counter that includes both. Throws `PrunedDifferently`. */
export const merge = (counter: PNCounter, other: PNCounter): PNCounter => {
  const up = GCounter.merge(counter.up, other.up)
  const down = GCounter.merge(counter.down, other.down)
  return up === counter.up && down === counter.down ? counter : { up, down }
}

export const equals = (first: PNCounter, second: PNCounter): boolean =>
  GCounter.equals(first.up, second.up) && GCounter.equals(first.down, second.down)

export const schema = Schema.Struct({ up: GCounter.schema, down: GCounter.schema })

export const crdt: Contributed<PNCounter, number> = {
  contributed: true,
  name: "pn-counter",
  empty,
  schema,
  value,
  merge,
  equals,
  known: ({ down, up }, replica) => GCounter.crdt.known(up, replica) + GCounter.crdt.known(down, replica),
  prune: ({ down, up }, departed) => ({ up: GCounter.prune(up, departed), down: GCounter.prune(down, departed) }),
  halves: ({ down, up }) =>
    up.counts.size > 0 && down.counts.size > 0
      ? [
          { up, down: still(down) },
          { up: still(up), down }
        ]
      : up.counts.size > 0
        ? (GCounter.crdt.halves(up)?.map((half) => ({ up: half, down })) as never)
        : (GCounter.crdt.halves(down)?.map((half) => ({ up, down: half })) as never)
}
