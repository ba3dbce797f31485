/**
 * A register that keeps what was written at the same time: several values, until somebody who has seen them writes one.
 *
 * Source: Shapiro et al., "Conflict-free Replicated Data Types", SSS 2011; in the form of Almeida et al., JPDC 111, 2018,
 * §7.4.
 *
 * @example
 * import { MvRegister } from "@troupe/gossip"
 * import { Schema } from "effect"
 *
 * const room = MvRegister.crdt(Schema.String)
 * const both = room.merge(MvRegister.set(room.empty, "n1", "A"), MvRegister.set(room.empty, "n2", "B"))
 * console.log(MvRegister.values(both)) // [ 'A', 'B' ]
 * console.log(MvRegister.values(room.merge(both, MvRegister.set(both, "n2", "C")))) // [ 'C' ]
 */
import type { Schema } from "effect"
import type { ReplicaId } from "../Crdt.ts"
import * as Causal from "./Causal.ts"
import * as CausalContext from "./CausalContext.ts"
import { type DotFun, dotFun } from "./DotStore.ts"

export type MvRegister<A> = Causal.Causal<DotFun<A>>

/** The delta of a write, which stands in place of all values that the register has. Throws `CounterOverflow`. */
export const set = <A>(register: MvRegister<A>, replica: ReplicaId, value: A): MvRegister<A> => {
  const dot = CausalContext.next(register.context, replica)
  return Causal.delta(register, [{ ...dot, value }], [dot, ...register.store])
}

/** The delta of taking out all values that the register has. */
export const clear = <A>(register: MvRegister<A>): MvRegister<A> => Causal.delta(register, [], register.store)

/** In the order of their replicas' names: none where it was never set, several where some are concurrent. */
export const values = <A>({ store }: MvRegister<A>): ReadonlyArray<A> => store.map(({ value }) => value)

export const crdt = <A>(schema: Schema.Codec<A, any>): Causal.CausalCrdt<DotFun<A>, ReadonlyArray<A>> =>
  Causal.crdt("mv-register", dotFun(schema), values)
