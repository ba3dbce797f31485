/**
 * Watches the actors that are spawned while it is provided: for traces, simulators and live pictures.
 * Without one, nothing is built and nothing is called.
 */
import type { NodeId } from "@troupe/transport"
import { Context } from "effect"
import type { Action, Input } from "./Protocol.ts"

/** One step of one actor. */
export interface Step {
  readonly node: NodeId.NodeId
  /** The channel of the actor: the protocol's name, or the name that it was spawned under. */
  readonly actor: string
  readonly input: Input
  /** After the step. */
  readonly state: unknown
  readonly actions: ReadonlyArray<Action>
  /** What the handler threw, when it did: then the actor has restarted and `state` is its new first state. */
  readonly failure?: unknown
}

export interface Observer {
  /** An actor has its first state. */
  readonly onSpawn: (actor: { readonly node: NodeId.NodeId; readonly actor: string; readonly state: unknown }) => void
  /** A step is done: its state is stored, its actions are about to be performed. */
  readonly onStep: (step: Step) => void
  /** An actor has stopped, with its scope or for good: no step follows. */
  readonly onStop?: (actor: { readonly node: NodeId.NodeId; readonly actor: string }) => void
}

export const Observer = Context.Reference<Observer | undefined>("@troupe/actor/Observer", {
  defaultValue: () => undefined
})
