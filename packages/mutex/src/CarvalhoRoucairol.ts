/**
 * Carvalho roucairol: one node, the coordinator, hands out the lock in the order in which it was asked.
 *
 * Replace this by what the algorithm is for, its idea in a few sentences, and its paper.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Schema } from "effect"
import { acquisition, type Reading } from "./internal/acquisition.ts"
import { type FencingToken, Mutex } from "./Mutex.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** To the coordinator: "may I enter?" `request` numbers the requests of the sender. */
  Schema.TaggedStruct("Request", { request: Natural }),
  /** From the coordinator: "you may". */
  Schema.TaggedStruct("Grant", { request: Natural, token: Natural }),
  /** To the coordinator: "I have left", or "I don't wait any more". */
  Schema.TaggedStruct("Release", { request: Natural })
])
export type Message = typeof Message.Type

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request. Ignored otherwise. */
  | { readonly _tag: "Release" }

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

interface Claim {
  readonly node: NodeId.NodeId
  readonly request: number
}

export interface State {
  readonly phase: "idle" | "waiting" | "inside"
  /** The number of this node's latest request. */
  readonly request: number

  // What the coordinator knows.
  /** The claims in the order of their arrival: the first is granted. */
  readonly queue: ReadonlyArray<Claim>
  /** The token of the latest grant. */
  readonly token: FencingToken
}

type Act = Protocol.Actions<Message, Event, never, void>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Carvalho roucairol",
  summary: "One node, the coordinator, hands out the lock in the order in which it was asked.",
  paper: { authors: "Folklore", title: "The central server algorithm", venue: "none", year: 1978 },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: false, order: "fifo" },
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
      name: "a coordinator that crashes forgets who waits",
      description: "Nobody asks again after its restart.",
      faults: "crash",
      breaks: "no starvation"
    },
    {
      name: "one lost message starves",
      description: "A message that is lost is not sent again.",
      faults: "lossy",
      breaks: "no starvation"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "3", of: () => 3 },
    worst: { text: "3", of: () => 3 }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event> = {
  name: "mutex/carvalho-roucairol",
  card,
  message: Message,

  init: () => ({ phase: "idle", request: 0, queue: [], token: 0 }),

  onCommand: (state, command, act) => {
    const coordinator = act.self.nodes[0]!
    switch (command._tag) {
      case "Acquire": {
        if (state.phase !== "idle") return state
        const request = state.request + 1
        act.send(coordinator, { _tag: "Request", request })
        return { ...state, phase: "waiting", request }
      }
      case "Release":
        if (state.phase === "idle") return state
        act.send(coordinator, { _tag: "Release", request: state.request })
        return { ...state, phase: "idle" }
    }
  },

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Request":
        return grantFirst(state, [...state.queue, { node: from, request: message.request }], act)
      case "Release":
        return grantFirst(
          state,
          state.queue.filter((claim) => !isClaim(claim, from, message.request)),
          act
        )
      case "Grant":
        // A grant of a request that was withdrawn meanwhile is given back by its Release, which is on its way.
        if (state.phase !== "waiting" || message.request !== state.request) return state
        act.emit({ _tag: "Acquired", token: message.token })
        return { ...state, phase: "inside" }
    }
  }
}

const isClaim = (claim: Claim, node: NodeId.NodeId, request: number): boolean =>
  claim.node === node && claim.request === request

/** Grants the lock when another claim than before is the first. */
const grantFirst = (state: State, queue: ReadonlyArray<Claim>, act: Act): State => {
  const first = queue[0]
  if (first === undefined || first === state.queue[0]) return { ...state, queue }
  const token = state.token + 1
  act.send(first.node, { _tag: "Grant", request: first.request, token })
  return { ...state, queue, token }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** Only the coordinator knows who else waits. A node that waits waits for the one that is first. */
const reading: Reading<State> = {
  holder: ({ phase, queue }, self) => queue[0]?.node ?? (phase === "inside" ? self : undefined),
  queue: ({ queue }) => Math.max(0, queue.length - 1),
  waitsFor: ({ phase, queue }) => (phase === "waiting" && queue[0] !== undefined ? [queue[0].node] : [])
}

/** A `Mutex` by this algorithm. `resource` names the lock: nodes that use the same name exclude each other. */
export const layer = (options: { readonly resource: string }): Layer.Layer<Mutex, ChannelInUse, Transport> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      const { mutex, onRestart } = yield* acquisition(reading)
      return yield* mutex(yield* Actor.spawn(protocol, { name: `${protocol.name}/${options.resource}`, onRestart }))
    })
  )
