/**
 * Coordinated membership: groups whose members agree on each view before the next, with one sequence of views for all.
 *
 * An `Election` says who coordinates, and a `FailureDetector` who seems to be down. Nodes tell the coordinator which groups
 * they want to be in. It changes a view in two phases: it asks the members to accept the next one, and once a majority of
 * them has, the view is agreed and all are told. A new coordinator first asks everybody what they have accepted, under a
 * ballot above all earlier ones, which then count no more; what may have been agreed it finishes before it decides anything
 * itself. So two coordinators at once, a false suspicion or a coordinator that crashes half-way cannot make two views of one
 * number: election and detector may err at will, and it costs time alone.
 *
 * The majority is one of the members of the view before, of a new group one of all nodes; half of the members suffice if the
 * first is among them (dynamic linear voting). So a group can shrink, step by step, down to one member. A member that
 * crashes and comes back has forgotten what it accepted: it is another life of its node. The old life is taken out, in a
 * view, before the new one comes in.
 *
 * Members that are cut off from the majority keep their view, and nothing more is agreed there (`minority: "block"`), or are
 * given partial views of those who can reach each other, which say that they are (`"partial"`). When they are together again
 * the sequence of agreed views goes on, and who was taken out meanwhile comes in as one that has joined.
 *
 * Sources: F. Cristian, "Reaching Agreement on Processor-Group Membership in Synchronous Distributed Systems", Distributed
 * Computing 4, 1991; A. Ricciardi, K. Birman, "Using Process Groups to Implement Failure Detection in Asynchronous
 * Environments", PODC 1991; for the two phases L. Lamport, "The Part-Time Parliament", TOCS 16(2), 1998; for half of the
 * members S. Jajodia, D. Mutchler, "Dynamic Voting Algorithms for Maintaining the Consistency of a Replicated Database",
 * TODS 15(2), 1990.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { Election } from "@troupe/election"
import { FailureDetector } from "@troupe/failure-detection"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Option, Schema, type Scope, Stream } from "effect"
import * as Coordinator from "./internal/membership/coordinator.ts"
import { eventuallyTogether, grows, isMember, oneSequence, somebodyJoins } from "./internal/membership/guarantees.ts"
import * as Members from "./internal/membership/member.ts"
import * as Messages from "./internal/membership/messages.ts"
import { serving } from "./internal/membership/service.ts"
import { Count, decode, Millis, millis } from "./internal/membership/settings.ts"
import * as States from "./internal/membership/state.ts"
import { type InvalidOptions, Membership } from "./Membership.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export const Message = Messages.Message
export type Message = Messages.Message
export type Command = States.Command
export type Event = States.Event
export type State = States.State
export type Options = States.Options
export type Minority = States.Minority

type Act = States.Act
type Node = Actor.Actor<State, Command, Event>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Coordinated membership",
  summary: "A coordinator has each view accepted by a majority of the one before: one sequence of views for all.",
  paper: {
    authors: "Aleta M. Ricciardi, Kenneth P. Birman",
    title: "Using Process Groups to Implement Failure Detection in Asynchronous Environments",
    venue: "PODC",
    year: 1991
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "partition"]
  },
  guarantees: [oneSequence, isMember, grows, eventuallyTogether, somebodyJoins],
  weaknesses: [
    {
      name: "a lost majority",
      description:
        "When half of a view crashes before the next is agreed, nothing more is agreed in that group: what they accepted is forgotten.",
      faults: "crash",
      breaks: "everybody comes in"
    },
    {
      name: "a minority waits",
      description:
        "Members without a majority of their view get no new one, unless by partial views, until they are together again.",
      faults: "partition"
    },
    {
      name: "a name that most nodes forget",
      description:
        "Where so many nodes restart that no majority of all has heard of a group, and those who have cannot be reached, its name can be taken again.",
      faults: "chaos",
      breaks: "one sequence of views"
    }
  ],
  cost: {
    operation: "view change",
    // To N members: one joins; from N members: one leaves.
    best: { text: "3N−5", of: (nodes) => Math.max(0, 3 * nodes - 5) },
    worst: { text: "3(N−1)", of: (nodes) => 3 * (nodes - 1) },
    background: ["Report", "Prepare", "Promise"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, States.Timer, Options> = {
  name: "group/coordinated-membership",
  card,
  message: Message,

  init: (self) => ({
    life: 0,
    sequence: 0,
    promised: { number: 0, node: self.id, life: 0 },
    groups: new Map(),
    wants: [],
    coordinator: undefined,
    suspects: [],
    office: undefined
  }),

  onStart: (state, act) => {
    act.setTimer("report", act.self.options.reportMillis * (0.5 + act.random() / 2))
    return { ...state, life: Members.drawLife(act) }
  },

  onCommand: (state, command, act) => {
    switch (command._tag) {
      case "Enter":
        return report(Members.onEnter(state, command, act), act)
      case "Leave":
        return report(Members.onLeave(state, command.group), act)
      case "Destroy":
        return report(Members.onAsk(state, command.group, "destroy"), act)
      case "Look":
        return report(Members.onAsk(state, command.group, "look"), act)
      case "Coordinate":
        return coordinate(state, command.coordinator, act)
      case "Suspect":
        return Coordinator.considerAll({ ...state, suspects: command.nodes }, act)
    }
  },

  onMessage: (before, from, message, act) => {
    const state = hear(before, from, message, act)
    // It is out of a group that it left, and may ask to come in again.
    const isFree = state.wants.some(
      ({ group, mode, waits }) =>
        !waits && before.wants.some((want) => want.waits && want.group === group && want.mode === mode)
    )
    return isFree ? report(state, act) : state
  },

  onTimeout: (state, timer, act) => {
    if (timer === "retry") return Coordinator.retry(state, act)
    act.setTimer("report", act.self.options.reportMillis)
    return report(state, act)
  }
}

const hear = (state: State, from: string, message: Message, act: Act): State => {
  switch (message._tag) {
    case "Report":
      return Coordinator.onReport(state, from, message, act)
    case "Prepare":
      return reply(Members.onPrepare(state, message), from, act)
    case "Promise":
      return Coordinator.onPromise(state, from, message, act)
    case "Nack":
      return Coordinator.onNack(state, message)
    case "Accept":
      return reply(Members.onAccept(state, message, act), from, act)
    case "Accepted":
      return Coordinator.onAccepted(state, from, message, act)
    case "Commit":
      return onCommit(state, message, act)
    case "Partial":
      return Members.onPartial(state, message, act)
    case "Refused":
      return Members.onRefused(state, message.group, message.mode, message.refusal, act)
    case "Known":
      return Members.onKnown(state, message, act)
  }
}

const reply = ([state, message]: readonly [State, Message], to: string, act: Act): State => {
  act.send(to, message)
  return state
}

const onCommit = (before: State, { forgotten, group: name, views }: Messages.Tagged<"Commit">, act: Act): State => {
  if (views.length === 0) return before
  const state = Coordinator.considerAll(Coordinator.hear(before, name, views, act), act)
  if (!Members.isBehind(state, name, act.self.id)) return state
  return report(forgotten ? Members.comeAnew(state, name, act) : state, act)
}

/** Tells the coordinator what this node wants. */
const report = (before: State, act: Act): State => {
  if (before.coordinator === undefined) return before
  const state = { ...before, sequence: before.sequence + 1 }
  const heard = Members.report(state, act)
  if (state.coordinator === act.self.id) return Coordinator.onReport(state, act.self.id, heard, act)
  act.send(state.coordinator!, heard)
  return state
}

