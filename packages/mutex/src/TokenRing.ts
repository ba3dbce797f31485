/**
 * Token ring: the nodes form a ring, and a token goes round. Whoever has it may enter; nobody else may.
 *
 * A node that wants to enter waits for the token, and passes it on when it leaves; one that does not passes it on at once.
 * When all want to enter, an entry costs one message; when nobody does, the token goes round all the same: the lowest node
 * lets it rest for a while after each round without an entry, so that an idle ring is not busy.
 *
 * The token may be lost, with a message or with a node. When the lowest node has not seen it for a while, it begins a new
 * generation: it asks all others to take no token of an older one any more. Who has the token gives it up; who is inside
 * answers when it has left. Only when all have answered is there a new token; an old one, wherever it is, is refused. So
 * exclusion rests on no time: a token that was taken for lost too early costs messages, no second holder. Each passing on
 * is numbered, so that a message that arrives twice is no second token either.
 *
 * Generations are not kept on disk: exclusion with nodes that crash and come back assumes that a node is down for longer
 * than a message travels. With a `FailureDetector` in the context, nodes that it suspects are left out of the ring and not
 * asked; otherwise the ring waits until they are back.
 *
 * Source: G. Le Lann, "Distributed Systems – Towards a Formal Approach", IFIP Congress 1977 (there a time-out is taken for
 * a loss). That all answer before there is a new token: S. Nishio, K. F. Li, E. G. Manning, "A Resilient Mutual Exclusion
 * Algorithm for Computer Networks", IEEE TPDS 1(3), 1990.
 */
import type { Card, Protocol } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Duration, Effect, Layer, Option, Schema } from "effect"
import type { Reading } from "./internal/acquisition.ts"
import { fencingToken, isStranger, nextGeneration, ownerOf, without } from "./internal/generations.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { inGroup, locking } from "./internal/locking.ts"
import { type FencingToken, InvalidOptions, Mutex } from "./Mutex.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** "It is yours", for the `hops`th time in its generation, after so many entries. */
  Schema.TaggedStruct("Token", { generation: Natural, hops: Natural, entries: Natural }),
  /** "Take no token of an older generation, and give up the one that you have." */
  Schema.TaggedStruct("Inquire", { generation: Natural }),
  /** "I do, and I am not inside." */
  Schema.TaggedStruct("Report", { generation: Natural }),
  /** "There has been an inquiry of this generation: yours is as old or older." */
  Schema.TaggedStruct("Obsolete", { generation: Natural })
])
export type Message = typeof Message.Type

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or wants to enter no longer. Ignored otherwise. */
  | { readonly _tag: "Release" }
  | Suspicion.Suspicion

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

interface Token {
  readonly generation: number
  /** How often it was passed on. */
  readonly hops: number
  /** How many entries there were. */
  readonly entries: number
}

export interface State {
  readonly phase: "idle" | "waiting" | "inside"
  readonly token: Token | undefined
  /** The latest that was here: an equal or earlier one is a message that arrives again. */
  readonly last: Token

  // Regeneration.
  /** The highest generation heard of. An older token is refused. */
  readonly generation: number
  /** Of this node: whose answer is missing. */
  readonly inquiry: { readonly awaiting: ReadonlyArray<NodeId.NodeId> } | undefined
  /** Who gets an answer to its inquiry when this node leaves. */
  readonly inquirer: NodeId.NodeId | undefined
  /** Whether the token was here since the timer was set. */
  readonly seen: boolean
  /** Whom the failure detector takes for dead. */
  readonly suspects: ReadonlyArray<NodeId.NodeId>
}

export interface Options {
  /** How long the lowest node lets the token rest, after a round in which nobody entered. */
  readonly restMillis: number
  /** How long the lowest node waits for the token, or for answers, before it begins a new generation. */
  readonly lostAfterMillis: number
}

