/**
 * HyParView: each node knows a few others well and some by name, and together they stay connected, even when most of them
 * die at once.
 *
 * The active view holds a handful of neighbours: links are symmetric, and watched. The passive view holds names for the time
 * when a neighbour fails. A newcomer asks a contact, which sends word of it on random walks: where a walk ends the newcomer
 * gains a neighbour, and half-way it is entered in a passive view. Who lost a neighbour asks one of its passive view, with high
 * priority when it has no neighbour left: that cannot be declined. Now and then a node exchanges a sample of its views with
 * a node at the end of a random walk, so that passive views follow who is there.
 *
 * The paper takes a broken TCP connection for the failure of a neighbour. Here neighbours send each other a keep-alive,
 * so that datagrams will do: who is silent for `failAfter` has failed. One that a node gets from who is no neighbour
 * tells it that the link is one-sided, and it takes leave. And the paper has no remedy for views that have closed to two parts,
 * in a split that lasted: here a node asks now and then for a link to one of its contacts, or to any. Commands `Suspect` and `Trust`, of a failure detector, count too.
 *
 * Source: J. Leitão, J. Pereira, L. Rodrigues, "HyParView: a Membership Protocol for Reliable Gossip-Based Broadcast",
 * DSN 2007.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Queue, Stream } from "effect"
import type { InvalidOptions } from "./Gossip.ts"
import { defaults, type LayerOptions, type Options, settle } from "./internal/epidemic/hyparview/options.ts"
import {
  type Act,
  type Event,
  heardOf,
  isActive,
  Message,
  some,
  type State,
  type Timer,
  withActive,
  without,
  withPassive
} from "./internal/epidemic/hyparview/views.ts"
import { isMember, pick, sample } from "./internal/epidemic/roster.ts"
import { Overlay } from "./Overlay.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export { defaults, type LayerOptions, type Options } from "./internal/epidemic/hyparview/options.ts"
export { type Event, Message, type Neighbour, type State, type Timer } from "./internal/epidemic/hyparview/views.ts"

export type Command = Suspicion.Suspicion

// ------------------------------------------------------------------------------------------------------------- the card

const connected: Card.Guarantee<State> = {
  name: "connected",
  kind: "eventually",
  description: "From each node that is up, links lead to all that are up.",
  holds: (nodes) => {
    const views = new Map(nodes.filter(({ alive }) => alive).map(({ node, state }) => [node, state.active]))
    const [first] = views.keys()
    if (first === undefined) return true
    const reached = new Set([first])
    for (const node of reached) {
      for (const neighbour of views.get(node)!) if (views.has(neighbour.node)) reached.add(neighbour.node)
    }
    return reached.size === views.size
  }
}

const bounded: Card.Guarantee<State> = {
  name: "views are sets",
  kind: "always",
  description: "No view names a node twice, or its own node, and no node is in both.",
  holds: (nodes) =>
    nodes.every(({ node, state: { active, passive } }) => {
      const names = [node, ...active.map((each) => each.node), ...passive]
      return new Set(names).size === names.length
    })
}

export const card: Card.Card<State> = {
  title: "HyParView",
  summary: "A small active view of watched, symmetric links, and a larger passive one of names that repairs it.",
  paper: {
    authors: "João Leitão, José Pereira, Luís Rodrigues",
    title: "HyParView: a Membership Protocol for Reliable Gossip-Based Broadcast",
    venue: "DSN",
    year: 2007
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [connected, bounded],
  weaknesses: [
    {
      name: "connected with high probability only",
      description: "Nothing forbids that views close to two parts that know nothing of each other.",
      faults: "partition"
    },
    {
      name: "slow is taken for dead",
      description: "A neighbour that stands still for longer than `failAfter` is replaced, and must ask again.",
      faults: "chaos"
    }
  ],
  cost: {
    operation: "shuffle",
    best: { text: "2", of: () => 2 },
    worst: { text: "ARWL + 1", of: () => defaults.walkLength + 1 },
    background: ["KeepAlive"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "gossip/hyparview",
  card,
  message: Message,

  init: () => ({ active: [], passive: [], asked: undefined, shuffled: [] }),

  onStart: (state, act) => {
    const { keepAliveMillis, mixMillis, shuffleMillis } = act.self.options
    act.setTimer("mix", act.random() * mixMillis)
    act.setTimer("keepAlive", act.random() * keepAliveMillis)
    act.setTimer("shuffle", act.random() * shuffleMillis)
    return join(state, act)
  },

  onCommand: (state, command, act) =>
    command._tag === "Suspect"
      ? fail(state, command.node, act)
      : repair(withPassive(state, [command.node], [], act), act),

  onTimeout: (state, timer, act) => {
    switch (timer) {
      case "keepAlive":
        return keepAlive(state, act)
      case "shuffle":
        return shuffle(state, act)
      case "mix":
        return mix(state, act)
      case "answer":
        return onSilence(state, act)
    }
  },

  onMessage: (given, from, message, act) => {
    if (!isMember(act.self, from)) return given
    const state = heardOf(given, from, act)
    switch (message._tag) {
      case "Join":
        return onJoin(state, from, act)
      case "ForwardJoin":
        return onForwardJoin(state, from, message, act)
      case "Neighbour":
        return onNeighbour(state, from, message.priority === "high", act)
      case "Answer":
        return onAnswer(state, from, message.accepted, act)
      case "Disconnect":
        return isActive(state, from) ? repair(withPassive(without(state, from, act), [from], [], act), act) : state
      case "Shuffle":
        return onShuffle(state, from, message, act)
      case "ShuffleReply":
        return withPassive(state, message.nodes, state.shuffled, act)
      case "KeepAlive":
        if (!isActive(state, from)) act.send(from, { _tag: "Disconnect" })
        return state
    }
  }
}

// ------------------------------------------------------------------------------------------------------ joining (§4.2)

/** Those to begin with: the contacts, or where there are none any nodes of the system. */
const known = (count: number, act: Act): ReadonlyArray<NodeId.NodeId> => {
  const { contacts } = act.self.options
  const random = (): number => act.random()
  return contacts.length === 0
    ? sample(act.self, count, () => false, random)
    : pick(contacts, count, (node) => node === act.self.id, random)
}

