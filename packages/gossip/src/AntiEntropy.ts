/**
 * Anti-entropy between the replicas of a keyed store: what differs, for whatever reason, is found and repaired, with
 * traffic in proportion to the difference and not to the store.
 *
 * In each round a node compares its store with that of one other, chosen at random. It sends the root of its Merkle
 * tree, and an estimate of its set of entries in a few hundred bytes. Where the roots agree, that is all. If little
 * differs, the other sends so many cells of its sketch that the difference can be decoded from them: some 30 bytes for
 * each entry that only one of the two has. When they don't suffice, a few more are asked for. If much differs, or the
 * sketch will not decode, the two walk down their trees, where hashes differ. Either way a node then knows fingerprints
 * that only one of the two has: it hands over its own, and asks for the others.
 *
 * The store merges what it is handed, by its own rule; where that is a join, all replicas become the same once writes
 * cease. Nothing else is taken from a peer but entries: one that lies about its tree or its sketch costs bounded work,
 * and at worst what it hands over is merged, as any write would be.
 *
 * No message relies on one before it but cells, which are asked for again when they are lost. Each round has a budget
 * of messages; what is over it waits. A store tells each change by `changed`, for O(depth) work; nothing scans it but a
 * start.
 *
 * Sources: A. Demers, D. Greene, C. Hauser, W. Irish, J. Larson, S. Shenker, H. Sturgis, D. Swinehart, D. Terry,
 * "Epidemic Algorithms for Replicated Database Maintenance", PODC 1987, §1.3; L. Yang, Y. Gilad, M. Alizadeh,
 * "Practical Rateless Set Reconciliation", SIGCOMM 2024; G. DeCandia et al., "Dynamo: Amazon's Highly Available
 * Key-value Store", SOSP 2007, §4.7.
 *
 * @example
 * import { AntiEntropy } from "@troupe/gossip"
 * import { Memory } from "@troupe/transport"
 * import { Effect } from "effect"
 *
 * // A store in which of two entries of a key the greater one stays.
 * const storeOf = (values: Map<string, string>): AntiEntropy.Store => ({
 *   entries: () => Array.from(values, ([key, version]) => ({ key, version })),
 *   read: (key) => new TextEncoder().encode(values.get(key)),
 *   merge: (key, bytes) => {
 *     const value = new TextDecoder().decode(bytes)
 *     if (value > (values.get(key) ?? "")) values.set(key, value)
 *     return values.get(key)
 *   }
 * })
 *
 * const network = Memory.network({ nodes: ["n1", "n2"] })
 * const stores = [new Map([["tea", "250"], ["milk", "90"]]), new Map([["milk", "95"], ["salt", "60"]])]
 * const node = (at: number) =>
 *   Effect.gen(function*() {
 *     yield* AntiEntropy.make(storeOf(stores[at]!), { name: "prices", interval: "10 millis" })
 *     yield* Effect.sleep("200 millis")
 *   }).pipe(Effect.scoped, Effect.provide(Memory.layer(network, `n${at + 1}`)))
 *
 * await Effect.runPromise(Effect.all([node(0), node(1)], { concurrency: 2 }))
 * console.log(stores.map((store) => Array.from(store).sort().join(" "))) // [ 'milk,95 salt,60 tea,250', 'milk,95 salt,60 tea,250' ]
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Context, Effect, Layer, type Scope } from "effect"
import type { InvalidOptions } from "./Gossip.ts"
import { onList, onNodes } from "./internal/antiEntropy/descending.ts"
import * as Entries from "./internal/antiEntropy/entries.ts"
import { Message } from "./internal/antiEntropy/messages.ts"
import * as Service from "./internal/antiEntropy/service.ts"
import { type LayerOptions, settle } from "./internal/antiEntropy/settings.ts"
import * as Sketching from "./internal/antiEntropy/sketching.ts"
import {
  type Act,
  type Command,
  type Event,
  layoutOf,
  type Options,
  refuse,
  shapeOf,
  type State,
  type Timer
} from "./internal/antiEntropy/state.ts"
import * as Peers from "./internal/epidemic/peers.ts"
import * as MerkleTree from "./MerkleTree.ts"
import * as SetSketch from "./SetSketch.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export { Message, type StoredEntry } from "./internal/antiEntropy/messages.ts"
export {
  type Change,
  type Command,
  type Comparison,
  EntryTooLarge,
  type Event,
  Malformed,
  type Options,
  type Refusal,
  type State,
  StoreRefused,
  type Timer
} from "./internal/antiEntropy/state.ts"
export type { Refused, Store } from "./internal/antiEntropy/service.ts"
export { defaults, type LayerOptions } from "./internal/antiEntropy/settings.ts"

// ------------------------------------------------------------------------------------------------------------- the card

const perRound: Card.Formula = { text: "2N", of: (nodes) => (nodes < 2 ? 0 : 2 * nodes) }

export const card: Card.Card<State> = {
  title: "Anti-entropy by sketch and Merkle tree",
  summary:
    "In each round a node compares its store with one other's: by a rateless sketch if little differs, else by Merkle trees.",
  paper: {
    authors: "Lei Yang, Yossi Gilad, Mohammad Alizadeh",
    title: "Practical Rateless Set Reconciliation",
    venue: "SIGCOMM",
    year: 2024
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [
    {
      name: "convergence",
      kind: "eventually",
      description: "All nodes that are up have the same entries.",
      holds: (nodes) => {
        const trees = nodes.flatMap(({ alive, state }) => (alive ? [state.tree] : []))
        return trees.every(({ root }) => MerkleTree.isSame(root, trees[0]!.root))
      }
    },
    {
      name: "a sketch of the tree",
      kind: "always",
      description: "The sketch that a node sends is of the entries of its tree.",
      holds: (nodes) => nodes.every(({ state: { sketch, tree } }) => sketch.items === tree.root.count)
    },
    {
      name: "a node is handed what it lacks",
      kind: "sometimes",
      description: "The run has seen entries of one node at another.",
      holds: (nodes) => nodes.some(({ state }) => state.received > 0)
    }
  ],
  weaknesses: [
    {
      name: "what nobody else has is lost with its node",
      description:
        "An entry that no round has handed on is gone when its node crashes and its store does not outlive it.",
      faults: "crash"
    },
    {
      name: "what is deleted without a trace comes back",
      description:
        "A key that a node has dropped looks as if it had never been there: a peer that has it hands it over.",
      faults: "none"
    },
    {
      name: "both versions of a key travel",
      description: "Fingerprints don't tell which of two is newer: each node is handed the other's.",
      faults: "none"
    },
    {
      name: "replicas differ for some rounds",
      description: "News waits for rounds, in which chance picks the peers: about log N of them until all have it.",
      faults: "none"
    }
  ],
  cost: {
    operation: "round in which nothing differs",
    best: perRound,
    worst: perRound,
    contention: ["Cells", "More", "Nodes", "List", "Want", "Entries", "Other"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "gossip/anti-entropy",
  card,
  message: Message,

  init: ({ options }) => ({
    tree: MerkleTree.empty(layoutOf(options)),
    sketch: SetSketch.empty(shapeOf(options)),
    peers: Peers.everybody,
    session: undefined,
    said: 0,
    handed: 0,
    read: 0,
    received: 0
  }),

  // Not all at the same time: each begins somewhere in an interval.
  onStart: (state, act) => {
    act.setTimer("round", act.random() * act.self.options.intervalMillis)
    return state
  },

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Load":
        return loaded(state, command.entries, act)
      case "Changed":
        return Entries.changed(state, command.changes)
      case "Compare":
        return command.peer === act.self.id ? state : Sketching.begin(state, command.peer, act)
      case "Give":
        return Entries.give(state, command.to, command.entries, act)
      default:
        return { ...state, peers: Peers.changed(state.peers, command) }
    }
  },

  onTimeout: (state, timer, act) => {
    if (timer === "retry") return Sketching.retry(state, act)
    act.setTimer("round", act.self.options.intervalMillis)
    const next: State = { ...state, said: 0, handed: 0, read: 0 }
    const [peer] = Peers.sample(state.peers, act.self, 1, () => act.random())
    return peer === undefined ? next : Sketching.begin(next, peer, act)
  },

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Hello":
        return Sketching.onHello(state, from, message, act)
      case "Same":
      case "Other":
        return ended(state, from, message, act)
      case "Cells":
        return Sketching.onCells(state, from, message, act)
      case "More":
        return Sketching.onMore(state, from, message, act)
      case "Nodes":
        return onNodes(byTree(state, from, act), from, message, act)
      case "List":
        return onList(byTree(state, from, act), from, message.ranges, act)
      case "Want":
        return Entries.onWant(state, from, message.items, act)
      case "Entries":
        return Entries.onEntries(state, from, message.entries, act)
    }
  }
}

const loaded = (state: State, entries: Iterable<MerkleTree.Versioned>, act: Act): State => {
  const tree = MerkleTree.fromEntries(layoutOf(act.self.options), entries)
  return { ...state, tree, sketch: SetSketch.fromItems(shapeOf(act.self.options), MerkleTree.entries(tree)) }
}

/** The peer has nothing to add, or nothing that could be compared. */
const ended = (
  state: State,
  from: NodeId.NodeId,
  message: Extract<Message, { readonly _tag: "Same" | "Other" }>,
  act: Act
): State => {
  if (state.session?.id !== message.session || state.session.peer !== from) return state
  act.clearTimer("retry")
  const next: State = { ...state, session: undefined }
  if (message._tag === "Same") {
    act.emit({ _tag: "Compared", peer: from, by: "same", cells: 0, mine: 0, theirs: 0 })
    return next
  }
  const mine = MerkleTree.describe(state.tree.layout)
  return refuse(next, from, new MerkleTree.OtherLayout({ mine, theirs: message.layout }), act)
}

