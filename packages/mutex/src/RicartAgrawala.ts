/**
 * Ricart–Agrawala: whoever asks first, by Lamport's order, enters first; it takes everyone's permission.
 *
 * To enter, a node sends a request with a Lamport timestamp to all others and waits for a reply from each. A node that
 * is asked replies at once, unless it is inside, or wants to be with an earlier timestamp: then it defers its reply until
 * it leaves. So permission from all means that nobody with an earlier claim is left, in 2(N−1) messages an entry, the
 * fewest for an algorithm that treats all nodes alike.
 *
 * What it cannot bear is a node that does not answer: one crash, and everybody starves. Where a `Membership` says who is
 * alive, a request asks just the members of the current view, and a view that leaves a node out stands in for its reply.
 *
 * Source: G. Ricart, A. K. Agrawala, "An Optimal Algorithm for Mutual Exclusion in Computer Networks", CACM 24(1), 1981.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { LamportTimestamp } from "@troupe/clocks"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import { acquisition, type Reading } from "./internal/acquisition.ts"
import { inGroup } from "./internal/locking.ts"
import { type FencingToken, type InvalidOptions, Mutex } from "./Mutex.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** "May I enter?" `time` and the sender are the claim; `view` names the members that are asked. */
  Schema.TaggedStruct("Request", { time: Natural, view: Natural }),
  /** "As for me, yes", to the request of that time. */
  Schema.TaggedStruct("Reply", { time: Natural })
])
export type Message = typeof Message.Type

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request. Ignored otherwise. */
  | { readonly _tag: "Release" }

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

interface Claim extends LamportTimestamp.LamportTimestamp {
  readonly view: number
}

export interface State {
  // Who is in the group.
  readonly view: number
  /** The members of the view but this node. */
  readonly others: ReadonlyArray<NodeId.NodeId>

  // Lamport's clock: at least the time of every request sent, or received in this view, and never below the view's floor.
  readonly time: number

  readonly phase: "idle" | "waiting" | "inside"
  /** This node's latest request. */
  readonly claim: Claim
  /** Whose reply is missing. Empty unless waiting. */
  readonly awaiting: ReadonlyArray<NodeId.NodeId>
  /** Requests that get their reply when this node leaves, or has installed their view; the latest of each node. */
  readonly deferred: ReadonlyArray<Claim>
}

type Act = Protocol.Actions<Message, Event, never, void>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Ricart–Agrawala",
  summary: "Permission from everyone, granted in the order of Lamport timestamps; a holder defers its replies.",
  paper: {
    authors: "Glenn Ricart, Ashok K. Agrawala",
    title: "An Optimal Algorithm for Mutual Exclusion in Computer Networks",
    venue: "CACM 24(1)",
    year: 1981
  },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: true, order: "any" },
    tolerates: ["none"]
  },
  guarantees: [
    {
      name: "mutual exclusion",
      kind: "always",
      description: "At most one node is inside.",
      holds: (nodes) => nodes.filter(({ alive, state }) => alive && state.phase === "inside").length <= 1
    },
    {
      name: "order of claims",
      kind: "always",
      description: "Whoever is inside has the earliest claim of all that wait: tokens grow from entry to entry.",
      holds: (nodes) => {
        const inside = nodes.find(({ alive, state }) => alive && state.phase === "inside")
        return (
          inside === undefined ||
          nodes.every(
            ({ alive, state }) =>
              !alive || state.phase !== "waiting" || LamportTimestamp.isBefore(inside.state.claim, state.claim)
          )
        )
      }
    },
    {
      name: "no starvation",
      kind: "eventually",
      description: "Every request is granted.",
      holds: (nodes) => nodes.every(({ alive, state }) => !alive || state.phase !== "waiting")
    },
    {
      name: "a node enters",
      kind: "sometimes",
      description: "The run has seen an entry.",
      holds: (nodes) => nodes.some(({ state }) => state.phase === "inside")
    }
  ],
  weaknesses: [
    {
      name: "one crash starves all",
      description: "A node that does not reply holds up every request from then on.",
      faults: "crash",
      breaks: "no starvation"
    },
    {
      name: "one lost message starves",
      description: "A request or reply that is lost is not sent again.",
      faults: "lossy",
      breaks: "no starvation"
    },
    {
      name: "a split starves",
      description: "What is sent while the network is split is lost, and nobody has everyone's answer.",
      faults: "partition",
      breaks: "no starvation"
    },
    {
      name: "a node that forgets",
      description: "A node that comes back without its clock makes an early claim, which others grant beside a holder.",
      faults: "crash",
      breaks: "mutual exclusion"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "2(N−1)", of: (nodes) => 2 * (nodes - 1) },
    worst: { text: "2(N−1)", of: (nodes) => 2 * (nodes - 1) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event> = {
  name: "mutex/ricart-agrawala",
  card,
  message: Message,

  init: (self) => ({
    view: 0,
    others: self.peers,
    time: 0,
    phase: "idle",
    claim: { time: 0, node: self.id, view: 0 },
    awaiting: [],
    deferred: []
  }),

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        return state.phase === "idle" ? request(state, act) : state
      case "Release":
        return state.phase === "idle" ? state : answerDeferred({ ...state, phase: "idle", awaiting: [] }, act)
    }
  },

  onMessage: (state, from, message, act) => {
    if (message._tag === "Reply") {
      if (state.phase !== "waiting" || message.time !== state.claim.time) return state
      return enterIfPermitted({ ...state, awaiting: without(state.awaiting, from) }, act)
    }
    const claim = { time: message.time, node: from, view: message.view }
    // An older view is gone: its members ask again in the new one.
    if (claim.view < state.view) return state
    // A newer one is not installed yet, and its times do not count until then: claims of this view come before.
    if (claim.view > state.view) return { ...state, deferred: latest(state.deferred, claim) }
    const heard = hear(state, claim)
    if (!maySay(heard, claim)) return { ...heard, deferred: latest(heard.deferred, claim) }
    act.send(from, { _tag: "Reply", time: claim.time })
    return heard
  },

  // The members have changed. Who is inside stays there; who waits asks the new members, with a later claim.
  onView: (state, view, act) => {
    if (view.number <= state.view || !view.members.includes(act.self.id)) return state
    const deferred = state.deferred.filter((claim) => claim.view >= view.number)
    const installed: State = {
      ...state,
      view: view.number,
      others: view.members.filter((node) => node !== act.self.id),
      time: Math.max(state.time, view.number * timesPerView),
      awaiting: [],
      deferred
    }
    const caughtUp = deferred.filter((claim) => claim.view === view.number).reduce(hear, installed)
    return answerDeferred(state.phase === "waiting" ? request(caughtUp, act) : caughtUp, act)
  }
}