/**
 * Asks a contact to be taken in. Where all nodes are known, a sample of them will do for a first passive view: they may all
 * start at once, and by contacts that are as new as themselves they would form islands.
 */
const join = (state: State, act: Act): State => {
  const { contacts, passiveSize } = act.self.options
  if (contacts.length === 0) {
    const next = withPassive(state, known(passiveSize, act), [], act)
    return next.passive.length === 0 ? next : repair(next, act)
  }
  act.sendAll(known(1, act), { _tag: "Join" })
  return state
}

/** Asks for a link to anybody there is: views that have closed to two parts find together again. */
const mix = (state: State, act: Act): State => {
  act.setTimer("mix", act.self.options.mixMillis)
  const [node] = known(1, act).filter((each) => !isActive(state, each))
  if (node !== undefined) act.send(node, { _tag: "Neighbour", priority: "high" })
  return state
}

const onJoin = (state: State, from: NodeId.NodeId, act: Act): State => {
  const next = withActive(state, from, act)
  act.send(from, { _tag: "Answer", accepted: true })
  for (const { node } of next.active) {
    if (node !== from) act.send(node, { _tag: "ForwardJoin", node: from, ttl: act.self.options.walkLength })
  }
  return next
}

const onForwardJoin = (
  state: State,
  from: NodeId.NodeId,
  { node, ttl }: Extract<Message, { readonly _tag: "ForwardJoin" }>,
  act: Act
): State => {
  if (node === act.self.id || !isMember(act.self, node)) return state
  const [next] = ttl === 0 ? [] : some(state, 1, from, act).filter((each) => each !== node)
  if (next === undefined) {
    if (isActive(state, node)) return state
    act.send(node, { _tag: "Neighbour", priority: "high" })
    return withActive(state, node, act)
  }
  act.send(next, { _tag: "ForwardJoin", node, ttl: ttl - 1 })
  return ttl === act.self.options.passiveWalkLength ? withPassive(state, [node], [], act) : state
}

// ------------------------------------------------------------------------------------------------------- repair (§4.3)

/** Asks a name of the passive view, where a neighbour is missing; a contact, where there is none. */
const repair = (state: State, act: Act): State => {
  const { activeSize, keepAliveMillis } = act.self.options
  if (state.active.length >= activeSize || state.asked !== undefined) return state
  const [asked] = pick(
    state.passive,
    1,
    () => false,
    () => act.random()
  )
  if (asked === undefined) return state.active.length === 0 ? join(state, act) : state
  act.send(asked, { _tag: "Neighbour", priority: state.active.length === 0 ? "high" : "low" })
  act.setTimer("answer", keepAliveMillis)
  return { ...state, asked }
}