/** A peer that was asked to compare has begun with its tree. */
const byTree = (state: State, from: NodeId.NodeId, act: Act): State => {
  const { session } = state
  if (session?.peer !== from || session.chunks.length > 0) return state
  act.clearTimer("retry")
  act.emit({ _tag: "Compared", peer: from, by: "tree", cells: 0, mine: 0, theirs: 0 })
  return { ...state, session: undefined }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The replica of a store on this node. */
export class Replica extends Context.Service<Replica, Service.ReplicaShape>()("@troupe/gossip/AntiEntropy/Replica") {}

/**
 * Keeps a store the same as those of the other nodes of the transport. The whole store is read once, at the start. A `FailureDetector` in
 * the context spares the dead their messages; without one, rounds with them are lost.
 *
 * Fails with `InvalidOptions` when a number is out of its range, or a packet has no room for the children of a node.
 */
export const layer = (
  store: Service.Store,
  options: LayerOptions = {}
): Layer.Layer<Replica, ChannelInUse | InvalidOptions, Transport> => Layer.effect(Replica, make(store, options))

/** As `layer`, for as long as the scope lives; with a name for each, a node may have several, such as one for each partition. */
export const make = (
  store: Service.Store,
  { name, ...given }: LayerOptions & { readonly name?: string } = {}
): Effect.Effect<Replica["Service"], ChannelInUse | InvalidOptions, Transport | Scope.Scope> =>
  Service.make(store, (onRestart) =>
    Effect.flatMap(settle(given), (options) =>
      Actor.spawn(protocol, {
        ...(name === undefined ? {} : { name: `${protocol.name}/${name}` }),
        options,
        onRestart
      })
    )
  )
