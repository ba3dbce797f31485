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
import { type ChannelInUse, NodeId, type Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Queue, Schema, Stream } from "effect"
import type { InvalidOptions } from "./Gossip.ts"
import { isMember, pick, sample } from "./internal/epidemic/roster.ts"
import * as Settings from "./internal/epidemic/settings.ts"
import { Overlay } from "./Overlay.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Ttl = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 64 }))
const Names = Schema.Array(NodeId.NodeId).check(Schema.isMaxLength(256))

export const Message = Schema.Union([
  /** "I am new: take me in." */
  Schema.TaggedStruct("Join", {}),
  /** "`node` is new", on a walk of `ttl` more steps. */
  Schema.TaggedStruct("ForwardJoin", { node: NodeId.NodeId, ttl: Ttl }),
  /** "Be my neighbour." Of high priority: "I have no other". */
  Schema.TaggedStruct("Neighbour", { priority: Schema.Literals(["high", "low"]) }),
  /** "I am", or "I have enough". */
  Schema.TaggedStruct("Answer", { accepted: Schema.Boolean }),
  /** "I am your neighbour no more." */
  Schema.TaggedStruct("Disconnect", {}),
  /** "Here are some names, of `origin`'s", on a walk of `ttl` more steps. */
  Schema.TaggedStruct("Shuffle", { origin: NodeId.NodeId, ttl: Ttl, nodes: Names }),
  /** "And here are some of mine." */
  Schema.TaggedStruct("ShuffleReply", { nodes: Names }),
  /** "I am here." */
  Schema.TaggedStruct("KeepAlive", {})
])
export type Message = typeof Message.Type

export type Command = Suspicion.Suspicion

/** The neighbours are these now. */
export interface Event {
  readonly _tag: "Neighbours"
  readonly nodes: ReadonlyArray<NodeId.NodeId>
}

export interface Neighbour {
  readonly node: NodeId.NodeId
  /** When it was last heard of, by the monotonic clock. */
  readonly heardMillis: number
}

export interface State {
  /** At most `activeSize`. */
  readonly active: ReadonlyArray<Neighbour>
  /** At most `passiveSize`, none of them active. */
  readonly passive: ReadonlyArray<NodeId.NodeId>
  /** Who was asked to be a neighbour, and has not answered. */
  readonly asked: NodeId.NodeId | undefined
  /** What the last shuffle said: it goes first where room is needed for its reply. */
  readonly shuffled: ReadonlyArray<NodeId.NodeId>
}

export interface Options {
  /** The size of the active view: the fan-out of gossip, and one more. */
  readonly activeSize: number
  readonly passiveSize: number
  /** The length of a newcomer's walks (ARWL), and how long before its end it is entered in a passive view (PRWL). */
  readonly walkLength: number
  readonly passiveWalkLength: number
  readonly shuffleMillis: number
  /** How many names of each view a shuffle says. */
  readonly shuffleActive: number
  readonly shufflePassive: number
  /** How often a node links with one that it is given or draws of all. */
  readonly mixMillis: number
  readonly keepAliveMillis: number
  readonly failAfterMillis: number
  /** Whom a node asks that knows nobody. Where there are none, any nodes of the system. */
  readonly contacts: ReadonlyArray<NodeId.NodeId>
}

export type Timer = "keepAlive" | "shuffle" | "answer" | "mix"

type Act = Protocol.Actions<Message, Event, Timer, Options>

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

/** The settings that `layer` has by default: sizes and walks are those of the paper for 10,000 nodes. */
export const defaults: Options = {
  activeSize: 5,
  passiveSize: 30,
  walkLength: 6,
  passiveWalkLength: 3,
  shuffleMillis: 10_000,
  shuffleActive: 3,
  shufflePassive: 4,
  mixMillis: 60_000,
  keepAliveMillis: 1_000,
  failAfterMillis: 5_000,
  contacts: []
}

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

// ---------------------------------------------------------------------------------------------------------------- views

const isActive = ({ active }: State, node: NodeId.NodeId): boolean => active.some((each) => each.node === node)

const heardOf = (state: State, from: NodeId.NodeId, act: Act): State => {
  const at = state.active.findIndex(({ node }) => node === from)
  return at < 0 ? state : { ...state, active: state.active.with(at, { node: from, heardMillis: act.monotonic() }) }
}

const told = (state: State, act: Act): State => {
  act.emit({ _tag: "Neighbours", nodes: state.active.map(({ node }) => node) })
  return state
}

/** With one more neighbour. Where the view is full, a random one of it goes. */
const withActive = (state: State, node: NodeId.NodeId, act: Act): State => {
  if (node === act.self.id || isActive(state, node) || !isMember(act.self, node)) return state
  const next = state.active.length >= act.self.options.activeSize ? dropOne(state, act) : state
  return told(
    {
      ...next,
      active: [...next.active, { node, heardMillis: act.monotonic() }],
      passive: next.passive.filter((each) => each !== node)
    },
    act
  )
}

