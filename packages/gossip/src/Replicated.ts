/**
 * Replicates a CRDT by gossip: every node holds all of it, changes it without asking, and sends the others what they lack.
 *
 * A node logs each change, its own and those that it merged, and remembers how much of its log each peer has acknowledged.
 * In each round it picks at random one of the peers that lack something, and sends it the changes since then, joined into
 * one delta (a delta-interval). The peer merges it only if it has all that came before, so that causes come before their
 * effects, and acknowledges. If it has not, because one of the two has started anew, it asks, and is sent the whole state;
 * so is a peer that lacks more than the log has kept. What does not fit a message is sent in parts, so many in a round; while
 * some are missing, what is read may lack causes of what it has. When nobody lacks anything, nothing is sent.
 *
 * Links may lose, double and reorder. A node that loses its memory comes back under a new name, and is sent the state by
 * each of its peers; what it had told nobody is lost. A name that is given (`replica`) may be used again only together with the
 * state that it had (`restore`); without it, the peers that knew the replica refuse it by `ReplicaReused`.
 *
 * Where there is a group with a reliable multicast, `multicastLayer` takes that in place of gossip.
 *
 * Source: P. S. Almeida, A. Shoker, C. Baquero, "Delta State Replicated Data Types", JPDC 111, 2018, §6, algorithm 2.
 *
 * @example
 * import { GCounter, Replicated } from "@troupe/gossip"
 * import { Memory } from "@troupe/transport"
 * import { Effect } from "effect"
 *
 * const Views = Replicated.key<GCounter.GCounter, number>("views")
 * const network = Memory.network({ nodes: ["n1", "n2"] })
 *
 * const node = (id: string, count: number) =>
 *   Effect.gen(function*() {
 *     const views = yield* Views
 *     yield* views.update((counter, replica) => GCounter.increment(counter, replica, count))
 *     while ((yield* views.value) < 5) yield* Effect.sleep("1 millis")
 *     // The other one may need its answers still.
 *     yield* Effect.sleep("100 millis")
 *     return yield* views.value
 *   }).pipe(
 *     Effect.provide(Replicated.layer(Views, GCounter.crdt, { name: "views", interval: "5 millis" })),
 *     Effect.provide(Memory.layer(network, id))
 *   )
 * console.log(await Effect.runPromise(Effect.all([node("n1", 2), node("n2", 3)], { concurrency: 2 }))) // [ 5, 5 ]
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { type Context, Duration, Effect, Layer, Option, Schema } from "effect"
import { type Crdt, PrunedDifferently, type ReplicaId, ReplicaReused } from "./Crdt.ts"
import * as OrSet from "./crdt/OrSet.ts"
import { onDelta } from "./crdt/replication/receiving.ts"
import * as Sending from "./crdt/replication/sending.ts"
import * as Service from "./crdt/replication/service.ts"
import {
  type Act,
  ask,
  asRefusal,
  type Command,
  type Event,
  Message,
  type Options,
  type State,
  type Timer
} from "./crdt/replication/state.ts"
import { InvalidOptions } from "./Gossip.ts"

export {
  type Command,
  type Event,
  Message,
  type Mutate,
  type Options,
  type Refusal,
  type State,
  type Timer,
  TooLarge,
  Unmergeable
} from "./crdt/replication/state.ts"
export { multicastLayer, type MulticastOptions } from "./crdt/replication/multicast.ts"
export { key, type Replicated } from "./crdt/replication/service.ts"

// ------------------------------------------------------------------------------------------------------------- the card

/** Whether a state has what a delta says; one that was pruned since then is not compared. */
const has = <S>({ merge }: Crdt<S>, state: S, delta: S): boolean => {
  try {
    return merge(state, delta) === state
  } catch (failure) {
    if (failure instanceof PrunedDifferently) return true
    throw failure
  }
}

