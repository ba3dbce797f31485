/**
 * Carvalho–Roucairol: Ricart and Agrawala's lock with permissions that stay.
 *
 * A permission, once given, lasts until the one that has it gives its own in turn: whoever enters again before others
 * ask has them all, and sends nothing. So an entry costs two messages for each node that has asked since this one was
 * inside: 0 to 2(N−1). Among those that ask, the earlier claim goes first. A node that waits and gives way to an earlier
 * claim has lost that permission, and asks for it anew.
 *
 * Entries no longer follow the order of claims, since a holder may come back before a request reaches it; so a reply
 * carries its sender's clock, and the time of entry is the fencing token.
 *
 * Source: O. S. F. Carvalho, G. Roucairol, "On Mutual Exclusion in Computer Networks", CACM 26(2), 1983.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { LamportTimestamp } from "@troupe/clocks"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import { acquisition, type Reading } from "./internal/acquisition.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { inGroup } from "./internal/locking.ts"
import { type FencingToken, type InvalidOptions, Mutex } from "./Mutex.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** "May I enter, this time and until you ask me?" */
  Schema.TaggedStruct("Request", { request: Natural }),
  /** "As for me, yes", to the request of that time. `time`: the sender's clock. */
  Schema.TaggedStruct("Reply", { request: Natural, time: Natural })
])
export type Message = typeof Message.Type

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request. Ignored otherwise. */
  | { readonly _tag: "Release" }

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

type Claim = LamportTimestamp.LamportTimestamp

export interface State {
  /** Lamport's clock: at least the time of every entry, request and reply that it has heard of. */
  readonly time: number
  readonly phase: "idle" | "waiting" | "inside"
  /** This node's latest request. */
  readonly claim: Claim
  /** Whose permission it has. Of two nodes never both have the other's. All others, while inside. */
  readonly permitted: ReadonlyArray<NodeId.NodeId>
  /** Requests that get their reply when this node leaves; the latest of each node. Empty while idle. */
  readonly deferred: ReadonlyArray<Claim>
}

type Act = Protocol.Actions<Message, Event, never, void>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Carvalho–Roucairol",
  summary: "Permission from everyone, kept until the other asks; a node that enters again sends nothing.",
  paper: {
    authors: "Osvaldo S. F. Carvalho, Gérard Roucairol",
    title: "On Mutual Exclusion in Computer Networks",
    venue: "CACM 26(2)",
    year: 1983
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
      name: "one of two has permission",
      kind: "always",
      description: "No two nodes have each other's permission.",
      holds: (nodes) =>
        nodes.every(({ node, state }) =>
          nodes.every((other) => !state.permitted.includes(other.node) || !other.state.permitted.includes(node))
        )
    },
    noStarvation,
    aNodeEnters
  ],
  weaknesses: [
    {
      name: "a crash starves whoever lacks its permission",
      description:
        "A holder, a waiter or a bystander that does not reply; who has its permission goes on until it is asked.",
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
      description: "What is sent while the network is split is lost.",
      faults: "partition",
      breaks: "no starvation"
    },
    {
      name: "a node that forgets",
      description:
        "A reply to a request from before the crash counts for the one after it, and its tokens may come again.",
      faults: "crash",
      breaks: "mutual exclusion"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "0", of: () => 0 },
    worst: { text: "2(N−1)", of: (nodes) => 2 * (nodes - 1) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event> = {
  name: "mutex/carvalho-roucairol",
  card,
  message: Message,

  init: (self) => ({ time: 0, phase: "idle", claim: { time: 0, node: self.id }, permitted: [], deferred: [] }),

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        return state.phase === "idle" ? request(state, act) : state
      case "Release":
        return state.phase === "idle" ? state : leave(state, act)
    }
  },

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Request":
        return onRequest(hear(state, message.request), { time: message.request, node: from }, act)
      case "Reply":
        return onReply(hear(state, message.time), from, message.request, act)
    }
  }
}

const hear = (state: State, time: number): State => (time > state.time ? { ...state, time } : state)

/** Asks those whose permission it lacks. */
const request = (state: State, act: Act): State => {
  const time = state.time + 1
  for (const peer of act.self.peers) {
    if (!state.permitted.includes(peer)) act.send(peer, { _tag: "Request", request: time })
  }
  return enterIfPermitted({ ...state, time, phase: "waiting", claim: { time, node: act.self.id } }, act)
}

/** A reply to a request that was withdrawn gives nothing: its sender takes the permission for given, and asks. */
const onReply = (state: State, from: NodeId.NodeId, request: number, act: Act): State =>
  state.phase !== "waiting" || request !== state.claim.time
    ? state
    : enterIfPermitted({ ...state, permitted: [...state.permitted, from] }, act)

const enterIfPermitted = (state: State, act: Act): State => {
  if (state.permitted.length < act.self.peers.length) return state
  const token = state.time + 1
  if (!Number.isSafeInteger(token)) throw new RangeError("fencing tokens are used up: 2^53 of them")
  act.emit({ _tag: "Acquired", token })
  return { ...state, phase: "inside", time: token }
}

const onRequest = (state: State, claim: Claim, act: Act): State => {
  const isDeferred =
    state.phase === "inside" || (state.phase === "waiting" && LamportTimestamp.isBefore(state.claim, claim))
  if (isDeferred) return { ...state, deferred: latest(state.deferred, claim) }
  const given = reply(state, claim, act)
  // It had that permission and has lost it. Where it had not, its request is on the way.
  if (state.phase === "waiting" && state.permitted.includes(claim.node)) {
    act.send(claim.node, { _tag: "Request", request: state.claim.time })
  }
  return given
}

const reply = (state: State, { node, time }: Claim, act: Act): State => {
  act.send(node, { _tag: "Reply", request: time, time: state.time })
  return { ...state, permitted: state.permitted.filter((other) => other !== node) }
}

const leave = (state: State, act: Act): State =>
  state.deferred.reduce<State>((left, claim) => reply(left, claim, act), { ...state, phase: "idle", deferred: [] })

/** `claims` with one more. Of two requests of a node the later counts, whichever arrives first. */
const latest = (claims: ReadonlyArray<Claim>, claim: Claim): ReadonlyArray<Claim> => {
  const other = claims.find(({ node }) => node === claim.node)
  if (other === undefined) return [...claims, claim]
  return other.time >= claim.time ? claims : [...claims.filter((each) => each !== other), claim]
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** Nobody says who is inside but the node that is. */
const reading = (nodes: ReadonlyArray<NodeId.NodeId>): Reading<State> => ({
  holder: ({ phase }, self) => (phase === "inside" ? self : undefined),
  queue: ({ deferred }) => deferred.length,
  waitsFor: ({ claim, permitted, phase }) =>
    phase === "waiting" ? nodes.filter((node) => node !== claim.node && !permitted.includes(node)) : []
})

/**
 * A `Mutex` by Carvalho and Roucairol's algorithm, among the nodes of the transport. `resource` names the lock: nodes
 * that use the same name exclude each other, and every node must build the layer, or those that do wait for its reply.
 * Fails with `InvalidOptions` on a node outside its group.
 */
export const layer = (options: {
  readonly resource: string
}): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      yield* inGroup
      const { nodes } = yield* Transport
      const { mutex, onRestart } = yield* acquisition(reading(nodes))
      return yield* mutex(yield* Actor.spawn(protocol, { name: `${protocol.name}/${options.resource}`, onRestart }))
    })
  )
