/**
 * Centralised coordinator: one node hands out the lock, in the order in which it is asked.
 *
 * To enter, a node sends a request to the coordinator, which grants it when nobody is inside; whoever leaves says so.
 * That is three messages an entry, and none for the coordinator itself. No lock is simpler or cheaper; but the coordinator
 * is a bottleneck, and when it crashes nobody enters.
 *
 * So the coordinator may be the leader of an election. Its epoch numbers its office. Before a new coordinator grants
 * anything, it inquires of all others who is inside and who waits; whoever answers takes grants of earlier epochs no more.
 * So a grant of its predecessor, still on its way, lets nobody in beside its own. A fencing token is the epoch and the
 * count of its grants: tokens grow across coordinators too.
 *
 * With a `FailureDetector` in the context, the coordinator takes the lock back from a holder that it suspects, grants
 * nothing to a waiter that it suspects, and awaits no answer of such a node.
 *
 * Source: A. S. Tanenbaum, M. van Steen, "Distributed Systems", 3rd edition, 2017, §6.3 (the lock, which is folklore).
 */
import type { Card, Protocol } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import { type ChannelInUse, type NodeId, Transport } from "@troupe/transport"
import { Effect, Layer, Option, Schema, type Scope, Stream } from "effect"
import type { Reading } from "./internal/acquisition.ts"
import { fencingToken, isStranger, without } from "./internal/generations.ts"
import { aNodeEnters, mutualExclusion, noStarvation } from "./internal/guarantees.ts"
import { inGroup, locking } from "./internal/locking.ts"
import { type Claim, end, enqueue, laterThan, newOffice, type Office } from "./internal/office.ts"
import { type FencingToken, InvalidOptions, Mutex } from "./Mutex.ts"

// --------------------------------------------------------------------------------------------------- messages and state

const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Phase = Schema.Literals(["idle", "waiting", "inside"])

/** `number` counts the requests of a node. */
export const Message = Schema.Union([
  /** To the coordinator: "may I enter?" */
  Schema.TaggedStruct("Request", { number: Natural }),
  /** From the coordinator: "you may". */
  Schema.TaggedStruct("Grant", { epoch: Natural, number: Natural, token: Natural }),
  /** To the coordinator: "I have left", or "I do not want to enter any more". */
  Schema.TaggedStruct("Release", { number: Natural }),
  /** From a new coordinator: "how is it with you? Take no grants of earlier epochs." */
  Schema.TaggedStruct("Inquire", { epoch: Natural }),
  /** From the coordinator: "I know a later request of yours than `asked`, or that it is over: count on from there". */
  Schema.TaggedStruct("Known", { asked: Natural, number: Natural }),
  /** To a new coordinator: "my latest request is at this". */
  Schema.TaggedStruct("Report", { epoch: Natural, number: Natural, phase: Phase })
])
export type Message = typeof Message.Type

export type Command =
  /** Asks to enter. Ignored while the node waits or is inside. */
  | { readonly _tag: "Acquire" }
  /** Leaves, or withdraws the request. Ignored otherwise. */
  | { readonly _tag: "Release" }
  /** `leader` is elected. Ignored when its epoch is not higher than those before. */
  | { readonly _tag: "Elected"; readonly leader: NodeId.NodeId; readonly epoch: number }
  | Suspicion.Suspicion

export type Event = { readonly _tag: "Acquired"; readonly token: FencingToken }

export interface State {
  readonly phase: "idle" | "waiting" | "inside"
  /** Of this node's latest request. */
  readonly number: number
  /** Of the coordinator; −1 before there is one. It does not fall. */
  readonly epoch: number
  readonly coordinator: NodeId.NodeId | undefined
  /** Of the coordinator alone. */
  readonly office: Office | undefined
  /** Whom the failure detector takes for dead. */
  readonly suspects: ReadonlyArray<NodeId.NodeId>
}

export interface Options {
  /** Who is coordinator at first, in epoch 0: this node, the lowest, or nobody before an election. */
  readonly coordinator: { readonly node: NodeId.NodeId } | "lowest" | "elected"
}

