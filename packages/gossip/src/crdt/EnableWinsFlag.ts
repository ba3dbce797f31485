/**
 * A flag. Of an `enable` and a `disable` at the same time the `enable` wins: whoever disables puts out what it has seen
 * enabled, and nothing else.
 *
 * Source: Almeida et al., "Delta State Replicated Data Types", JPDC 111, 2018, §7.4.
 *
 * @example
 * import { EnableWinsFlag } from "@troupe/gossip"
 *
 * const { empty, merge } = EnableWinsFlag.crdt
 * const on = merge(empty, EnableWinsFlag.enable(empty, "n1"))
 * const off = merge(on, EnableWinsFlag.disable(on))
 * console.log(EnableWinsFlag.isEnabled(off)) // false
 * console.log(EnableWinsFlag.isEnabled(merge(off, EnableWinsFlag.enable(on, "n2")))) // true
 */
import type { ReplicaId } from "../Crdt.ts"
import * as Causal from "./Causal.ts"
import * as CausalContext from "./CausalContext.ts"
import { type DotSet, dotSet } from "./DotStore.ts"

export type EnableWinsFlag = Causal.Causal<DotSet>

/** Throws `CounterOverflow`. */
export const enable = (flag: EnableWinsFlag, replica: ReplicaId): EnableWinsFlag => {
  const dot = CausalContext.next(flag.context, replica)
  return Causal.delta(flag, [dot], [dot, ...flag.store])
}

export const disable = (flag: EnableWinsFlag): EnableWinsFlag => Causal.delta(flag, [], flag.store)

export const isEnabled = ({ store }: EnableWinsFlag): boolean => store.length > 0

export const crdt: Causal.CausalCrdt<DotSet, boolean> = Causal.crdt("enable-wins-flag", dotSet, isEnabled)
