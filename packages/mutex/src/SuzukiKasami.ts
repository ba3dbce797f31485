/**
 * Suzuki–Kasami: one token is the permission; who wants it asks all, since nobody else need know where it is.
 *
 * A node that has the token enters without a message. Any other numbers its request and sends it to all others. Each node
 * remembers the highest request number of every node (RN); the token carries the number of each node's request that was
 * served last (LN), and a queue (Q). A holder that leaves appends to Q whoever has RN above LN, and sends the token to the
 * first. A holder that does not use it sends it to whoever asks. So an entry costs N messages, or none. A node that has
 * forgotten its numbers is told the highest that is known of it, and asks with the next.
 *
 * The token is lost with a node that crashes. With a `FailureDetector` in the context, the lowest node that is not
 * suspected, or whoever passed the token to the dead, begins a new generation: it asks all others to take no token of an
 * older one any more. Who has the token gives it up; who is inside answers when it has left. Only when all have answered
 * is there a new token; an old one, still on its way, is refused. Each says which request it waits for, and so the new
 * token's LN is known.
 *
 * Source: I. Suzuki, T. Kasami, "A Distributed Mutual Exclusion Algorithm", ACM TOCS 3(4), 1985. For the regeneration:
 * S. Nishio, K. F. Li, E. G. Manning, "A Resilient Mutual Exclusion Algorithm for Computer Networks", IEEE TPDS 1(3), 1990
 * (there by timeouts; here by a failure detector).
 */
import type { Card, Protocol } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import type { Reading } from "./internal/acquisition.ts"
import { fencingToken, isStranger, nextGeneration, ownerOf, without } from "./internal/generations.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { inGroup, locking } from "./internal/locking.ts"
import { type FencingToken, type InvalidOptions, Mutex } from "./Mutex.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** What the holder of the token knows. */
const Token = Schema.Struct({
  generation: Natural,
  /** How many entries this generation has seen. */
  entries: Natural,
  /** LN: of each node, by rank, the number of its request that was served last. */
  served: Schema.Array(Natural),
  /** Q: who gets the token next. */
  queue: Schema.Array(Schema.String)
})
type Token = typeof Token.Type

export const Message = Schema.Union([
  /** "I want the token, for the `number`th time." */
  Schema.TaggedStruct("Request", { number: Natural }),
  /** "I know a request of yours of that number, and so took your request, `asked`, for an old one." */
  Schema.TaggedStruct("Known", { asked: Natural, number: Natural }),
  /** "It is yours." */
  Schema.TaggedStruct("Token", { token: Token }),
  /** "Take no token of an older generation, and give up the one that you have." */
  Schema.TaggedStruct("Inquire", { generation: Natural }),
  /** "I do; I am not inside, and my request of that number is `pending`", or served. */
  Schema.TaggedStruct("Report", { generation: Natural, number: Natural, pending: Schema.Boolean }),
  /** "There has been an inquiry of this generation: yours, or your token, is as old or older." */
  Schema.TaggedStruct("Obsolete", { generation: Natural })
])
export type Message = typeof Message.Type

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws: the token still comes, and is passed on. Ignored otherwise. */
  | { readonly _tag: "Release" }
  | Suspicion.Suspicion

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

/** A round that makes the token anew. */
interface Inquiry {
  readonly generation: number
  /** Who has not answered. */
  readonly awaiting: ReadonlyArray<NodeId.NodeId>
  /** LN of the token to come, as far as it is known. */
  readonly served: ReadonlyArray<number>
}

export interface State {
  readonly phase: "idle" | "waiting" | "inside"
  /** RN: of each node, by rank, its highest request number. */
  readonly requested: ReadonlyArray<number>
  /** Whether this node's latest request is not served. Stays so when it is withdrawn. */
  readonly pending: boolean
  readonly token: Token | undefined
  /** Who got the token from this node last. */
  readonly passedTo: NodeId.NodeId | undefined