type Act = Protocol.Actions<Message, Event, never, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Centralised coordinator",
  summary:
    "One node grants the lock in the order in which it is asked. It may be elected: the next takes over who waits.",
  paper: {
    authors: "Andrew S. Tanenbaum, Maarten van Steen",
    title: "Distributed Systems",
    venue: "3rd edition, §6.3",
    year: 2017
  },
  assumes: {
    timing: "asynchronous",
    failures: "none",
    channels: { loss: false, duplication: true, order: "any" },
    tolerates: ["none"]
  },
  guarantees: [mutualExclusion, noStarvation, aNodeEnters],
  weaknesses: [
    {
      name: "the coordinator crashes",
      description: "Everybody starves, unless a new coordinator is elected: it takes over who is inside and who waits.",
      faults: "crash",
      breaks: "no starvation"
    },
    {
      name: "a holder or a waiter crashes",
      description:
        "The lock stays with it, or is granted to it: without a failure detector everybody starves. A bystander that " +
        "crashes harms nobody.",
      faults: "crash",
      breaks: "no starvation"
    },
    {
      name: "a coordinator that forgets",
      description:
        "A coordinator that comes back without its office, and without a new epoch, grants beside the holder.",
      faults: "crash",
      breaks: "mutual exclusion"
    },
    {
      name: "one lost message starves",
      description: "A request, a grant or a release that is lost is not sent again.",
      faults: "lossy",
      breaks: "no starvation"
    },
    {
      name: "a split starves",
      description: "Whoever is cut off from the coordinator does not enter, and what was sent meanwhile is lost.",
      faults: "partition",
      breaks: "no starvation"
    }
  ],
  cost: {
    operation: "entry",
    best: { text: "0, at the coordinator", of: () => 0 },
    worst: { text: "3", of: (nodes) => (nodes === 1 ? 0 : 3) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, never, Options> = {
  name: "mutex/coordinator",
  card,
  message: Message,

  init: ({ id, nodes, options: { coordinator: given } }) => {
    const coordinator = given === "elected" ? undefined : given === "lowest" ? nodes[0] : given.node
    return {
      phase: "idle",
      number: 0,
      epoch: coordinator === undefined ? -1 : 0,
      coordinator,
      office: coordinator === id ? newOffice(nodes, []) : undefined,
      suspects: []
    }
  },

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Acquire":
        return state.phase === "idle" ? request({ ...state, phase: "waiting", number: state.number + 1 }, act) : state
      case "Release":
        return state.phase === "idle" ? state : release({ ...state, phase: "idle" }, act)
      case "Elected":
        if (command.epoch <= state.epoch) return state
        if (command.leader === act.self.id) return takeOffice(state, command.epoch, act)
        // Its Inquire may be lost on a node that was down.
        return answer(state, command.leader, command.epoch, act)
      case "Suspect":
        return suspect({ ...state, suspects: Suspicion.applied(state.suspects, command) }, command.node, act)
      case "Trust":
        return trust({ ...state, suspects: Suspicion.applied(state.suspects, command) }, command.node, act)
    }
  },

  onMessage: (state, from, message, act) => {
    if (isStranger(from, act.self)) return state
    switch (message._tag) {
      case "Request":
        tellKnown(state, { node: from, number: message.number }, act)
        return change(state, (office) => enqueue(office, { node: from, number: message.number }, act.self), act)
      case "Release":
        return change(state, (office) => end(office, { node: from, number: message.number }, act.self), act)
      case "Report":
        return message.epoch === state.epoch ? hearReport(state, from, message, act) : state
      case "Inquire":
        return answer(state, from, message.epoch, act)
      case "Grant":
        return hearGrant(state, from, message, act)
      case "Known":
        if (state.phase !== "waiting" || message.asked !== state.number) return state
        return request({ ...state, number: message.number + 1 }, act)
    }
  }
}

// --------------------------------------------------------------------------------------------------- who wants to enter

const request = (state: State, act: Act): State => {
  const claim = { node: act.self.id, number: state.number }
  if (state.office !== undefined) return change(state, (office) => enqueue(office, claim, act.self), act)
  if (state.coordinator !== undefined) act.send(state.coordinator, { _tag: "Request", number: state.number })
  return state
}

