/**
 * What came of watching nodes that were killed: who noticed when, and how often a node was wrong.
 */
import type { Status } from "@troupe/failure-detection"
import type { NodeId } from "@troupe/transport"
import type { Sighting } from "./Sighting.ts"

/** How a node's death was noticed. */
export interface Noticed {
  readonly node: NodeId.NodeId
  /** In milliseconds of the run. */
  readonly atMillis: number
  /** After how many milliseconds each of those that noticed did, the first one first. */
  readonly afterMillis: ReadonlyArray<number>
  /** After how many each of those that took it for dead, and not for suspect only, did. */
  readonly deadAfterMillis: ReadonlyArray<number>
}

export class Detection {
  /** How often a node that was up was suspected, and taken for dead, by one that was up. */
  wronglySuspected = 0
  wronglyDead = 0
  private readonly killedAtNanos = new Map<NodeId.NodeId, number>()
  private readonly said: Array<Extract<Sighting, { readonly _tag: "Says" }>> = []
  private startNanos: number | undefined

  readonly see = (sighting: Sighting): void => {
    this.startNanos ??= sighting.atNanos
    if (sighting._tag === "Killed") this.killedAtNanos.set(sighting.node, sighting.atNanos)
    if (sighting._tag === "Says") this.hear(sighting)
  }

  private hear(said: Extract<Sighting, { readonly _tag: "Says" }>): void {
    // Who can't tell of whom it speaks is wrong only where all are up.
    const isRight = said.about === undefined ? this.killedAtNanos.size > 0 : this.killedAtNanos.has(said.about)
    if (isRight) this.said.push(said)
    else if (said.status === "suspected") this.wronglySuspected++
    else if (said.status === "down") this.wronglyDead++
  }

  /** What came of each that was killed. */
  noticed(): ReadonlyArray<Noticed> {
    return [...this.killedAtNanos].map(([node, atNanos]) => ({
      node,
      atMillis: (atNanos - (this.startNanos ?? 0)) / 1e6,
      afterMillis: this.times(node, atNanos, ["suspected", "down"]),
      deadAfterMillis: this.times(node, atNanos, ["down"])
    }))
  }

  /** When each of the others first said one of these of the node. */
  private times(node: NodeId.NodeId, atNanos: number, statuses: ReadonlyArray<Status>): ReadonlyArray<number> {
    const first = new Map<NodeId.NodeId, number>()
    for (const { about, atNanos: saidAt, node: by, status } of this.said) {
      if ((about ?? node) !== node || !statuses.includes(status) || first.has(by) || this.killedAtNanos.has(by))
        continue
      first.set(by, Math.max(0, saidAt - atNanos) / 1e6)
    }
    return [...first.values()].sort((a, b) => a - b)
  }
}

/** Of values in order: the one below which `share` of them are. None where there are none. */
export const quantile = (sorted: ReadonlyArray<number>, share: number): number | undefined =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