export const cardOf = <S>(crdt: Crdt<S>): Card.Card<State<S>> => ({
  title: `Replicated ${crdt.name}`,
  summary: "Each node sends one peer a round the changes that it has not acknowledged, joined into one delta.",
  paper: {
    authors: "Paulo Sérgio Almeida, Ali Shoker, Carlos Baquero",
    title: "Delta State Replicated Data Types",
    venue: "JPDC 111",
    year: 2018
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
      description: "All nodes that are up have the same state.",
      holds: (nodes) => {
        const states = nodes.flatMap(({ alive, state }) => (alive ? [state.value] : []))
        return states.every((state) => crdt.equals(states[0]!, state))
      }
    },
    {
      name: "causal delivery",
      kind: "always",
      description: "A node that has heard a peer's log up to a change has the change.",
      holds: (nodes) =>
        nodes.every(({ node, state: { life, log, logged } }) =>
          nodes.every(({ state: other }) => {
            const heard = other.heard.get(node)
            if (heard === undefined || heard.life !== life || heard.upTo < 1) return true
            const last = log[log.length - 1 - (logged - heard.upTo)]
            return last === undefined || has(crdt, other.value, last.delta)
          })
        )
    },
    {
      name: "a node hears of another's change",
      kind: "sometimes",
      description: "The run has seen a change of one node at another.",
      holds: (nodes) => nodes.some(({ node, state }) => state.log.some(({ from }) => from !== node))
    }
  ],
  weaknesses: [
    {
      name: "a crash loses what nobody has heard",
      description: "What a node changed since its last round is lost with its memory.",
      faults: "crash"
    },
    {
      name: "whoever comes back is sent everything",
      description: "A node that starts is sent the whole state by each of its peers, and sends it to each.",
      faults: "crash"
    }
  ],
  cost: {
    operation: "change",
    best: { text: "2(N−1)", of: (nodes) => 2 * (nodes - 1) },
    worst: { text: "2(N−1)²", of: (nodes) => 2 * (nodes - 1) ** 2 },
    background: ["Ask"]
  }
})

// --------------------------------------------------------------------------------------------------------- the protocol

/** Replicates `crdt`; a node starts with `restore`, if it is given, which is then all that its replica has ever changed. */
export const protocolOf = <S>(
  crdt: Crdt<S>,
  restore: S = crdt.empty
): Protocol.Protocol<State<S>, Message<S>, Command<S>, Event, Timer, Options> => {
  const divide = Sending.divider(crdt)
  const push = (state: State<S>, peer: NodeId.NodeId, act: Act<S>): State<S> =>
    Sending.push(crdt, divide, state, peer, act)
  return {
    name: "gossip/replicated",
    card: cardOf(crdt),
    message: Message(crdt.schema),

    init: ({ id, options }) => ({
      replica: options.replica === "" ? id : options.replica,
      life: 0,
      restored: 0,
      reused: false,
      value: restore,
      logged: 0,
      log: [],
      sent: new Map(),
      heard: new Map(),
      transfers: new Map(),
      budget: options.messagesPerRound
    }),

    onStart: (state, act) => {
      const { intervalMillis, replica: given } = act.self.options
      const life = Math.floor(act.random() * 2 ** 48)
      const replica = given === "" ? `${act.self.id}.${life.toString(36)}` : given
      if (act.self.peers.length > 0) act.setTimer("round", act.random() * intervalMillis)
      return { ...state, life, replica, restored: crdt.known(state.value, replica) }
    },

    onCommand: (state, command, act) =>
      command._tag === "Update" ? update(crdt, state, command.mutate, act) : prune(crdt, state, command.departed, act),

    onMessage: (state, from, message, act) => {
      switch (message._tag) {
        case "Delta":
          return onDelta(crdt, state, from, message, act)
        case "Ack":
          return Sending.onAck(state, from, message)
        case "Ask":
          return push(Sending.onAsk(state, from, message), from, act)
        case "Reused": {
          const { life, replica } = message
          if (life !== state.life || replica !== state.replica || state.reused) return state
          const failure = new ReplicaReused({ replica, reason: `${from} knows another replica of this name` })
          act.emit({ _tag: "Refused", from: act.self.id, failure })
          return { ...state, reused: true }
        }
      }
    },

    onTimeout: (state, _round, act) => {
      const { intervalMillis, messagesPerRound } = act.self.options
      act.setTimer("round", intervalMillis)
      let next: State<S> = { ...state, budget: messagesPerRound }
      const lacking = act.self.peers.filter((peer) => isUnheard(state, peer) || lacks(state, peer))
      const peer = lacking[Math.floor(act.random() * lacking.length)]
      if (peer === undefined) return next
      if (isUnheard(next, peer)) act.send(peer, ask(next.heard.get(peer)))
      next = push(next, peer, act)
      for (const other of state.transfers.keys()) if (other !== peer) next = push(next, other, act)
      return next
    }
  }
}

/** Whether not all of a peer's state has arrived yet. */
const isUnheard = <S>({ heard }: State<S>, peer: NodeId.NodeId): boolean => (heard.get(peer)?.upTo ?? -1) < 0

const lacks = <S>(state: State<S>, peer: NodeId.NodeId): boolean => Sending.sentTo(state, peer).covered < state.logged