const release = (state: State, act: Act): State => {
  const claim = { node: act.self.id, number: state.number }
  if (state.office !== undefined) return change(state, (office) => end(office, claim, act.self), act)
  if (state.coordinator !== undefined) act.send(state.coordinator, { _tag: "Release", number: state.number })
  return state
}

const hearGrant = (
  state: State,
  from: NodeId.NodeId,
  { epoch, number, token }: Extract<Message, { readonly _tag: "Grant" }>,
  act: Act
): State => {
  if (epoch < state.epoch || (state.phase === "inside" && number === state.number)) return state
  if (state.phase === "waiting" && number === state.number) {
    act.emit({ _tag: "Acquired", token })
    return { ...follow(state, from, epoch), phase: "inside" }
  }
  // It was withdrawn. The Release of then may have come before its Request.
  act.send(from, { _tag: "Release", number })
  return state
}

/** There is a new coordinator. */
const answer = (state: State, from: NodeId.NodeId, epoch: number, act: Act): State => {
  if (epoch < state.epoch || (epoch === state.epoch && from !== state.coordinator)) return state
  act.send(from, { _tag: "Report", epoch, number: state.number, phase: state.phase })
  return follow(state, from, epoch)
}

const follow = (state: State, coordinator: NodeId.NodeId, epoch: number): State =>
  epoch === state.epoch ? state : { ...state, epoch, coordinator, office: undefined }

// ------------------------------------------------------------------------------------------------------ the coordinator

/** What changes the office may let the next one in. */
const change = (state: State, how: (office: Office) => Office, act: Act): State => {
  if (state.office === undefined) return state
  const office = how(state.office)
  return office === state.office ? state : grant({ ...state, office }, act)
}

/** A request of the past came late, or is of a node that counts anew because it has forgotten. */
const tellKnown = ({ office }: State, claim: Claim, act: Act): void => {
  const number = office === undefined ? undefined : laterThan(office, claim, act.self)
  if (number !== undefined) act.send(claim.node, { _tag: "Known", asked: claim.number, number })
}

const grant = (state: State, act: Act): State => {
  const { epoch, office, suspects } = state
  if (office === undefined || office.holder !== undefined || office.awaiting.length > 0) return state
  const next = office.queue.find(({ node }) => !suspects.includes(node))
  if (next === undefined) return state
  const grants = office.grants + 1
  const token = fencingToken(epoch, grants)
  const granted = { ...office, holder: next, queue: office.queue.filter((claim) => claim !== next), grants }
  if (next.node === act.self.id) {
    act.emit({ _tag: "Acquired", token })
    return { ...state, phase: "inside", office: granted }
  }
  act.send(next.node, { _tag: "Grant", epoch, number: next.number, token })
  return { ...state, office: granted }
}

/** Inquires of all; of those that are suspected too, but it awaits no answer of them. */
const takeOffice = (state: State, epoch: number, act: Act): State => {
  const { id, nodes, peers } = act.self
  act.sendAll(peers, { _tag: "Inquire", epoch })
  const office = newOffice(
    nodes,
    peers.filter((node) => !state.suspects.includes(node))
  )
  const own = { epoch, number: state.number, phase: state.phase }
  return hearReport({ ...state, epoch, coordinator: id, office }, id, own, act)
}

const hearReport = (
  state: State,
  from: NodeId.NodeId,
  { number, phase }: Omit<Extract<Message, { readonly _tag: "Report" }>, "_tag">,
  act: Act
): State => {
  if (phase === "waiting") tellKnown(state, { node: from, number }, act)
  return change(
    state,
    (before) => {
      const office = { ...before, awaiting: without(before.awaiting, from) }
      const claim = { node: from, number }
      if (phase === "idle") return end(office, claim, act.self)
      const entered = enqueue(office, claim, act.self)
      if (phase === "waiting" || !entered.queue.some((other) => other.node === from && other.number === number)) {
        return entered
      }
      // Whoever is inside was granted by another coordinator. That one may have taken the lock back from the dead, whose
      // report is here too: then this claim is the next.
      const others = entered.queue.filter(({ node }) => node !== from)
      return entered.holder === undefined && !state.suspects.includes(from)
        ? { ...entered, holder: claim, queue: others }
        : { ...entered, queue: [claim, ...others] }
    },
    act
  )
}