/** The clock never falls behind a claim. */
const hear = (state: State, claim: Claim): State => (claim.time > state.time ? { ...state, time: claim.time } : state)

/** Whether this node has no earlier claim than `claim`, and is not inside. */
const maySay = (state: State, claim: Claim): boolean =>
  state.phase === "idle" || (state.phase === "waiting" && LamportTimestamp.isBefore(claim, state.claim))

/** `claims` with one more. Of two requests of a node the later counts, whichever arrives first. */
const latest = (claims: ReadonlyArray<Claim>, claim: Claim): ReadonlyArray<Claim> => {
  const other = claims.find(({ node }) => node === claim.node)
  if (other === undefined) return [...claims, claim]
  return other.time >= claim.time ? claims : [...claims.filter((each) => each !== other), claim]
}

/** Asks everybody, with a claim later than any that this node has seen. */
const request = (state: State, act: Act): State => {
  const time = state.time + 1
  act.sendAll(state.others, { _tag: "Request", time, view: state.view })
  return enterIfPermitted(
    {
      ...state,
      time,
      phase: "waiting",
      claim: { time, node: act.self.id, view: state.view },
      awaiting: state.others
    },
    act
  )
}

const enterIfPermitted = (state: State, act: Act): State => {
  if (state.awaiting.length > 0) return state
  act.emit({ _tag: "Acquired", token: token(state.claim, act.self) })
  return { ...state, phase: "inside" }
}

/** Replies to whom a reply is owed by now; requests of a view that is not installed yet go on waiting. */
const answerDeferred = (state: State, act: Act): State => {
  if (state.deferred.length === 0) return state
  const deferred: Array<Claim> = []
  for (const claim of state.deferred) {
    if (claim.view === state.view && maySay(state, claim)) act.send(claim.node, { _tag: "Reply", time: claim.time })
    else deferred.push(claim)
  }
  return { ...state, deferred }
}

/**
 * Entries follow the order of their claims: a later claim of an asked node is later in Lamport's order too, since the
 * reply was given by a clock that had seen the request. So time and rank, as one number, are the fencing token.
 */
const token = (claim: Claim, self: Protocol.Self<void>): FencingToken => {
  const value = claim.time * self.nodes.length + self.nodes.indexOf(claim.node)
  if (!Number.isSafeInteger(value)) throw new RangeError("fencing tokens are used up: 2^53 of them")
  return value
}

/**
 * Where the times of a view start: past all times of earlier views, so that a node which comes back with an empty memory
 * cannot make an early claim. Enough for 2^30 requests a view and, at 49 nodes, 170,000 views.
 */
const timesPerView = 2 ** 30

const without = (nodes: ReadonlyArray<NodeId.NodeId>, node: NodeId.NodeId): ReadonlyArray<NodeId.NodeId> => {
  const at = nodes.indexOf(node)
  if (at < 0) return nodes
  const rest = nodes.slice()
  rest.splice(at, 1)
  return rest
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** Nobody says who is inside but the node that is. */
const reading: Reading<State> = {
  holder: ({ phase }, self) => (phase === "inside" ? self : undefined),
  queue: ({ deferred }) => deferred.length,
  waitsFor: ({ awaiting }) => awaiting
}

/**
 * A `Mutex` by Ricart and Agrawala's algorithm, among the nodes of the transport or, where a `Membership` is provided,
 * among its members. `resource` names the lock: nodes that use the same name exclude each other, and every node of the
 * group must build the layer, or those that do wait for its reply.
 *
 * Of a `Membership` it takes views numbered from 1. A node that crashed must come back in a view of a higher number, for
 * it has forgotten its clock. A view that leaves out a node which is still inside lets another in: fence by the token.
 * Fails with `InvalidOptions` on a node outside its group.
 */
export const layer = (options: {
  readonly resource: string
}): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      yield* inGroup
      const { mutex, onRestart } = yield* acquisition(reading)
      return yield* mutex(yield* Actor.spawn(protocol, { name: `${protocol.name}/${options.resource}`, onRestart }))
    })
  )