type Timer = "rest" | "lost"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Token ring",
  summary: "A token goes round a ring of all nodes; whoever has it may enter. A lost one is made anew.",
  paper: {
    authors: "Gérard Le Lann",
    title: "Distributed Systems – Towards a Formal Approach",
    venue: "IFIP Congress",
    year: 1977
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [
    mutualExclusion,
    {
      name: "one token",
      kind: "always",
      description: "At most one node has a token.",
      holds: (nodes) => nodes.filter(({ alive, state }) => alive && state.token !== undefined).length <= 1
    },
    noStarvation,
    aNodeEnters
  ],
  weaknesses: [
    {
      name: "an idle ring works",
      description: "The token goes round when nobody wants to enter: an entry may cost any number of messages.",
      faults: "none"
    },
    {
      name: "a node that stays down stops the ring",
      description:
        "A holder, a waiter or a bystander that crashes takes the token with it, now or when it is its turn. A new one " +
        "is made when the node is back, or when a failure detector suspects it; until then everybody waits.",
      faults: "crash"
    },
    {
      name: "a node that forgets too fast",
      description:
        "A node that is back within the time that a message travels may take a token that it had refused, beside the " +
        "new one. And when all nodes have forgotten, generations and tokens begin anew.",
      faults: "crash"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "1", of: (nodes) => (nodes === 1 ? 0 : 1) },
    worst: { text: "∞", of: (nodes) => (nodes === 1 ? 0 : Infinity) },
    background: ["Inquire", "Report", "Obsolete"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

const none: Token = { generation: 0, hops: 0, entries: 0 }

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "mutex/token-ring",
  card,
  message: Message,

  init: () => ({
    phase: "idle",
    token: undefined,
    last: none,
    generation: 0,
    inquiry: undefined,
    inquirer: undefined,
    seen: false,
    suspects: []
  }),

  // The first token is made like any other: a node that comes back brings none with it.
  onStart: (state, act) => {
    act.setTimer("lost", act.self.options.lostAfterMillis)
    return isLowest(state, act) ? inquire(state, act) : state
  },

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        if (state.phase !== "idle") return state
        return state.token === undefined ? { ...state, phase: "waiting" } : enter(state, state.token, act)
      case "Release":
        if (state.phase === "idle") return state
        return state.phase === "waiting" ? { ...state, phase: "idle" } : leave(state, act)
      case "Suspect":
      case "Trust":
        return suspect({ ...state, suspects: Suspicion.applied(state.suspects, command) }, command, act)
    }
  },

  onMessage: (state, from, message, act) => {
    if (isStranger(from, act.self)) return state
    switch (message._tag) {
      case "Token": {
        const { entries, generation, hops } = message
        const isNew =
          generation > state.last.generation || (generation === state.last.generation && hops > state.last.hops)
        return generation < state.generation || !isNew ? state : take(state, { generation, hops, entries }, act)
      }
      case "Inquire":
        return answer(state, from, message.generation, act)
      case "Report": {
        const { inquiry } = state
        if (inquiry === undefined || message.generation !== state.generation) return state
        return regenerate({ ...state, inquiry: { awaiting: without(inquiry.awaiting, from) } }, act)
      }
      case "Obsolete":
        return message.generation < state.generation || state.inquiry === undefined
          ? state
          : learn(state, message.generation, act)
    }
  },

  onTimeout: (state, timer, act) => {
    if (timer === "rest") return state.token !== undefined && state.phase === "idle" ? pass(state, act) : state
    act.setTimer("lost", act.self.options.lostAfterMillis)
    const isHere = state.token !== undefined || state.phase === "inside"
    if (state.seen || isHere || !isLowest(state, act)) return state.seen ? { ...state, seen: false } : state
    return inquire(state, act)
  }
}

// -------------------------------------------------------------------------------------------------------------- the ring

const enter = (state: State, token: Token, act: Act): State => {
  const entries = token.entries + 1
  act.emit({ _tag: "Acquired", token: fencingToken(token.generation, entries) })
  return { ...state, phase: "inside", token: { ...token, entries } }
}

const take = (state: State, token: Token, act: Act): State => {
  const { generation } = token
  const taken: State = { ...state, token, last: token, generation, inquiry: undefined, seen: true }
  if (state.phase === "waiting") return enter(taken, token, act)
  if (state.phase === "inside") return taken
  if (!isLowest(state, act) || token.entries !== state.last.entries) return pass(taken, act)
  act.setTimer("rest", act.self.options.restMillis)
  return taken
}

const leave = (state: State, act: Act): State => {
  const left: State = { ...state, phase: "idle" }
  return left.token === undefined ? regenerate(report(left, act), act) : pass(left, act)
}

/** Sends the token to the next node that is not suspected; keeps it where there is none. */
const pass = (state: State, act: Act): State => {
  const next = successor(state, act.self)
  if (state.token === undefined || next === undefined) return state
  const { entries, generation, hops } = state.token
  act.send(next, { _tag: "Token", generation, hops: hops + 1, entries })
  return { ...state, token: undefined }
}

const successor = ({ suspects }: State, { id, nodes }: Protocol.Self): NodeId.NodeId | undefined => {
  const rank = nodes.indexOf(id)
  for (let step = 1; step < nodes.length; step++) {
    const node = nodes[(rank + step) % nodes.length]!
    if (!suspects.includes(node)) return node
  }
  return undefined
}

/** Of those that it does not suspect: it sees to the token's rest, and to its loss. */
const isLowest = ({ suspects }: State, act: Act): boolean =>
  act.self.nodes.find((node) => !suspects.includes(node)) === act.self.id

// --------------------------------------------------------------------------------------------------------- regeneration

const suspect = (state: State, { _tag, node }: Suspicion.Suspicion, act: Act): State => {
  if (state.inquiry !== undefined && _tag === "Suspect") {
    return regenerate({ ...state, inquiry: { awaiting: without(state.inquiry.awaiting, node) } }, act)
  }
  // It kept the token while it was alone.
  if (state.token !== undefined && state.phase === "idle") act.setTimer("rest", act.self.options.restMillis)
  return state
}