  // Regeneration.
  /** The highest generation heard of. An older token is refused. */
  readonly generation: number
  /** Of this node. */
  readonly inquiry: Inquiry | undefined
  /** Who gets an answer to its inquiry when this node leaves. */
  readonly inquirer: NodeId.NodeId | undefined
  /** Whom the failure detector takes for dead. */
  readonly suspects: ReadonlyArray<NodeId.NodeId>
}

type Act = Protocol.Actions<Message, Event, never, void>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Suzuki–Kasami",
  summary: "One token, asked of all; it carries who was served last and who comes next.",
  paper: {
    authors: "Ichiro Suzuki, Tadao Kasami",
    title: "A Distributed Mutual Exclusion Algorithm",
    venue: "ACM TOCS 3(4)",
    year: 1985
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
      description: "At most one node has a token.",
      holds: (nodes) => nodes.filter(({ alive, state }) => alive && state.token !== undefined).length <= 1
    },
    noStarvation,
    aNodeEnters
  ],
  weaknesses: [
    {
      name: "a holder that crashes",
      description:
        "The token is lost with it: without a failure detector everybody starves. With one, a new token is made once " +
        "all that are not suspected have said that they have none.",
      faults: "crash",
      breaks: "no starvation"
    },
    {
      name: "a waiter that crashes",
      description:
        "The token is sent to it, and is lost: without a failure detector everybody starves. A bystander that crashes " +
        "harms nobody.",
      faults: "crash",
      breaks: "no starvation"
    },
    {
      name: "one lost message starves",
      description: "A token or a request that is lost is not sent again.",
      faults: "lossy",
      breaks: "no starvation"
    },
    {
      name: "a split starves",
      description: "A token or a request that is sent into the split is lost.",
      faults: "partition",
      breaks: "no starvation"
    },
    {
      name: "a node that forgets",
      description:
        "The lowest node comes back as it began: with a token. Another is told from which number on to count, and is " +
        "served; who asked while it was down waits until the token has left it.",
      faults: "crash",
      breaks: "mutual exclusion"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "0", of: () => 0 },
    worst: { text: "N", of: (nodes) => (nodes === 1 ? 0 : nodes) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event> = {
  name: "mutex/suzuki-kasami",
  card,
  message: Message,

  init: ({ id, nodes }) => {
    const zeros = nodes.map(() => 0)
    return {
      phase: "idle",
      requested: zeros,
      pending: false,
      token: id === nodes[0] ? { generation: 0, entries: 0, served: zeros, queue: [] } : undefined,
      passedTo: undefined,
      generation: 0,
      inquiry: undefined,
      inquirer: undefined,
      suspects: []
    }
  },

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        if (state.phase !== "idle") return state
        if (state.token !== undefined) return enter(state, state.token, act)
        return state.pending ? { ...state, phase: "waiting" } : request({ ...state, phase: "waiting" }, act)
      case "Release":
        if (state.phase === "idle") return state
        return state.phase === "waiting" ? { ...state, phase: "idle" } : leave(state, act)
      case "Suspect":
        return suspect({ ...state, suspects: Suspicion.applied(state.suspects, command) }, command.node, act)
      case "Trust":
        // It may hold an older token.
        if (state.generation > 0) act.send(command.node, { _tag: "Obsolete", generation: state.generation })
        return offer({ ...state, suspects: Suspicion.applied(state.suspects, command) }, act)
    }
  },

  onMessage: (state, from, message, act) => {
    if (isStranger(from, act.self)) return state
    switch (message._tag) {
      case "Request": {
        const rank = act.self.nodes.indexOf(from)
        const known = state.requested[rank]!
        if (message.number > known)
          return offer({ ...state, requested: state.requested.with(rank, message.number) }, act)
        // It comes late, or of a node that counts anew because it has forgotten.
        act.send(from, { _tag: "Known", asked: message.number, number: known })
        return state
      }
      case "Known": {
        const rank = rankOf(act.self)
        if (!state.pending || message.asked !== state.requested[rank]) return state
        return request({ ...state, requested: state.requested.with(rank, message.number) }, act)
      }
      case "Token":
        return message.token.generation < state.generation ? state : take(state, message.token, act)
      case "Inquire":
        return answer(state, from, message.generation, act)
      case "Report":
        return hearReport(state, from, message, act)
      case "Obsolete":
        return learn(state, message.generation, act)
    }
  }
}

