/** Nodes of the gossip architecture, taken through their inputs by hand. */
import { Protocol } from "@troupe/actor"
import { GossipArchitecture } from "@troupe/gossip"
import { Schema } from "effect"

/** Letters in the order in which they were executed. */
export const letters: GossipArchitecture.Application<string, string, void, string> = {
  name: "letters",
  empty: "",
  values: Schema.String,
  updates: Schema.String,
  queries: Schema.Void,
  answers: Schema.String,
  apply: (text, letter) => text + letter,
  query: (text) => text,
  equals: (a, b) => [...a].sort().join("") === [...b].sort().join("")
}

export const protocol = GossipArchitecture.protocolOf(letters)

export const replicas = ["r1", "r2", "r3"]
const clients = ["c1", "c2"]

export interface Sent {
  readonly to: string
  readonly message: any
}

export interface Node {
  readonly id: string
  readonly state: () => GossipArchitecture.State
  readonly replica: () => GossipArchitecture.Replica
  /** Each returns what is sent; events and the rest are in `told`. */
  readonly tell: (command: GossipArchitecture.Command) => ReadonlyArray<Sent>
  readonly hear: (from: string, message: any) => ReadonlyArray<Sent>
  readonly timeout: (timer: GossipArchitecture.Timer) => ReadonlyArray<Sent>
  readonly told: () => ReadonlyArray<GossipArchitecture.Event>
  readonly persisted: ReadonlyArray<GossipArchitecture.Persisted>
}

export interface World {
  readonly options: GossipArchitecture.Options
  readonly node: (id: string) => Node
  /** The time that all nodes read, in milliseconds. */
  time: number
  /** Delivers messages, and those that answer them, until none is left, or those of a tag are to be held back. */
  readonly deliver: (from: string, sent: ReadonlyArray<Sent>, hold?: (sent: Sent) => boolean) => ReadonlyArray<Sent>
}

export const world = (given: Partial<GossipArchitecture.Options> = {}): World => {
  const options = { ...GossipArchitecture.defaults, replicas, updatesPerGossip: 1_000, ...given }
  const all = [...clients, ...options.replicas, ...options.readers]
  const nodes = new Map<string, Node>()
  const self: World = {
    options,
    time: 1_000_000,
    node: (id) => {
      let node = nodes.get(id)
      if (node === undefined) nodes.set(id, (node = make(id)))
      return node
    },
    deliver: (from, sent, hold = () => false) => {
      const held: Array<Sent> = []
      const queue = sent.map((each) => ({ from, ...each }))
      for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
        if (hold(each)) held.push(each)
        else {
          const { from: by, message, to } = each
          for (const next of self.node(to).hear(by, message)) queue.push({ from: to, ...next })
        }
      }
      return held
    }
  }

  const make = (id: string): Node => {
    const me = Protocol.self(id, all, options)
    let state = protocol.init(me)
    let told: ReadonlyArray<GossipArchitecture.Event> = []
    const persisted: Array<GossipArchitecture.Persisted> = []
    const step = (input: Protocol.Input<any, any, any>): ReadonlyArray<Sent> => {
      const now = (): number => self.time
      const next = Protocol.step(protocol, me, state, input, { now, monotonic: now, random: () => 0.25 })
      state = next.state
      told = next.actions.flatMap((action) => (action._tag === "Emit" ? [action.event] : []))
      for (const action of next.actions) if (action._tag === "Persist") persisted.push(action.record)
      return next.actions.flatMap((action) =>
        action._tag === "Send" ? [{ to: action.to, message: action.message }] : []
      )
    }
    step({ _tag: "Start" })
    return {
      id,
      state: () => state,
      replica: () => state.replica!,
      tell: (command) => step({ _tag: "Command", command }),
      hear: (from, message) => step({ _tag: "Message", from, message }),
      timeout: (timer) => step({ _tag: "Timeout", timer }),
      told: () => told,
      persisted
    }
  }
  return self
}

export const life = Math.floor(0.25 * 2 ** 48)

/** What a front end asks. */
export const update = (
  node: string,
  sequence: number,
  letter: string,
  prev: ReadonlyArray<number>,
  given: { readonly time?: number; readonly order?: GossipArchitecture.Order; readonly answered?: number } = {}
) => ({
  _tag: "Update",
  request: {
    node,
    life,
    sequence,
    answered: given.answered ?? sequence - 1,
    time: given.time ?? 1_000_000,
    prev,
    update: letter,
    order: given.order ?? "causal"
  }
})

export const query = (sequence: number, prev: ReadonlyArray<number>) => ({ _tag: "Query", life, sequence, prev })