const dropOne = (state: State, act: Act): State => {
  const { node } = state.active[Math.floor(act.random() * state.active.length)]!
  act.send(node, { _tag: "Disconnect" })
  return withPassive({ ...state, active: state.active.filter((each) => each.node !== node) }, [node], [], act)
}

const without = (state: State, node: NodeId.NodeId, act: Act): State =>
  told({ ...state, active: state.active.filter((each) => each.node !== node) }, act)

/** With these names too. Where there is no room, `first` go, and then any. */
const withPassive = (
  state: State,
  nodes: ReadonlyArray<NodeId.NodeId>,
  first: ReadonlyArray<NodeId.NodeId>,
  act: Act
): State => {
  const { id, options } = act.self
  const passive = state.passive.slice()
  for (const node of nodes) {
    if (node === id || passive.includes(node) || isActive(state, node) || !isMember(act.self, node)) continue
    if (passive.length >= options.passiveSize) {
      const told = passive.findIndex((each) => first.includes(each))
      passive.splice(told >= 0 ? told : Math.floor(act.random() * passive.length), 1)
    }
    passive.push(node)
  }
  return { ...state, passive }
}

/** Up to `count` neighbours, but for `except`, at random. */
const some = (state: State, count: number, except: NodeId.NodeId | undefined, act: Act) =>
  pick(
    state.active.map(({ node }) => node),
    count,
    (node) => node === except,
    () => act.random()
  )

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

/** What the layer may be given. */
export interface LayerOptions {
  /** Neighbours, 1 to 255: the fan-out of gossip, and one more. Default: 5. */
  readonly activeSize?: number
  /** Names, 1 to 255. Default: 30. */
  readonly passiveSize?: number
  /** The length of random walks, 1 to 64. Default: 6. */
  readonly walkLength?: number
  /** How many steps before its end a newcomer's walk enters it in a passive view; less than `walkLength`. Default: 3. */
  readonly passiveWalkLength?: number
  /** How often a node exchanges names. Default: 10 seconds. */
  readonly shuffleInterval?: Duration.Input
  /** How many names of each view it says, 0 to 100. Default: 3 and 4. */
  readonly shuffleActive?: number
  readonly shufflePassive?: number
  /** How often a node asks a contact, or any node, for a link: what a split has parted finds together. Default: 1 minute. */
  readonly mixInterval?: Duration.Input
  /** How often neighbours say that they are there. Default: 1 second. */
  readonly keepAlive?: Duration.Input
  /** After which silence a neighbour has failed; longer than `keepAlive`. Default: 5 seconds. */
  readonly failAfter?: Duration.Input
  /** Whom a node asks that knows nobody. Default: any node of the transport. */
  readonly contacts?: ReadonlyArray<NodeId.NodeId>
}

const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 255 }))
const Sample = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
const Steps = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 64 }))

const Fields = Schema.Struct({
  activeSize: Size,
  passiveSize: Size,
  walkLength: Steps,
  passiveWalkLength: Ttl,
  shuffleMillis: Settings.Millis,
  shuffleActive: Sample,
  shufflePassive: Sample,
  mixMillis: Settings.Millis,
  keepAliveMillis: Settings.Millis,
  failAfterMillis: Settings.Millis,
  contacts: Schema.Array(NodeId.NodeId)
})

const fit = ({ failAfterMillis, keepAliveMillis, passiveWalkLength, walkLength }: Options): string | undefined =>
  failAfterMillis <= keepAliveMillis
    ? `a neighbour would fail after ${failAfterMillis} ms, before it says that it is there, every ${keepAliveMillis} ms`
    : passiveWalkLength >= walkLength
      ? `a walk of ${walkLength} steps has none that is ${passiveWalkLength} before its end`
      : undefined

const settle = (given: LayerOptions): Effect.Effect<Options, InvalidOptions> =>
  Settings.settle<Options>(
    Fields,
    {
      activeSize: given.activeSize ?? defaults.activeSize,
      passiveSize: given.passiveSize ?? defaults.passiveSize,
      walkLength: given.walkLength ?? defaults.walkLength,
      passiveWalkLength: given.passiveWalkLength ?? defaults.passiveWalkLength,
      shuffleMillis: Settings.millis(given.shuffleInterval, defaults.shuffleMillis),
      shuffleActive: given.shuffleActive ?? defaults.shuffleActive,
      shufflePassive: given.shufflePassive ?? defaults.shufflePassive,
      mixMillis: Settings.millis(given.mixInterval, defaults.mixMillis),
      keepAliveMillis: Settings.millis(given.keepAlive, defaults.keepAliveMillis),
      failAfterMillis: Settings.millis(given.failAfter, defaults.failAfterMillis),
      contacts: given.contacts ?? defaults.contacts
    },
    fit
  )

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