// ------------------------------------------------------------------------------------------------- requests and the token

const rankOf = ({ id, nodes }: Protocol.Self): number => nodes.indexOf(id)

const request = (state: State, act: Act): State => {
  const rank = rankOf(act.self)
  const number = state.requested[rank]! + 1
  act.sendAll(act.self.peers, { _tag: "Request", number })
  return { ...state, requested: state.requested.with(rank, number), pending: true }
}

const enter = (state: State, token: Token, act: Act): State => {
  const entries = token.entries + 1
  act.emit({ _tag: "Acquired", token: fencingToken(token.generation, entries) })
  return { ...state, phase: "inside", token: { ...token, entries } }
}

const take = (state: State, token: Token, act: Act): State => {
  const taken: State = { ...state, token, generation: token.generation, inquiry: undefined }
  if (state.phase === "inside") return taken
  // What it was asked for may have been withdrawn.
  return state.phase === "waiting" ? enter(taken, token, act) : leave(taken, act)
}

/** Its request is served: LN is RN. The token goes to the first of Q, or was given up. */
const leave = (state: State, act: Act): State => {
  const left: State = { ...state, phase: "idle", pending: false }
  const { token } = state
  if (token === undefined) return regenerate(report(left, act), act)
  const rank = rankOf(act.self)
  return offer({ ...left, token: { ...token, served: token.served.with(rank, state.requested[rank]!) } }, act)
}

/** Appends whoever waits to Q, and sends the token to the first. An idle node alone does so. */
const offer = (state: State, act: Act): State => {
  const { phase, requested, suspects, token } = state
  if (token === undefined || phase !== "idle") return state
  const { id, nodes } = act.self
  const queue = token.queue.filter((node) => !suspects.includes(node))
  for (const [rank, node] of nodes.entries()) {
    // The paper has RN = LN + 1. A number may have been left out when a token was made anew.
    const waits = requested[rank]! > token.served[rank]! && node !== id
    if (waits && !suspects.includes(node) && !queue.includes(node)) queue.push(node)
  }
  const [next, ...rest] = queue
  if (next === undefined) return token.queue.length === 0 ? state : { ...state, token: { ...token, queue } }
  act.send(next, { _tag: "Token", token: { ...token, queue: rest } })
  return { ...state, token: undefined, passedTo: next }
}

// --------------------------------------------------------------------------------------------------------- regeneration

const suspect = (state: State, node: NodeId.NodeId, act: Act): State => {
  const { inquiry, passedTo, suspects } = state
  if (inquiry !== undefined) {
    return regenerate({ ...state, inquiry: { ...inquiry, awaiting: without(inquiry.awaiting, node) } }, act)
  }
  const lowest = act.self.nodes.find((each) => !suspects.includes(each))
  // The lowest may have inquired before the token was passed to the dead.
  return lowest === act.self.id || passedTo === node ? inquire(state, act) : state
}

/** Begins a generation: asks all that are not suspected, and gives up its own token like everybody. */
const inquire = (state: State, act: Act): State => {
  const generation = nextGeneration(state.generation, act.self)
  const awaiting = act.self.peers.filter((node) => !state.suspects.includes(node))
  act.sendAll(awaiting, { _tag: "Inquire", generation })
  const inquiry = { generation, awaiting, served: state.requested }
  return regenerate({ ...giveUp(state, generation), inquiry, inquirer: undefined }, act)
}

