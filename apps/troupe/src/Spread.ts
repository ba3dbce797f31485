/** How what nodes send comes to the others: of a multicast, of gossip, of replicas. */
import type { NodeId } from "@troupe/transport"
import { quantile } from "./Detection.ts"
import type { Sighting } from "./Sighting.ts"

interface Item {
  readonly sentNanos: number
  /** How many have it, of those that are up. */
  got: number
  gotNanos: number
}

export class Spread {
  /** Of each item that all have, how long that took, in milliseconds. */
  readonly toAllMillis: Array<number> = []
  /** Of each item at each node. */
  deliveries = 0
  /** When each of the items was had by one more node, since the first was sent, in milliseconds. */
  readonly timesMillis: Array<number> = []
  private readonly items = new Map<string, Item>()
  private readonly nodes: number
  private firstNanos: number | undefined

  constructor(nodes: ReadonlyArray<NodeId.NodeId>) {
    this.nodes = nodes.length
  }

  readonly see = (sighting: Sighting): void => {
    if (sighting._tag === "Sent") {
      this.firstNanos ??= sighting.atNanos
      this.itemOf(sighting.item, sighting.atNanos)
    }
    if (sighting._tag !== "Got") return
    this.firstNanos ??= sighting.atNanos
    const item = this.itemOf(sighting.item, sighting.atNanos)
    this.deliveries++
    item.got++
    item.gotNanos = Math.max(item.gotNanos, sighting.atNanos)
    this.timesMillis.push((sighting.atNanos - this.firstNanos) / 1e6)
    if (item.got === this.nodes) this.toAllMillis.push((item.gotNanos - item.sentNanos) / 1e6)
  }

  get sent(): number {
    return this.items.size
  }

  get isComplete(): boolean {
    return this.toAllMillis.length === this.items.size
  }

  /** The time in which so many of a hundred items came to all. */
  quantileMillis(share: number): number | undefined {
    return quantile(
      this.toAllMillis.toSorted((a, b) => a - b),
      share
    )
  }

  /** Of processes, the word of a receipt may come before that of the sending. */
  private itemOf(name: string, atNanos: number): Item {
    let item = this.items.get(name)
    if (item === undefined) this.items.set(name, (item = { sentNanos: atNanos, got: 0, gotNanos: atNanos }))
    return item
  }
}
