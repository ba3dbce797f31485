/** What was seen of the death of one node, which held the lock or led: what the others did then. */
import type { NodeId } from "@troupe/transport"
import type { Sighting } from "./Sighting.ts"

/** Whom a node follows. */
export interface Followed {
  readonly id: NodeId.NodeId
  readonly epoch: number
}

export class Aftermath {
  /** The node that was killed; none yet. */
  killed: { readonly node: NodeId.NodeId; readonly atNanos: number; readonly leader: Followed | undefined } | undefined
  /** Entries of the others since then. */
  entries = 0
  firstEntryNanos: number | undefined
  /** Whom all that are up follow, and since when. */
  agreed: { readonly leader: Followed; readonly atNanos: number } | undefined
  /** How long each that waits has waited by its own word, and on whom. */
  readonly delays = new Map<
    NodeId.NodeId,
    { readonly millis: number; readonly waitsFor: ReadonlyArray<NodeId.NodeId> }
  >()
  private readonly entered = new Map<NodeId.NodeId, { readonly times: number; readonly atNanos: number }>()
  private readonly inside = new Set<NodeId.NodeId>()
  private readonly follows = new Map<NodeId.NodeId, Followed>()
  private readonly nodes: ReadonlyArray<NodeId.NodeId>

  constructor(nodes: ReadonlyArray<NodeId.NodeId>) {
    this.nodes = nodes
  }

  readonly see = (sighting: Sighting): void => {
    const { atNanos, node } = sighting
    switch (sighting._tag) {
      case "Killed":
        this.killed = { node, atNanos, leader: this.agreed?.leader }
        this.delays.clear()
        this.agree(atNanos)
        break
      case "Delayed":
        if (this.killed !== undefined) this.delays.set(node, sighting)
        break
      case "Shows":
        if (sighting.role === "holds") this.enter(node, atNanos)
        else this.inside.delete(node)
        if (sighting.leader === undefined) this.follows.delete(node)
        else this.follows.set(node, sighting.leader)
        this.agree(atNanos)
    }
  }

  /** Those that are up. */
  get survivors(): ReadonlyArray<NodeId.NodeId> {
    return this.nodes.filter((node) => node !== this.killed?.node)
  }

  /** Whether this node is inside for the second time, at least. */
  isSettledInside(node: NodeId.NodeId): boolean {
    return this.inside.has(node) && this.entered.get(node)!.times >= 2
  }

  /** Those of the others that have not entered since the death. */
  get starving(): ReadonlyArray<NodeId.NodeId> {
    const { killed } = this
    if (killed === undefined) return []
    return this.survivors.filter((node) => (this.entered.get(node)?.atNanos ?? 0) <= killed.atNanos)
  }

  /** After how many milliseconds. */
  since(nanos: number | undefined): number | undefined {
    return nanos === undefined || this.killed === undefined ? undefined : (nanos - this.killed.atNanos) / 1e6
  }

  private enter(node: NodeId.NodeId, atNanos: number): void {
    this.inside.add(node)
    this.delays.delete(node)
    this.entered.set(node, { times: (this.entered.get(node)?.times ?? 0) + 1, atNanos })
    if (this.killed === undefined) return
    this.entries++
    this.firstEntryNanos ??= atNanos
  }

  private agree(atNanos: number): void {
    const { survivors } = this
    const leader = this.follows.get(survivors[0]!)
    const isShared =
      leader !== undefined &&
      survivors.includes(leader.id) &&
      survivors.every((node) => isSame(this.follows.get(node), leader))
    if (!isShared) this.agreed = undefined
    else if (!isSame(this.agreed?.leader, leader)) this.agreed = { leader, atNanos }
  }
}

const isSame = (one: Followed | undefined, other: Followed): boolean =>
  one?.id === other.id && one.epoch === other.epoch