const giveUp = (state: State, generation: number): State => ({
  ...state,
  generation,
  token: undefined,
  passedTo: undefined
})

const answer = (state: State, from: NodeId.NodeId, generation: number, act: Act): State => {
  // It has the token that came of this.
  if (generation === state.token?.generation) return state
  // One that it has heard of, and not been asked in, it answers all the same.
  if (generation < state.generation) {
    act.send(from, { _tag: "Obsolete", generation: state.generation })
    return state
  }
  const given = { ...giveUp(state, generation), inquiry: undefined, inquirer: from }
  return state.phase === "inside" ? given : report(given, act)
}

/** Tells whoever has inquired what it waits for to hear. */
const report = (state: State, act: Act): State => {
  const { generation, inquirer, pending, requested } = state
  if (inquirer === undefined) return state
  act.send(inquirer, { _tag: "Report", generation, number: requested[rankOf(act.self)]!, pending })
  return { ...state, inquirer: undefined }
}

const hearReport = (
  state: State,
  from: NodeId.NodeId,
  { generation, number, pending }: Extract<Message, { readonly _tag: "Report" }>,
  act: Act
): State => {
  const { inquiry, requested } = state
  if (inquiry?.generation !== generation) return state
  const rank = act.self.nodes.indexOf(from)
  return regenerate(
    {
      ...state,
      requested: requested.with(rank, Math.max(requested[rank]!, number)),
      inquiry: {
        generation,
        awaiting: without(inquiry.awaiting, from),
        served: inquiry.served.with(rank, pending ? number - 1 : number)
      }
    },
    act
  )
}

/** When all have answered, and this node is not inside, there is no token: it makes one. */
const regenerate = (state: State, act: Act): State => {
  const { inquiry, phase } = state
  if (inquiry === undefined || inquiry.awaiting.length > 0 || phase === "inside") return state
  return take(state, { generation: inquiry.generation, entries: 0, served: inquiry.served, queue: [] }, act)
}

/** Others are in a later generation: this node's token is none any more, and what it asked for may be forgotten. */
const learn = (state: State, generation: number, act: Act): State => {
  if (generation < state.generation) return state
  if (generation > state.generation && state.inquiry !== undefined) {
    // Whoever began it goes on with it, unless it is dead: its Inquire is on its way, and is to be answered.
    return state.suspects.includes(ownerOf(generation, act.self))
      ? inquire({ ...state, generation }, act)
      : { ...giveUp(state, generation - 1), inquiry: undefined }
  }
  const learnt = generation > state.generation ? giveUp(state, generation) : state
  return state.pending && state.phase !== "inside" ? request(learnt, act) : learnt
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** Where the token is, a node knows when it has it: it waits for any of the others. */
const reading = (peers: ReadonlyArray<NodeId.NodeId>): Reading<State> => ({
  holder: ({ phase }, self) => (phase === "inside" ? self : undefined),
  queue: ({ token }) => token?.queue.length ?? 0,
  waitsFor: ({ inquiry, phase, suspects }) =>
    phase === "waiting" ? (inquiry?.awaiting ?? peers.filter((node) => !suspects.includes(node))) : []
})

/**
 * A `Mutex` by Suzuki and Kasami's algorithm, among the nodes of the transport. `resource` names the lock: nodes that use
 * the same name exclude each other, and every node must build the layer. The lowest node has the token at first.
 *
 * With a `FailureDetector` in the context a token that was lost with a node is made anew. A node that is suspected wrongly
 * may be inside when the next one enters: fence by the token, which is higher in each generation. Fails with
 * `InvalidOptions` on a node outside its group.
 */
export const layer = (options: {
  readonly resource: string
}): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      yield* inGroup
      const { nodes, self } = yield* Transport
      const peers = nodes.filter((node) => node !== self)
      const { mutex } = yield* locking(protocol, reading(peers), { resource: options.resource, options: undefined })
      return mutex
    })
  )
