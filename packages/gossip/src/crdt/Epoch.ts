/**
 * How a state was pruned: how often, and a fingerprint of what was forgotten. States of different epochs are not merged:
 * one would bring back what the other has put away. With fingerprints of 32 bits, a breach of the rule for pruning goes
 * unseen with probability 2⁻³².
 */
import { Hash, Schema } from "effect"
import { PrunedDifferently } from "../Crdt.ts"

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Epoch = Schema.Struct({ prunings: Natural, fingerprint: Schema.Int })
export type Epoch = typeof Epoch.Type

export const first: Epoch = { prunings: 0, fingerprint: 0 }

export const equals = (a: Epoch, b: Epoch): boolean =>
  a === b || (a.prunings === b.prunings && a.fingerprint === b.fingerprint)

/** The epoch after one in which `forgotten` was. */
export const next = (epoch: Epoch, forgotten: ReadonlyArray<unknown>): Epoch => ({
  prunings: epoch.prunings + 1,
  fingerprint: Hash.string(`${epoch.fingerprint} ${JSON.stringify(forgotten)}`)
})

/** The epoch of two states that are merged: of the one that holds something, where the other is empty. */
export const common = (mine: Epoch, mineEmpty: boolean, other: Epoch, otherEmpty: boolean): Epoch => {
  if (equals(mine, other) || otherEmpty) return mine
  if (mineEmpty) return other
  throw new PrunedDifferently({ mine: mine.prunings, other: other.prunings })
}
