/**
 * Lamport's queue: every node keeps the queue of all requests, in the order of Lamport timestamps, and the first enters.
 *
 * To enter, a node sends a timestamped request to all others and puts it into its own queue. Each that receives it puts
 * it into its queue and acknowledges. A node enters when its request is the first in its queue, and everybody else has
 * sent it something later than that request: since channels are FIFO, no earlier request can then be on its way. When it
 * leaves, it tells all others, who take its request out of their queues. That is 3(N−1) messages an entry; Ricart and
 * Agrawala save a third by not acknowledging before they leave.
 *
 * A node that is dead never acknowledges, and its request is never taken out. With a `FailureDetector` in the context
 * its silence and its request count for nothing, as long as it is suspected: exclusion is then as good as the detector.
 *
 * Source: L. Lamport, "Time, Clocks, and the Ordering of Events in a Distributed System", CACM 21(7), 1978. For failure
 * detectors in place of answers: C. Delporte-Gallet, H. Fauconnier, R. Guerraoui, P. Kouznetsov, "Mutual exclusion in
 * asynchronous systems with failure detectors", JPDC 65(4), 2005.
 */
import type { Card, Protocol } from "@troupe/actor"
import { LamportTimestamp } from "@troupe/clocks"
import { Suspicion } from "@troupe/failure-detection"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import type { Reading } from "./internal/acquisition.ts"
import { isStranger, without } from "./internal/generations.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { inGroup, locking } from "./internal/locking.ts"
import { type FencingToken, type InvalidOptions, Mutex } from "./Mutex.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** `time` is Lamport's, of the sending. */
export const Message = Schema.Union([
  /** "I want to enter; `time` and I are the claim." */
  Schema.TaggedStruct("Request", { time: Natural }),
  /** "Your request is in my queue." */
  Schema.TaggedStruct("Acknowledge", { time: Natural }),
  /** "I have left", or "I do not want to enter any more". */
  Schema.TaggedStruct("Release", { time: Natural })
])
export type Message = typeof Message.Type

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request. Ignored otherwise. */
  | { readonly _tag: "Release" }
  | Suspicion.Suspicion

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

type Claim = LamportTimestamp.LamportTimestamp

export interface State {
  /** Lamport's clock: above the time of every message received. */
  readonly time: number
  readonly phase: "idle" | "waiting" | "inside"
  /** This node's latest request. */
  readonly claim: Claim
  /** Who has sent nothing later than the claim. Empty unless waiting. */
  readonly awaiting: ReadonlyArray<NodeId.NodeId>
  /** The requests of the others, at most one each. */
  readonly queue: ReadonlyArray<Claim>
  /** Whom the failure detector takes for dead. */
  readonly suspects: ReadonlyArray<NodeId.NodeId>
}