const update = <S>(
  crdt: Crdt<S>,
  state: State<S>,
  mutate: Extract<Command<S>, { readonly _tag: "Update" }>["mutate"],
  act: Act<S>
): State<S> => {
  if (state.reused) return state
  const delta = mutate(state.value, state.replica, act.now())
  const value = delta === undefined ? state.value : crdt.merge(state.value, delta)
  if (delta === undefined || value === state.value) return state
  act.emit({ _tag: "Changed" })
  return Sending.log({ ...state, value }, { delta, from: act.self.id }, act.self.options.bufferedDeltas)
}

/** Deltas of before cannot be merged any more: peers that lack something are sent the whole state. */
const prune = <S>(crdt: Crdt<S>, state: State<S>, departed: ReadonlyArray<ReplicaId>, act: Act<S>): State<S> => {
  try {
    const value = crdt.prune(state.value, departed)
    return value === state.value
      ? state
      : { ...state, value, log: [], sent: new Map(), transfers: new Map(), heard: withoutParts(state) }
  } catch (failure) {
    act.emit({ _tag: "Refused", from: act.self.id, failure: asRefusal(failure) })
    return state
  }
}

const withoutParts = <S>({ heard }: State<S>): State<S>["heard"] =>
  new Map([...heard].map(([node, each]) => [node, { ...each, arriving: undefined }]))

/** An OR-set of text, for those who look at one protocol. */
export const protocol = protocolOf(OrSet.crdt(Schema.String))

export const card = cardOf(OrSet.crdt(Schema.String))

// ------------------------------------------------------------------------------------------------------------ the layers

/** The settings that `layer` has by default. */
export const defaults: Options = {
  intervalMillis: 100,
  bufferedDeltas: 256,
  messagesPerRound: 16,
  packetBytes: 1_200,
  replica: ""
}

export interface LayerOptions<S> {
  /** Names what is replicated: nodes that use the same name share it. */
  readonly name: string
  /** How long a round is; longer than a message and its answer take, or deltas are sent twice. Default: 100 ms. */
  readonly interval?: Duration.Input
  /** How many changes are kept to be sent alone, 1 to 65,536. Who lacks more is sent the whole state. Default: 256. */
  readonly bufferedDeltas?: number
  /** How many deltas a node sends in a round, 1 to 65,536. Default: 16. */
  readonly messagesPerRound?: number
  /**
   * The largest message, 256 bytes to 1 GiB; more is sent in parts. Default: 1,200, which fits a packet of any network. Over
   * TCP take more, such as 65,536.
   */
  readonly packetBytes?: number
  /** The name of the replica, for one whose state is kept over restarts. Default: a new one in each life. */
  readonly replica?: ReplicaId
  /** The state that was kept, which includes every change that the replica has made. Default: empty. */
  readonly restore?: S
}

/** A replica on this node, under a key made by `key`; its peers are the nodes of the transport. */
export const layer = <S, Value>(
  tag: Context.Key<Service.Replicated<S, Value>, Service.Replicated<S, Value>>,
  crdt: Crdt<S, Value>,
  given: LayerOptions<S>
): Layer.Layer<Service.Replicated<S, Value>, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(tag, make(crdt, given))

/** As `layer`, without a key, for as long as the scope lives. */
export const make = Effect.fnUntraced(function* <S, Value>(crdt: Crdt<S, Value>, given: LayerOptions<S>) {
  const options = yield* settle(given)
  const machine = protocolOf(crdt, given.restore)
  const actor = yield* Actor.spawn(machine, { name: `${machine.name}/${given.name}`, options })
  return Service.make(crdt, {
    replica: () => actor.state().replica,
    current: () => actor.state().value,
    isReused: () => actor.state().reused,
    apply: (mutate) => actor.tell({ _tag: "Update", mutate }),
    prune: (departed) => actor.tell({ _tag: "Prune", departed }),
    onChange: (listener) => actor.subscribe(({ _tag }) => _tag === "Changed" && listener()),
    onRefusal: (listener) =>
      actor.subscribe((event) => event._tag === "Refused" && listener({ from: event.from, failure: event.failure }))
  })
})

const settle = <S>(given: LayerOptions<S>): Effect.Effect<Options, InvalidOptions> =>
  Schema.decodeUnknownEffect(Service.Settings)({
    intervalMillis: Option.match(Duration.fromInput(given.interval ?? defaults.intervalMillis), {
      onNone: () => given.interval,
      onSome: Duration.toMillis
    }),
    bufferedDeltas: given.bufferedDeltas ?? defaults.bufferedDeltas,
    messagesPerRound: given.messagesPerRound ?? defaults.messagesPerRound,
    packetBytes: given.packetBytes ?? defaults.packetBytes,
    replica: given.replica ?? defaults.replica
  }).pipe(Effect.mapError(({ message }) => new InvalidOptions({ reason: message })))