const coordinate = (state: State, coordinator: string | undefined, act: Act): State => {
  if (coordinator !== act.self.id) {
    act.clearTimer("retry")
    return report({ ...state, coordinator, office: undefined }, act)
  }
  return report(Coordinator.takeOffice({ ...state, coordinator }, act), act)
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default. */
export const defaults: Options = {
  reportMillis: 500,
  retryMillis: 200,
  minority: "block",
  partialAfter: 5,
  maxGroups: 1_024
}

const Settings = Schema.Struct({
  reportMillis: Millis,
  retryMillis: Millis,
  minority: Schema.Literals(["block", "partial"]),
  partialAfter: Count,
  maxGroups: Count
})

/**
 * A `Membership` whose views are agreed on, among the nodes of the transport; every one of them must build it. Coordinated by
 * whom the `Election` of the context elects, with evictions by its `FailureDetector`. Fails with `InvalidOptions` when an
 * option is out of its range.
 */
export const layer = (
  options: {
    /** How often each node tells the coordinator what it wants, besides at once when that changes. Default: 500 ms. */
    readonly reportEvery?: Duration.Input
    /** After so long without an answer the coordinator asks again. Default: 200 ms. */
    readonly retryEvery?: Duration.Input
    /** Whether those who are cut off from the majority wait, or go on with partial views. Default: `"block"`. */
    readonly minority?: Minority
    /** After so many retries in vain there are partial views: 1 to 100,000. Default: 5. */
    readonly partialAfter?: number
    /** How many names of groups are remembered, those that are gone included: 1 to 100,000. Default: 1,024. */
    readonly maxGroups?: number
  } = {}
): Layer.Layer<Membership, ChannelInUse | InvalidOptions, Transport | Election | FailureDetector> =>
  Layer.effect(
    Membership,
    Effect.gen(function* () {
      const settings = yield* decode<Options>(Settings, {
        ...defaults,
        ...options,
        reportMillis: millis(options.reportEvery, defaults.reportMillis),
        retryMillis: millis(options.retryEvery, defaults.retryMillis)
      })
      const election = yield* Election
      const detector = yield* FailureDetector
      let coordinator: string | undefined
      let suspects: ReadonlyArray<string> = []
      const { actor, service } = yield* serving<State, Node, ChannelInUse, Transport | Scope.Scope>(
        detector.self,
        (hooks) =>
          Actor.spawn(protocol, {
            options: settings,
            onRestart: () => {
              actor.tell({ _tag: "Coordinate", coordinator })
              actor.tell({ _tag: "Suspect", nodes: suspects })
              hooks.onRestart()
            }
          }),
        ({ groups }, group) => {
          const { installed, view } = groups.get(group) ?? {}
          return installed !== undefined && installed.number === view?.number ? States.shown(installed) : undefined
        }
      )
      const suspect = Effect.map(detector.opinions, (opinions) => {
        suspects = [...opinions.values()].filter(({ status }) => status !== "up").map(({ node }) => node)
        actor.tell({ _tag: "Suspect", nodes: suspects })
      })
      yield* Effect.forkScoped(Stream.runForEach(detector.changes, () => suspect))
      yield* suspect
      yield* Effect.forkScoped(
        Stream.runForEach(election.changes, (leader) =>
          Effect.suspend(() => {
            coordinator = Option.getOrUndefined(leader)?.id
            actor.tell({ _tag: "Coordinate", coordinator })
            return suspect
          })
        )
      )
      return service
    })
  )
