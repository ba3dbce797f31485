/** One actor that can move, as one node knows it. */
import type { NodeId } from "@troupe/transport"
import type { Cell } from "../system/Cell.ts"
import type { Still } from "../system/Moving.ts"
import type { Arrival } from "./images.ts"
import type { Movable } from "./Movable.ts"
import type { Refusal } from "./refusals.ts"
import type { Ways } from "./Ways.ts"
import type { Parcel, Target } from "./words.ts"

/** What comes while it cannot be taken, and cannot be sent on. */
export interface Waiting {
  readonly tells: Array<unknown>
  readonly parcels: Array<Parcel>
}

/** Where an actor is, for who wanted it to move. */
export interface Place {
  readonly node: NodeId.NodeId
  readonly target: Target
}

export type Reply = (moved: Place | Refusal) => void

/** It stands still here, and another node is asked to take it. */
export interface Leaving {
  readonly _tag: "Leaving"
  readonly to: NodeId.NodeId
  readonly epoch: number
  readonly still: Still
  readonly reply: Reply
  /** From here on it may live there: it does not go on here before it is known not to. */
  isCommitted: boolean
  /** What came until then. */
  entries: ReadonlyArray<unknown>
  /** What has come since. */
  readonly parcels: Array<Parcel>
  /** The connection broke, and the other node lives: it has to say what became of it. */
  asks: boolean
  stop: "drain" | "stop" | undefined
}

export type Phase =
  | { readonly _tag: "Live" }
  /** Its handler is under way. */
  | { readonly _tag: "Freezing" }
  | Leaving
  /** It is held here, not alive. */
  | ({
      readonly _tag: "Arriving"
      readonly from: NodeId.NodeId
      readonly epoch: number
      readonly arrival: Arrival
    } & Waiting)
  | { readonly _tag: "Away" }
  /** Where it was is not heard of. */
  | ({ readonly _tag: "Lost" } & Waiting)

export class Resident {
  readonly id: string
  readonly movable: Movable
  /** None before it has come alive here. */
  cell: Cell | undefined
  phase: Phase
  /** How often it has moved, as far as is known: of two that live the greater goes on. */
  epoch: number
  /** Where it is, as far as is known. */
  place: NodeId.NodeId
  /** Other nodes that have an address of it. */
  places = new Set<NodeId.NodeId>()
  /** Of what goes from here to where it is. */
  way = 0
  /** Ways that others were to end by a mark, which may not have come through. */
  marks: Array<{ readonly way: number; readonly via: NodeId.NodeId }> = []
  /** Of others that have sent through here: the ways that their last marks were for. */
  readonly passed = new Map<NodeId.NodeId, number>()
  /** Of one that lives here. */
  ways: Ways | undefined = undefined
  /**
   * Nodes that may hold a copy of it, and go on with that when this node dies: while there are any, it goes to no third one,
   * where it would live besides.
   */
  readonly holders = new Set<NodeId.NodeId>()
  /** What is done when there are none. */
  onFree: (() => void) | undefined = undefined
  /** Who waits for it to move, before it has been offered. */
  reply: Reply | undefined = undefined
  /** What was heard while it was under way. */
  rumour: { readonly epoch: number; readonly place: NodeId.NodeId } | undefined = undefined
  /** Which nodes were told where it is, and of which epoch. */
  readonly told = new Map<NodeId.NodeId, number>()

  constructor(id: string, movable: Movable, cell: Cell | undefined, phase: Phase, epoch: number, place: NodeId.NodeId) {
    this.id = id
    this.movable = movable
    this.cell = cell
    this.phase = phase
    this.epoch = epoch
    this.place = place
  }

  /** It takes messages here, at once or when it goes on. */
  get isHere(): boolean {
    const { phase } = this
    return phase._tag === "Live" || phase._tag === "Freezing" || (phase._tag === "Leaving" && !phase.isCommitted)
  }

  isOlder(epoch: number, place: NodeId.NodeId): boolean {
    return epoch > this.epoch || (epoch === this.epoch && place > this.place)
  }
}
