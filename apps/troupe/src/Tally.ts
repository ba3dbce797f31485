/**
 * What a run has shown so far: counts, what each node is at, and how the card's guarantees fare on the states of all
 * nodes after every step.
 */
import type { Card } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import { type Demonstration, type Role, spreads } from "./Demonstration.ts"
import { Aftermath } from "./Aftermath.ts"
import { Detection } from "./Detection.ts"
import type { Sighting } from "./Sighting.ts"
import { Spread } from "./Spread.ts"

export interface Verdict {
  readonly name: string
  readonly kind: Card.Guarantee<any>["kind"]
  readonly holds: boolean
}

export interface Violation {
  readonly name: string
  readonly detail?: string
}

/** What a run came to. */
export interface Outcome {
  readonly properties: ReadonlyArray<Verdict>
  readonly violations: ReadonlyArray<Violation>
}

/** In a larger group that spreads, guarantees are held against the first so many nodes: they speak of pairs of nodes. */
const judgedMost = 64

export class Tally {
  operations = 0
  /** Messages of operations, and those in the background that the card sets apart. */
  messages = 0
  background = 0
  steps = 0
  /** How often a node's state was another than before. */
  changes = 0
  readonly byTag = new Map<string, number>()
  readonly status = new Map<NodeId.NodeId, { readonly role: Role; readonly detail: string }>()
  readonly failures: Array<Violation> = []
  readonly detection = new Detection()
  readonly aftermath: Aftermath
  readonly spread: Spread
  /** Whether what is counted is done once it has come to all. */
  readonly spreads: boolean
  private received = 0
  private done = 0
  private readonly nodes: ReadonlyArray<NodeId.NodeId>
  private readonly isOngoing: boolean
  private readonly guarantees: ReadonlyArray<Card.Guarantee<any>>
  private readonly backgroundTags: ReadonlySet<string>
  /** The states of the nodes that guarantees are held against, in the order of the nodes. */
  readonly snapshot: Array<{ readonly node: NodeId.NodeId; alive: boolean; state: unknown }> = []
  /** Of the nodes that guarantees are held against, the place. */
  readonly judged: ReadonlyMap<NodeId.NodeId, number>
  private readonly entryOf = new Map<NodeId.NodeId, { alive: boolean; state: unknown }>()
  private readonly broken = new Set<Card.Guarantee<any>>()
  /** Guarantees that a later step can still decide. */
  private open: ReadonlyArray<Card.Guarantee<any>>
  private readonly onSighting: (tally: Tally, sighting: Sighting) => void

  /** `checks`: whether the guarantees are held against the states here, and not elsewhere. */
  constructor(
    demonstration: Demonstration,
    nodes: ReadonlyArray<NodeId.NodeId>,
    options: {
      readonly checks?: boolean
      readonly onSighting?: (tally: Tally, sighting: Sighting) => void
    } = {}
  ) {
    const { card, isOngoing } = demonstration
    this.nodes = nodes
    this.spread = new Spread(nodes)
    this.spreads = spreads(demonstration)
    const judged = this.spreads ? nodes.slice(0, judgedMost) : nodes
    this.judged = new Map(judged.map((node, at) => [node, at]))
    this.aftermath = new Aftermath(nodes)
    this.isOngoing = isOngoing
    this.guarantees = card.guarantees
    this.backgroundTags = new Set(card.cost.background)
    this.open = options.checks === false ? [] : card.guarantees.filter(({ kind }) => kind !== "eventually")
    this.onSighting = options.onSighting ?? (() => {})
  }

  readonly see = (sighting: Sighting): void => {
    this.detection.see(sighting)
    this.aftermath.see(sighting)
    this.spread.see(sighting)
    switch (sighting._tag) {
      case "Step":
        this.step(sighting)
        break
      case "Shows":
        this.status.set(sighting.node, sighting)
        break
      case "Killed":
        this.status.set(sighting.node, { role: "dead", detail: "" })
        this.bury(sighting.node)
        this.done++
        break
      case "Finished":
        this.operations++
        break
      case "Got":
        this.operations = this.spread.toAllMillis.length
        this.status.set(sighting.node, { role: "has", detail: sighting.detail })
        break
      case "Done":
        this.done++
    }
    this.onSighting(this, sighting)
  }

  /** Every node is done, and no message is under way, or all has come to all; of what is ongoing some always are. */
  get isOver(): boolean {
    if (this.spreads) return this.isDone && this.spread.isComplete
    return this.isDone && (this.isOngoing || this.missing <= 0)
  }

  /** Messages that were sent, and have not arrived. */
  get missing(): number {
    return this.messages - this.received
  }

  get isDone(): boolean {
    return this.done === this.nodes.length
  }

  /** Grows as long as something happens that is not in the background. */
  get progress(): number {
    if (this.spreads) return this.spread.sent + this.spread.deliveries + this.done
    return this.operations + this.messages + this.received + this.done
  }

  get leader(): NodeId.NodeId | undefined {
    return this.nodes.findLast((node) => this.status.get(node)?.role === "leads")
  }

  /** How the guarantees fared, once the run is at rest. */
  outcome(): Outcome {
    const properties = this.guarantees.map((guarantee) => {
      const { kind, name } = guarantee
      return { name, kind, holds: this.holds(guarantee) }
    })
    const broken = properties.filter(({ holds }) => !holds).map(({ name }) => ({ name }))
    return { properties, violations: [...broken, ...this.failures] }
  }

  private holds(guarantee: Card.Guarantee<any>): boolean {
    switch (guarantee.kind) {
      case "always":
        return !this.broken.has(guarantee)
      case "sometimes":
        return !this.open.includes(guarantee)
      case "eventually":
        return guarantee.holds(this.snapshot)
    }
  }

  private bury(node: NodeId.NodeId): void {
    const entry = this.entryOf.get(node)
    if (entry !== undefined) entry.alive = false
    this.changes++
  }

  private step(sighting: Extract<Sighting, { _tag: "Step" }>): void {
    for (const tag of sighting.sent) {
      this.byTag.set(tag, (this.byTag.get(tag) ?? 0) + 1)
      if (this.backgroundTags.has(tag)) this.background++
      else this.messages++
    }
    const { received } = sighting
    if (received !== undefined && !this.backgroundTags.has(received)) this.received++
    if (sighting.failure !== undefined) {
      this.failures.push({ name: "a handler threw", detail: `${sighting.node}: ${sighting.failure}` })
    }
    this.steps++
    if (!("state" in sighting) || !this.judged.has(sighting.node)) return
    this.changes++
    this.check(sighting.node, sighting.state)
  }

  /** Guarantees speak of states alone: those that did not change need no second look. */
  private check(node: NodeId.NodeId, state: unknown): void {
    const entry = this.entryOf.get(node)
    if (entry === undefined) {
      const added = { node, alive: true, state }
      this.entryOf.set(node, added)
      const place = this.judged.get(node)!
      const later = this.snapshot.findIndex((other) => this.judged.get(other.node)! > place)
      this.snapshot.splice(later === -1 ? this.snapshot.length : later, 0, added)
    } else entry.state = state
    for (const guarantee of this.open) {
      if (guarantee.holds(this.snapshot) === (guarantee.kind === "always")) continue
      this.open = this.open.filter((other) => other !== guarantee)
      if (guarantee.kind === "always") this.broken.add(guarantee)
    }
  }
}
