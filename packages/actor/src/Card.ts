/**
 * What an algorithm assumes, promises, costs and where it breaks: a value beside its protocol, checked by tests.
 *
 * A guarantee is a predicate over the states of all nodes, so that one text serves the simulator, the model checker, a
 * run over a network and the reader.
 */
import type { NodeId } from "@troupe/transport"

/** All nodes of a system at one moment. A crashed node is listed as not alive, with the state that it died in. */
export type Snapshot<State> = ReadonlyArray<{
  readonly node: NodeId.NodeId
  readonly alive: boolean
  readonly state: State
}>

export interface Guarantee<in State> {
  /** Lower case, as one would say it: "mutual exclusion". */
  readonly name: string
  /**
   * `always`: holds in every snapshot (safety). `eventually`: holds once faults have stopped and the system is at rest
   * (liveness). `sometimes`: holds in at least one snapshot (the run has done what it is about).
   */
  readonly kind: "always" | "eventually" | "sometimes"
  /** One sentence. */
  readonly description: string
  readonly holds: (snapshot: Snapshot<State>) => boolean
}

/** Something that goes wrong outside the assumptions, or is not promised though one might think so. */
export interface Weakness {
  readonly name: string
  readonly description: string
  /** The fault preset of the simulator under which it shows. */
  readonly faults: Faults
  /** The guarantee that is lost, by its name; none where it never was one. */
  readonly breaks?: string
}

/** The presets of faults that a card speaks about: `chaos` is all of the others at once. */
export type Faults = "none" | "lossy" | "crash" | "partition" | "chaos"

/** A number of messages as a function of the number of nodes. */
export interface Formula {
  /** As in the paper: "2(N−1)". */
  readonly text: string
  readonly of: (nodes: number) => number
}

export interface Card<in State = any> {
  readonly title: string
  /** What it is for and how it works, in one or two sentences. */
  readonly summary: string
  readonly paper: { readonly authors: string; readonly title: string; readonly venue: string; readonly year: number }
  readonly assumes: {
    readonly timing: "asynchronous" | "partially synchronous" | "synchronous"
    readonly failures: "none" | "crash-stop" | "crash-recovery" | "byzantine"
    readonly channels: {
      readonly loss: boolean
      readonly duplication: boolean
      readonly order: "any" | "fifo"
    }
    /** The presets of faults that stay inside these assumptions. */
    readonly tolerates: ReadonlyArray<Faults>
  }
  readonly guarantees: ReadonlyArray<Guarantee<State>>
  readonly weaknesses: ReadonlyArray<Weakness>
  readonly cost: {
    /** What is counted: "entry", "election". */
    readonly operation: string
    /** Messages an operation, when nothing fails: between best and worst. */
    readonly best: Formula
    readonly worst: Formula
    /** Tags of messages that flow whether or not anything happens, and so belong to no operation. */
    readonly background?: ReadonlyArray<string>
    /** Tags of messages that are sent only where several want the same at once: part of the cost, told apart too. */
    readonly contention?: ReadonlyArray<string>
  }
}
