/**
 * Raymond: a token on a tree. Each node knows its neighbours, and in which of their directions the token is.
 *
 * A node that wants the token puts itself in its queue and asks the neighbour in that direction, once, however many wait
 * behind it; that one does alike, and so the request comes to the holder. The token goes back the way the request came,
 * and turns round the directions that it passes. An entry costs twice the distance to the holder: O(log N) on a tree that
 * branches, and about four messages where many ask, since a request then rarely has far to go.
 *
 * The token carries the number of entries, which is the fencing token.
 *
 * Source: K. Raymond, "A Tree-Based Algorithm for Distributed Mutual Exclusion", ACM TOCS 7(1), 1989.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import { acquisition, type Reading } from "./internal/acquisition.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { binary, binaryDiameter, problemOf, star, type Tree } from "./internal/trees.ts"
import { inGroup } from "./internal/locking.ts"
import { type FencingToken, InvalidOptions, Mutex } from "./Mutex.ts"

export type { Tree } from "./internal/trees.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export const Message = Schema.Union([
  /** "I, or somebody behind me, want the token." */
  Schema.TaggedStruct("Request", {}),
  /** "Here it is." `entries`: how many there have been. */
  Schema.TaggedStruct("Privilege", { entries: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) })
])
export type Message = typeof Message.Type

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request. Ignored otherwise. */
  | { readonly _tag: "Release" }

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

export interface State {
  readonly phase: "idle" | "waiting" | "inside"
  /** The neighbour in whose direction the token is; this node, while it has it. */
  readonly holder: NodeId.NodeId
  /** Neighbours that have asked, and this node while it waits, in the order of asking; each once. */
  readonly queue: ReadonlyArray<NodeId.NodeId>
  /** Whether it has asked `holder`, and not had the token since. Not while it has it. */
  readonly asked: boolean
  /** Of the token, while it has it. */
  readonly entries: number
}

export interface Options {
  /** `binary`: as low as two children a node allow. `star`: the first node in the middle. Or the parent of each node. */
  readonly tree: "binary" | "star" | Tree
}

type Act = Protocol.Actions<Message, Event, never, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Raymond",
  summary: "A token on a tree: each node knows in which direction it is, and passes requests and the token along.",
  paper: {
    authors: "Kerry Raymond",
    title: "A Tree-Based Algorithm for Distributed Mutual Exclusion",
    venue: "ACM TOCS 7(1)",
    year: 1989
  },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: false, order: "any" },
    tolerates: ["none"]
  },
  guarantees: [
    mutualExclusion,
    {
      name: "one token",
      kind: "always",
      description: "At most one node has the token.",
      holds: (nodes) => nodes.filter(({ alive, node, state }) => alive && state.holder === node).length <= 1
    },
    noStarvation,
    aNodeEnters
  ],
  weaknesses: [
    {
      name: "a crash cuts the tree",
      description:
        "A holder takes the token along; any other node is missing between those that it joins, and a leaf is missed by nobody.",
      faults: "crash",
      breaks: "no starvation"
    },
    {
      name: "one lost message starves",
      description: "A request that is lost is not sent again, and a token that is lost is not made anew.",
      faults: "lossy",
      breaks: "no starvation"
    },
    {
      name: "a split starves",
      description: "What is sent while the network is split is lost.",
      faults: "partition",
      breaks: "no starvation"
    },
    {
      name: "a root that forgets",
      description: "A root that comes back with an empty memory takes itself for the holder: there are two tokens.",
      faults: "crash",
      breaks: "one token"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "0", of: () => 0 },
    worst: { text: "2D, D ≤ 2⌊log₂N⌋ across the tree", of: (nodes) => 2 * binaryDiameter(nodes) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "mutex/raymond",
  card,
  message: Message,

  // At first the root has the token, and each node's parent is in its direction.
  init: (self) => ({
    phase: "idle",
    holder: treeOf(self.options, self.nodes)[self.id] ?? self.id,
    queue: [],
    asked: false,
    entries: 0
  }),

  onCommand: (state, command, act) => {
    const { id } = act.self
    switch (command._tag) {
      case "Acquire":
        if (state.phase !== "idle") return state
        return proceed({ ...state, phase: "waiting", queue: [...state.queue, id] }, act)
      case "Release":
        if (state.phase === "idle") return state
        // A token that was asked for comes all the same, and stays until somebody asks.
        return proceed({ ...state, phase: "idle", queue: state.queue.filter((node) => node !== id) }, act)
    }
  },

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Request":
        return proceed({ ...state, queue: [...state.queue, from] }, act)
      case "Privilege":
        return proceed({ ...state, holder: act.self.id, asked: false, entries: message.entries }, act)
    }
  }
}

/** After any event: a holder serves the first of its queue, and who is none asks for the token if anybody waits. */
const proceed = (state: State, act: Act): State => ask(assign(state, act), act)

const assign = (state: State, act: Act): State => {
  const [first, ...queue] = state.queue
  if (first === undefined || state.holder !== act.self.id || state.phase === "inside") return state
  if (first === act.self.id) return enter({ ...state, queue }, act)
  act.send(first, { _tag: "Privilege", entries: state.entries })
  return { ...state, holder: first, queue, entries: 0 }
}

const enter = (state: State, act: Act): State => {
  const entries = state.entries + 1
  if (!Number.isSafeInteger(entries)) throw new RangeError("fencing tokens are used up: 2^53 of them")
  act.emit({ _tag: "Acquired", token: entries })
  return { ...state, phase: "inside", entries }
}

const ask = (state: State, act: Act): State => {
  if (state.holder === act.self.id || state.queue.length === 0 || state.asked) return state
  act.send(state.holder, { _tag: "Request" })
  return { ...state, asked: true }
}

// ------------------------------------------------------------------------------------------------------------ the layer

const treeOf = ({ tree }: Options, nodes: ReadonlyArray<NodeId.NodeId>): Tree =>
  tree === "binary" ? binary(nodes) : tree === "star" ? star(nodes) : tree

export const defaults: Options = { tree: "binary" }

const reading: Reading<State> = {
  holder: ({ phase }, self) => (phase === "inside" ? self : undefined),
  queue: ({ phase, queue }) => queue.length - (phase === "waiting" ? 1 : 0),
  // The neighbour in whose direction the token is: farther than that it does not see.
  waitsFor: ({ holder, phase }) => (phase === "waiting" ? [holder] : [])
}

/**
 * A `Mutex` by Raymond's algorithm among the nodes of the transport. `resource` names the lock: nodes that use the same
 * name exclude each other, and every node must build the layer with the same tree. Fails with `InvalidOptions` where that
 * is no tree of these nodes, and on a node outside its group.
 */
export const layer = (
  options: { readonly resource: string } & Partial<Options>
): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      yield* inGroup
      const settings: Options = { tree: options.tree ?? defaults.tree }
      const problem = problemOfOptions(settings, (yield* Transport).nodes)
      if (problem !== undefined) return yield* new InvalidOptions({ reason: problem })
      const { mutex, onRestart } = yield* acquisition(reading)
      const name = `${protocol.name}/${options.resource}`
      return yield* mutex(yield* Actor.spawn(protocol, { name, options: settings, onRestart }))
    })
  )

const problemOfOptions = ({ tree }: Options, nodes: ReadonlyArray<NodeId.NodeId>): string | undefined => {
  if (typeof tree !== "string") return problemOf(tree, nodes)
  return tree === "binary" || tree === "star"
    ? undefined
    : `there is no tree "${String(tree)}". Take "binary", "star", or give the parent of each node`
}