const onNeighbour = (state: State, from: NodeId.NodeId, isUrgent: boolean, act: Act): State => {
  const accepted = isUrgent || isActive(state, from) || state.active.length < act.self.options.activeSize
  act.send(from, { _tag: "Answer", accepted })
  return accepted ? withActive(state, from, act) : state
}

const onAnswer = (state: State, from: NodeId.NodeId, accepted: boolean, act: Act): State => {
  if (state.asked === from) act.clearTimer("answer")
  const next = state.asked === from ? { ...state, asked: undefined } : state
  // Who declines stays in the passive view. The next one is asked with the next keep-alive: not again and again at once.
  return accepted ? repair(withActive(next, from, act), act) : next
}

/** Who does not answer is forgotten. */
const onSilence = (state: State, act: Act): State =>
  repair({ ...state, asked: undefined, passive: state.passive.filter((each) => each !== state.asked) }, act)

const fail = (state: State, node: NodeId.NodeId, act: Act): State => {
  const passive = state.passive.filter((each) => each !== node)
  const next = { ...state, passive }
  return isActive(state, node) ? repair(without(next, node, act), act) : next
}

const keepAlive = (state: State, act: Act): State => {
  const { failAfterMillis, keepAliveMillis } = act.self.options
  act.setTimer("keepAlive", keepAliveMillis)
  const now = act.monotonic()
  let next = state
  for (const { heardMillis, node } of state.active) {
    if (now - heardMillis >= failAfterMillis) next = fail(next, node, act)
    else act.send(node, { _tag: "KeepAlive" })
  }
  return repair(next, act)
}

// ---------------------------------------------------------------------------------------------- passive views (§4.4)

const shuffle = (state: State, act: Act): State => {
  const { shuffleActive, shuffleMillis, shufflePassive, walkLength } = act.self.options
  act.setTimer("shuffle", shuffleMillis)
  const [to] = some(state, 1, undefined, act)
  if (to === undefined) return state
  const random = () => act.random()
  const names = pick(state.passive, shufflePassive, () => false, random)
  const nodes = [act.self.id, ...some(state, shuffleActive, to, act), ...names]
  act.send(to, { _tag: "Shuffle", origin: act.self.id, ttl: walkLength - 1, nodes })
  return { ...state, shuffled: nodes }
}

const onShuffle = (
  state: State,
  from: NodeId.NodeId,
  { nodes, origin, ttl }: Extract<Message, { readonly _tag: "Shuffle" }>,
  act: Act
): State => {
  if (origin === act.self.id || !isMember(act.self, origin)) return state
  const [next] = ttl === 0 ? [] : some(state, 1, from, act).filter((each) => each !== origin)
  if (next !== undefined) {
    act.send(next, { _tag: "Shuffle", origin, ttl: ttl - 1, nodes })
    return state
  }
  const own = pick(
    state.passive,
    nodes.length,
    () => false,
    () => act.random()
  )
  act.send(origin, { _tag: "ShuffleReply", nodes: own })
  return withPassive(state, nodes, own, act)
}

// ------------------------------------------------------------------------------------------------------------ the layer

/**
 * An `Overlay` of the nodes of the transport. A `FailureDetector` in the context is followed beside the keep-alives.
 *
 * Fails with `InvalidOptions` when a number is out of its range, when `failAfter` is not longer than `keepAlive`, and when
 * `passiveWalkLength` is not less than `walkLength`.
 */
export const layer = (options: LayerOptions = {}): Layer.Layer<Overlay, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Overlay,
    Effect.gen(function* () {
      let tellAgain = (): void => {}
      const actor = yield* Actor.spawn(protocol, { options: yield* settle(options), onRestart: () => tellAgain() })
      tellAgain = yield* Suspicion.follow(actor)
      return {
        self: actor.node,
        neighbours: Effect.sync(() => actor.state().active.map(({ node }) => node)),
        changes: Stream.callback<ReadonlyArray<NodeId.NodeId>>(
          (queue) =>
            Effect.acquireRelease(
              Effect.sync(() => actor.subscribe(({ nodes }) => Queue.offerUnsafe(queue, nodes))),
              (unsubscribe) => Effect.sync(unsubscribe)
            ),
          { bufferSize: 1_024, strategy: "sliding" }
        )
      }
    })
  )
