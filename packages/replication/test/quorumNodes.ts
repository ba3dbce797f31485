/** Nodes of quorum replication, step by step: messages are delivered in the order of sending, those that pass. */
import { Protocol } from "@troupe/actor"
import { type Machine, Quorum } from "@troupe/replication"
import { Effect } from "effect"

interface Sent {
  readonly from: string
  readonly to: string
  readonly message: Quorum.Message
}

export class Nodes {
  readonly states = new Map<string, Quorum.State>()
  readonly answers: Array<unknown> = []
  /** Of which it cannot be found out whether they were executed. */
  lost = 0
  readonly nodes: ReadonlyArray<string>
  /** All that was delivered. */
  readonly delivered: Array<Sent> = []
  /** The time of day, everywhere. */
  now = 0
  passes: (sent: Sent) => boolean = () => true
  private readonly protocol: ReturnType<typeof Quorum.protocol>
  private readonly options: Quorum.Options
  private readonly queue: Array<Sent> = []
  private ids = 0

  constructor(machine: Machine.Any, nodes: ReadonlyArray<string>, options: Quorum.LayerOptions = {}) {
    this.nodes = nodes
    this.protocol = Quorum.protocol(machine)
    this.options = Effect.runSync(Quorum.optionsOf(nodes, options))
    for (const node of nodes) {
      this.states.set(node, this.protocol.init(this.self(node)))
      this.step(node, { _tag: "Start" })
    }
  }

  self(node: string): Protocol.Self<Quorum.Options> {
    return Protocol.self(node, this.nodes, this.options)
  }

  step(node: string, input: Protocol.Input<Quorum.Message, Quorum.Command, any>) {
    const { actions, state } = Protocol.step(this.protocol, this.self(node), this.states.get(node)!, input, {
      now: () => this.now
    })
    this.states.set(node, state)
    for (const action of actions) {
      if (action._tag === "Send") this.queue.push({ from: node, to: action.to, message: action.message })
      else if (action._tag === "Emit" && action.event._tag === "Answered") {
        this.answers.push(...action.event.answers.map(({ response }) => response))
      } else if (action._tag === "Emit" && action.event._tag === "Lost") this.lost += action.event.ids.length
    }
    return actions
  }

  /** Has requests executed by a node, each of one key, and delivers all that comes of it: how many messages that takes. */
  ask(node: string, requests: ReadonlyArray<{ readonly key: string }>): number {
    const before = this.delivered.length
    const { life } = this.states.get(node)!.registers
    const parts = requests.map((request) => ({ id: ++this.ids, key: request.key, request }))
    this.step(node, { _tag: "Command", command: { _tag: "Ask", life, parts } })
    this.settle()
    return this.delivered.length - before
  }

  /** The clock of each ticks once, or of those. */
  tick(nodes = this.nodes): void {
    for (const node of nodes) this.step(node, { _tag: "Timeout", timer: "tick" })
    this.settle()
  }

  settle(): void {
    for (let sent = this.queue.shift(); sent !== undefined; sent = this.queue.shift()) {
      if (!this.passes(sent)) continue
      this.delivered.push(sent)
      this.step(sent.to, { _tag: "Message", from: sent.from, message: sent.message })
    }
  }
}