/** The lock of a suspect is taken back, and its answer is not awaited. Its request stays, for when it is trusted again. */
const suspect = (state: State, node: NodeId.NodeId, act: Act): State =>
  change(
    state,
    (office) => ({
      ...office,
      awaiting: without(office.awaiting, node),
      holder: office.holder?.node === node ? undefined : office.holder
    }),
    act
  )

/** What the node has sent meanwhile may be lost: it is asked again. */
const trust = (state: State, node: NodeId.NodeId, act: Act): State => {
  if (state.office !== undefined) act.send(node, { _tag: "Inquire", epoch: state.epoch })
  return grant(state, act)
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: the lowest node is coordinator. */
export const defaults: Options = { coordinator: "lowest" }

/** An elected leader, and the epoch in which it leads. */
export interface Leader {
  readonly id: NodeId.NodeId
  readonly epoch: number
}

const reading: Reading<State> = {
  holder: ({ office, phase }, self) => (phase === "inside" ? self : office?.holder?.node),
  queue: ({ office }) => office?.queue.length ?? 0,
  waitsFor: ({ coordinator, office, phase, suspects }) => {
    if (phase !== "waiting") return []
    if (office === undefined) return coordinator === undefined ? [] : [coordinator]
    const before = office.holder === undefined ? [] : [office.holder.node]
    return office.awaiting.length > 0 ? office.awaiting : before.filter((node) => !suspects.includes(node))
  }
}

/**
 * A `Mutex` by a coordinator, among the nodes of the transport. `resource` names the lock: nodes that use the same name
 * exclude each other, and every node must build the layer, with equal options.
 *
 * With `leader`, what an `Election` says decides: `Effect.map(Election, ({ changes }) => changes)`. Its epochs must grow, and
 * no two nodes lead in one. A node that is suspected wrongly may be inside when the next one enters: fence by the token.
 * Fails with `InvalidOptions` when the coordinator is no node of the group, or is both named and elected, and on a node
 * outside its group.
 */
export const layer = <E = never, R = never>(options: {
  readonly resource: string
  /** Default: the lowest node. */
  readonly coordinator?: NodeId.NodeId
  /** The leader now, then each change. */
  readonly leader?: Effect.Effect<Stream.Stream<Option.Option<Leader>>, E, R>
}): Layer.Layer<Mutex, ChannelInUse | InvalidOptions | E, Transport | Exclude<R, Scope.Scope>> =>
  Layer.effect(
    Mutex,
    Effect.gen(function* () {
      yield* inGroup
      const leaders = options.leader === undefined ? Stream.empty : yield* options.leader
      const { actor, mutex } = yield* locking(protocol, reading, {
        resource: options.resource,
        options: yield* settings(options)
      })
      const hear = Option.match({
        onNone: () => {},
        onSome: ({ epoch, id }: Leader) => actor.tell({ _tag: "Elected", leader: id, epoch })
      })
      yield* Effect.forkScoped(Stream.runForEach(leaders, (leader) => Effect.sync(() => hear(leader))))
      return mutex
    })
  )

const settings = (options: {
  readonly coordinator?: NodeId.NodeId
  readonly leader?: unknown
}): Effect.Effect<Options, InvalidOptions, Transport> =>
  Effect.flatMap(Transport, ({ nodes }) => {
    const { coordinator, leader } = options
    const refuse = (reason: string) => Effect.fail(new InvalidOptions({ reason }))
    if (leader !== undefined) {
      return coordinator === undefined
        ? Effect.succeed({ coordinator: "elected" })
        : refuse(`its coordinator is "${coordinator}" and is elected too. Leave out \`coordinator\` or \`leader\`.`)
    }
    if (coordinator === undefined) return Effect.succeed(defaults)
    return nodes.includes(coordinator)
      ? Effect.succeed({ coordinator: { node: coordinator } })
      : refuse(`its coordinator "${coordinator}" is no node of the group, which is ${nodes.join(", ")}.`)
  })