/** Begins a generation: asks all that are not suspected, and gives up its own token like everybody. */
const inquire = (state: State, act: Act): State => {
  const generation = nextGeneration(state.generation, act.self)
  const awaiting = act.self.peers.filter((node) => !state.suspects.includes(node))
  act.sendAll(awaiting, { _tag: "Inquire", generation })
  return regenerate({ ...state, generation, token: undefined, inquiry: { awaiting }, inquirer: undefined }, act)
}

const answer = (state: State, from: NodeId.NodeId, generation: number, act: Act): State => {
  if (generation <= state.generation) {
    act.send(from, { _tag: "Obsolete", generation: state.generation })
    return state
  }
  const given: State = { ...state, generation, token: undefined, inquiry: undefined, inquirer: from }
  return state.phase === "inside" ? given : report(given, act)
}

/**
 * Others are in a later generation. Whoever began it goes on with it, unless it is dead, or was this node in an earlier
 * life: its Inquire is on its way, and is to be answered.
 */
const learn = (state: State, generation: number, act: Act): State => {
  const owner = ownerOf(generation, act.self)
  return owner === act.self.id || state.suspects.includes(owner)
    ? inquire({ ...state, generation }, act)
    : { ...state, generation: Math.max(state.generation, generation - 1), inquiry: undefined }
}

/** Tells whoever has inquired what it waits for to hear. */
const report = (state: State, act: Act): State => {
  if (state.inquirer === undefined) return state
  act.send(state.inquirer, { _tag: "Report", generation: state.generation })
  return { ...state, inquirer: undefined }
}

/** When all have answered, and this node is not inside, there is no token: it makes one. */
const regenerate = (state: State, act: Act): State =>
  state.inquiry === undefined || state.inquiry.awaiting.length > 0 || state.phase === "inside"
    ? state
    : take(state, { ...none, generation: state.generation }, act)

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default. */
export const defaults: Options = { restMillis: 1, lostAfterMillis: 2_000 }

const Millis = Schema.Number.check(Schema.isGreaterThan(0), Schema.isLessThan(2 ** 31))
const Settings = Schema.Struct({ rest: Millis, lostAfter: Millis })

/** Where the token is, a node knows when it has it: it waits for those that have not answered, or for any of the others. */
const reading = (peers: ReadonlyArray<NodeId.NodeId>): Reading<State> => ({
  holder: ({ phase }, self) => (phase === "inside" ? self : undefined),
  queue: () => 0,
  waitsFor: ({ inquiry, phase, suspects }) =>
    phase === "waiting" ? (inquiry?.awaiting ?? peers.filter((node) => !suspects.includes(node))) : []
})

/**
 * A `Mutex` by a token ring, among the nodes of the transport. `resource` names the lock: nodes that use the same name
 * exclude each other, and every node must build the layer.
 *
 * With a `FailureDetector` in the context, nodes that it suspects are left out. Two sides of a split that suspect each
 * other have a token each, and a node that is suspected wrongly may be inside when the next one enters: fence by the token.
 * Fails with `InvalidOptions` when a time is not above 0 and below 24 days, and on a node outside its group.
 */
export const layer = (options: {
  readonly resource: string
  /**
   * How long the lowest node lets the token rest after a round without an entry: less, and an entry comes sooner; more, and
   * an idle ring sends less. Default: 1 ms.
   */
  readonly rest?: Duration.Input
  /**
   * How long the lowest node waits for the token before it has it made anew. An entry that takes longer costs 2(N−1)
   * messages each time. Default: 2 seconds.
   */
  readonly lostAfter?: Duration.Input
}): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      yield* inGroup
      const { nodes, self } = yield* Transport
      const peers = nodes.filter((node) => node !== self)
      const { mutex } = yield* locking(protocol, reading(peers), {
        resource: options.resource,
        options: yield* settings(options)
      })
      return mutex
    })
  )

const settings = (options: Parameters<typeof layer>[0]): Effect.Effect<Options, InvalidOptions> =>
  Schema.decodeUnknownEffect(Settings)({
    rest: millis(options.rest, defaults.restMillis),
    lostAfter: millis(options.lostAfter, defaults.lostAfterMillis)
  }).pipe(
    Effect.mapBoth({
      onSuccess: ({ lostAfter, rest }) => ({ restMillis: rest, lostAfterMillis: lostAfter }),
      onFailure: ({ message }) => new InvalidOptions({ reason: message })
    })
  )

/** What is no duration stays as it is, for the schema to refuse. */
const millis = (given: Duration.Input | undefined, otherwise: number): unknown =>
  given === undefined
    ? otherwise
    : Option.match(Duration.fromInput(given), { onNone: () => given, onSome: Duration.toMillis })