type Act = Protocol.Actions<Message, Event, never, void>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Lamport's queue",
  summary: "Everybody keeps the queue of all requests in the order of Lamport timestamps; the first in it enters.",
  paper: {
    authors: "Leslie Lamport",
    title: "Time, Clocks, and the Ordering of Events in a Distributed System",
    venue: "CACM 21(7)",
    year: 1978
  },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: false, order: "fifo" },
    tolerates: ["none"]
  },
  guarantees: [
    mutualExclusion,
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
    noStarvation,
    aNodeEnters
  ],
  weaknesses: [
    {
      name: "one crash starves all",
      description:
        "A holder, a waiter or a bystander that crashes acknowledges nothing: without a failure detector nobody who " +
        "asks from then on enters. With one, all go on when it is suspected.",
      faults: "crash",
      breaks: "no starvation"
    },
    {
      name: "one lost message starves",
      description: "A request, an acknowledgement or a release that is lost is not sent again.",
      faults: "lossy",
      breaks: "no starvation"
    },
    {
      name: "messages that overtake",
      description: "An acknowledgement that overtakes its sender's earlier request lets two nodes in.",
      faults: "lossy",
      breaks: "mutual exclusion"
    },
    {
      name: "a split starves",
      description: "What is sent while the network is split is lost, and nobody has everyone's acknowledgement.",
      faults: "partition",
      breaks: "no starvation"
    },
    {
      name: "a node that forgets",
      description: "A node that comes back without its queue does not know of the holder, and enters beside it.",
      faults: "crash",
      breaks: "mutual exclusion"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "3(N−1)", of: (nodes) => 3 * (nodes - 1) },
    worst: { text: "3(N−1)", of: (nodes) => 3 * (nodes - 1) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event> = {
  name: "mutex/lamport-queue",
  card,
  message: Message,

  init: (self) => ({
    time: 0,
    phase: "idle",
    claim: { time: 0, node: self.id },
    awaiting: [],
    queue: [],
    suspects: []
  }),

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        return state.phase === "idle" ? request(state, act) : state
      case "Release":
        return state.phase === "idle" ? state : release(state, act)
      case "Suspect":
      case "Trust":
        return enterIfFirst({ ...state, suspects: Suspicion.applied(state.suspects, command) }, act)
    }
  },

  onMessage: (before, from, message, act) => {
    if (isStranger(from, act.self)) return before
    const heard: State = {
      ...before,
      time: Math.max(before.time, message.time) + 1,
      awaiting: message.time > before.claim.time ? without(before.awaiting, from) : before.awaiting
    }
    switch (message._tag) {
      case "Request":
        act.send(from, { _tag: "Acknowledge", time: heard.time })
        return enterIfFirst({ ...heard, queue: [...heard.queue, { time: message.time, node: from }] }, act)
      case "Acknowledge":
        return enterIfFirst(heard, act)
      case "Release":
        return enterIfFirst({ ...heard, queue: heard.queue.filter(({ node }) => node !== from) }, act)
    }
  }
}

const request = (state: State, act: Act): State => {
  const time = state.time + 1
  const { peers } = act.self
  act.sendAll(peers, { _tag: "Request", time })
  return enterIfFirst({ ...state, time, phase: "waiting", claim: { time, node: act.self.id }, awaiting: peers }, act)
}

const release = (state: State, act: Act): State => {
  const time = state.time + 1
  act.sendAll(act.self.peers, { _tag: "Release", time })
  return { ...state, time, phase: "idle", awaiting: [] }
}

/** Whose request comes before this node's, or may still come. */
const before = ({ awaiting, claim, queue, suspects }: State): ReadonlyArray<NodeId.NodeId> => {
  const earlier = queue.filter((other) => LamportTimestamp.isBefore(other, claim)).map(({ node }) => node)
  return [...awaiting, ...earlier.filter((node) => !awaiting.includes(node))].filter((node) => !suspects.includes(node))
}

const enterIfFirst = (state: State, act: Act): State => {
  if (state.phase !== "waiting" || state.awaiting.length > state.suspects.length || before(state).length > 0) {
    return state
  }
  act.emit({ _tag: "Acquired", token: token(state.claim, act.self) })
  return { ...state, phase: "inside", awaiting: [] }
}

/** Entries follow the order of their claims: time and rank, as one number, are the fencing token. */
const token = (claim: Claim, self: Protocol.Self<void>): FencingToken => {
  const value = claim.time * self.nodes.length + self.nodes.indexOf(claim.node)
  if (!Number.isSafeInteger(value)) throw new RangeError("fencing tokens are used up: 2^53 of them")
  return value
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** Nobody says who is inside but the node that is. */
const reading: Reading<State> = {
  holder: ({ phase }, self) => (phase === "inside" ? self : undefined),
  queue: ({ queue }) => queue.length,
  waitsFor: (state) => (state.phase === "waiting" ? before(state) : [])
}

/**
 * A `Mutex` by Lamport's queue, among the nodes of the transport. `resource` names the lock: nodes that use the same name
 * exclude each other, and every node must build the layer, or those that do wait for its acknowledgement.
 *
 * With a `FailureDetector` in the context nobody waits for a node that it suspects. A node that is suspected wrongly may
 * be inside when the next one enters: fence by the token. Fails with `InvalidOptions` on a node outside its group.
 */
export const layer = (options: {
  readonly resource: string
}): Layer.Layer<Mutex, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      yield* inGroup
      const { mutex } = yield* locking(protocol, reading, { resource: options.resource, options: undefined })
      return mutex
    })
  )
