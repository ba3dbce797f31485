/**
 * What a run must show: checked while it goes, against the states of all nodes.
 */
import type { Card } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"

/** What a property sees of a world. */
export interface World {
  /** Virtual time since the start. */
  readonly nowMillis: number
  readonly isAlive: (node: NodeId.NodeId) => boolean
  /** The state of the actor of this name on every node that has spawned one. */
  readonly snapshot: (actor: string) => Card.Snapshot<any>
}

export interface Property {
  readonly name: string
  /**
   * `always`: at the first state of an actor and after every step. `sometimes`: after one step at least. `eventually`: at the end of the run, when faults
   * are over.
   */
  readonly kind: Card.Guarantee<any>["kind"]
  /** One that throws is broken. */
  readonly holds: (world: World) => boolean
  /** It looks at snapshots and nothing else, so that it need be looked at after the steps of actors only. */
  readonly ofSnapshots?: boolean
}

export const always = (name: string, holds: Property["holds"]): Property => ({ name, kind: "always", holds })

export const sometimes = (name: string, holds: Property["holds"]): Property => ({ name, kind: "sometimes", holds })

export const eventually = (name: string, holds: Property["holds"]): Property => ({ name, kind: "eventually", holds })

/** The guarantees of a card, for the actors that were spawned under `actor`. */
export const fromCard = <State>(card: Card.Card<State>, actor: string): ReadonlyArray<Property> =>
  card.guarantees.map(({ holds, kind, name }) => ({
    name,
    kind,
    holds: (world) => holds(world.snapshot(actor)),
    ofSnapshots: true
  }))

/** How a property fared in a run. */
export interface Verdict {
  readonly name: string
  readonly kind: Property["kind"]
  readonly holds: boolean
  /** When it was first seen broken, in virtual time; for `eventually` and `sometimes`, the end of the run. */
  readonly brokenAtMillis?: number
}
