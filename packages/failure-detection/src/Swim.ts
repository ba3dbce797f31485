/**
 * SWIM: who is up, at a load per node that does not grow with the group; with the refinements of Lifeguard.
 *
 * In each protocol period a node pings one other, in a random order that visits all before any a second time. Where no
 * answer comes in time it asks k others to ping in its place, for the fault may be in the way between the two. Where
 * these are silent too, it suspects the member; and who is suspected for long, without refuting, is dead. All such news
 * travels as rumours on the pings and their answers, and in packets of gossip between them: each node sends each of them
 * λ log N times, and a rumour reaches everybody in O(log N) periods.
 *
 * A rumour names the incarnation of the member that it is about. Only the member itself raises that number, to refute
 * what is said of it; so of two rumours it is plain which is the newer one, in whatever order they come.
 *
 * Lifeguard sees to it that a node which is slow itself does not slander others: its probes fail, and so it grows more
 * patient (`healthAwareProbe`); one accuser alone must wait longer than several (`dynamicSuspicion`); and the accused
 * hears of it with the next ping (`buddySystem`).
 *
 * Bounds, in protocol periods T′, where q is the share of members that work (SWIM, §3.2): a crashed member is probed in
 * 1/(1−e^−q) periods on average, 1.58 for q = 1, and suspected when that period ends; at the latest it is probed in the
 * (2N−1)th. A node sends on average one ping and one answer a period, whatever N is.
 *
 * A stranger that pings is answered, and asked who it is: only its `Alive` makes it a member. Rumours of the death of a
 * stranger are ignored. A node that is alone probes nobody, and waits for others to join it; one to
 * whom all others are dead goes on asking one of them in each `syncInterval`.
 *
 * Sources: A. Das, I. Gupta, A. Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership
 * Protocol", DSN 2002; A. Dadgar, J. Phillips, J. Currey, "Lifeguard: Local Health Awareness for More Accurate Failure
 * Detection", DSN-W 2018.
 *
 * @example
 * import { FailureDetector, Swim } from "@troupe/failure-detection"
 * import { Memory } from "@troupe/transport"
 * import { Effect, Layer } from "effect"
 *
 * const network = Memory.network({ nodes: ["n1", "n2"] })
 * const program = Effect.gen(function*() {
 *   const detector = yield* FailureDetector
 *   return yield* detector.opinion("n2")
 * })
 * const detector = Swim.layer({ probeInterval: "200 millis", probeTimeout: "100 millis" })
 * const run = program.pipe(Effect.provide(detector.pipe(Layer.provide(Memory.layer(network, "n1")))))
 * console.log(await Effect.runPromise(run)) // { node: 'n2', status: 'up', level: 0 }
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { Context, Effect, Layer } from "effect"
import { FailureDetector, type InvalidOptions, type Opinion } from "./FailureDetector.ts"
import { accuracy, completeness } from "./internal/guarantees.ts"
import { serve } from "./internal/service.ts"
import { ask, gossip, hear, news, onSync, spread, sync, tell, withHealth } from "./internal/swim/dissemination.ts"
import * as Formulas from "./internal/swim/formulas.ts"
import * as Members from "./internal/swim/members.ts"
import { incarnationMax, Message } from "./internal/swim/messages.ts"
import { key } from "./internal/swim/order.ts"
import * as Rumours from "./internal/swim/rumours.ts"
import { type LayerOptions, type Options, settle } from "./internal/swim/options.ts"
import { type Act, type Event, type Probe, relaysMax, type State, type Timer } from "./internal/swim/state.ts"

// --------------------------------------------------------------------------------------------------- messages and state

export { Message, Rumour } from "./internal/swim/messages.ts"
export type { Member } from "./internal/swim/members.ts"
export { defaults, type LayerOptions, type Options } from "./internal/swim/options.ts"
export type { Event, Probe, Relay, State, Timer } from "./internal/swim/state.ts"

export type Command =
  /** Becomes a member by way of `seeds`: each is asked in every period until it answers. Also ends a `Leave`. */
  | { readonly _tag: "Join"; readonly seeds: ReadonlyArray<NodeId.NodeId> }
  /** Says goodbye: the others will not take it for dead. From then on it takes no part. */
  | { readonly _tag: "Leave" }

// ------------------------------------------------------------------------------------------------------------- the card

/** What a node in this state holds of another: nothing of itself, of strangers, and of those it has forgotten. */
export const statusOf = (state: State, node: NodeId.NodeId): Opinion["status"] | undefined => {
  const status = Members.find(state.members, node)?.status
  return status === "reaped" ? undefined : status
}

const perPeriod: Card.Formula = { text: "2N", of: (nodes) => (nodes < 2 ? 0 : 2 * nodes) }

export const card: Card.Card<State> = {
  title: "SWIM with Lifeguard",
  summary:
    "Each node probes one other a period, directly and by way of others; suspicions and deaths travel as rumours on the probes.",
  paper: {
    authors: "Abhinandan Das, Indranil Gupta, Ashish Motivala",
    title: "SWIM: Scalable Weakly-consistent Infection-style Process Group Membership Protocol",
    venue: "DSN",
    year: 2002
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: [completeness(statusOf), accuracy(statusOf)],
  weaknesses: [
    {
      name: "slow is taken for dead",
      description:
        "A node that stands still for longer than a suspicion lasts is taken for dead, until it is heard of again.",
      faults: "chaos"
    },
    {
      name: "each side of a split takes the other for dead",
      description:
        "Members that no packet reaches are dead to a node; the sides find together when they are next compared.",
      faults: "partition"
    },
    {
      name: "views differ for a while",
      description: "News takes O(log N) periods to all: until then, one node takes for up whom another takes for dead.",
      faults: "crash"
    }
  ],
  cost: { operation: "protocol period", best: perPeriod, worst: perPeriod, background: ["Gossip", "Sync"] }
}

// --------------------------------------------------------------------------------------------------------- the protocol

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "failure-detection/swim",
  card,
  message: Message,

  init: ({ nodes }) => ({
    phase: "up",
    incarnation: 0,
    health: 0,
    members: Members.make(nodes),
    seeds: [],
    round: Members.noRound,
    probe: undefined,
    sequence: 0,
    relays: [],
    syncDue: false,
    rumours: Rumours.none,
    gossiping: false
  }),

  // What this node missed, or has forgotten, it hears from one of the others.
  onStart: (state, act) => {
    const { probeIntervalMillis, seeds, syncIntervalMillis } = act.self.options
    act.setTimer("probe", act.random() * probeIntervalMillis)
    act.setTimer("sync", act.random() * syncIntervalMillis)
    for (const peer of Members.sample(state.members, 1, [act.self.id, ...seeds], () => act.random())) {
      ask(state, peer, act)
    }
    return join(state, seeds, act)
  },

  onCommand: (state, command, act) => {
    if (command._tag === "Leave") return state.phase === "left" ? state : leave(state, act)
    return join(state.phase === "left" ? comeBack(state, act) : state, command.seeds, act)
  },

  onMessage: (state, from, message, act) => {
    if (state.phase === "left") return message._tag === "Ping" ? answer(state, from, message.sequence, act) : state
    if (message._tag === "Sync") {
      const synced = onSync(state, from, message, act)
      return message.part === "Answer" && state.probe?.target === from ? acknowledge(synced, state.probe, act) : synced
    }
    const heard = message._tag === "Nack" ? state : hearAll(state, message.rumours, act)
    switch (message._tag) {
      case "Ping":
        // It counts on this node, which has missed its `Alive`.
        if (Members.find(heard.members, from) === undefined && from !== act.self.id) ask(heard, from, act)
        return answer(heard, from, message.sequence, act)
      case "Ack":
        return onAck(heard, from, message.sequence, act)
      case "PingReq":
        return relay(heard, from, message, act)
      case "Nack":
        return onNack(heard, from, message.sequence)
      case "Gossip":
        return heard
    }
  },

  onTimeout: (state, timer, act) => {
    switch (timer) {
      case "probe":
        return period(state, act)
      case "timeout":
        return probeIndirectly(state, act)
      case "gossip":
        return gossip(state, act)
      case "sync":
        return sync(state, act)
    }
    const space = timer.indexOf(" ")
    const about = timer.slice(space + 1)
    return timer.startsWith("relay") ? giveUpRelay(state, Number(about), act) : confirmDeath(state, about, act)
  }
}

// ------------------------------------------------------------------------------------------------- a period (SWIM, §3.1)

/** Ends the period: who has not answered by now is suspected. And begins the next. */
const period = (state: State, act: Act): State => {
  const judged = state.probe === undefined || state.probe.acked ? state : accuse(state, act)
  for (const seed of judged.seeds) ask(judged, seed, act)
  const next = probeNext({ ...judged, probe: undefined }, act)
  act.setTimer("probe", Formulas.scaled(act.self.options.probeIntervalMillis, next.health))
  return next
}

const accuse = (state: State, act: Act): State => {
  const { helpers, nacksMissing, target } = state.probe!
  // Helpers that are silent too speak against this node, not against the member (Lifeguard, §IV-A).
  const failed = withHealth(state, helpers.length === 0 ? 1 : nacksMissing.length, act.self.options)
  const member = Members.find(state.members, target)
  if (member === undefined || !Members.isPresent(state.members, target)) return failed
  return hear(failed, { _tag: "Suspect", node: target, incarnation: member.incarnation, by: act.self.id }, act)
}

const probeNext = (state: State, act: Act): State => {
  const self = act.self.id
  let { round, target } = Members.next(state.members, self, state.round)
  if (target === undefined && round.next === round.size && Members.present(state.members) > 1) {
    round = { key: key(act.random()), size: Members.places(state.members), next: 0 }
    ;({ round, target } = Members.next(state.members, self, round))
  }
  if (target === undefined) return { ...state, round }
  const sequence = state.sequence + 1
  let sent: State = { ...state, round, sequence, syncDue: false }
  if (state.syncDue) ask(sent, target, act)
  else sent = ping(sent, target, sequence, act)
  act.setTimer("timeout", Formulas.scaled(act.self.options.probeTimeoutMillis, state.health))
  return { ...sent, probe: { target, sequence, acked: false, helpers: [], nacksMissing: [] } }
}

const ping = (state: State, to: NodeId.NodeId, sequence: number, act: Act): State => {
  const { rumours, state: next } = news(state, to, act)
  act.send(to, { _tag: "Ping", sequence, rumours })
  return next
}

/** The direct ping has not been answered in time: asks k others. */
const probeIndirectly = (state: State, act: Act): State => {
  const { probe } = state
  if (probe === undefined || probe.acked) return state
  const { healthAwareProbe: nack, indirectProbes } = act.self.options
  const { sequence, target } = probe
  const helpers = Members.sample(state.members, indirectProbes, [act.self.id, target], () => act.random())
  let next: State = { ...state, probe: { ...probe, helpers, nacksMissing: nack ? helpers : [] } }
  for (const helper of helpers) {
    const { rumours, state: after } = news(next, helper, act, target)
    act.send(helper, { _tag: "PingReq", sequence, target, nack, rumours })
    next = after
  }
  return next
}

const onAck = (state: State, from: NodeId.NodeId, sequence: number, act: Act): State => {
  const { probe } = state
  if (probe?.sequence === sequence) {
    return from === probe.target || probe.helpers.includes(from) ? acknowledge(state, probe, act) : state
  }
  const relayed = state.relays.find((relay) => relay.sequence === sequence)
  if (relayed === undefined) return state
  act.clearTimer(`relay ${sequence}`)
  return answer(withoutRelay(state, sequence), relayed.asker, relayed.asked, act)
}

const acknowledge = (state: State, probe: Probe, act: Act): State => {
  if (probe.acked) return state
  act.clearTimer("timeout")
  return withHealth({ ...state, probe: { ...probe, acked: true } }, -1, act.self.options)
}

const onNack = (state: State, from: NodeId.NodeId, sequence: number): State => {
  const { probe } = state
  if (probe?.sequence !== sequence || !probe.nacksMissing.includes(from)) return state
  return { ...state, probe: { ...probe, nacksMissing: probe.nacksMissing.filter((helper) => helper !== from) } }
}

// ------------------------------------------------------------------------------------------------- answers and relays

const answer = (state: State, to: NodeId.NodeId, sequence: number, act: Act): State => {
  const { rumours, state: next } = news(state, to, act)
  act.send(to, { _tag: "Ack", sequence, rumours })
  return next
}

/** Pings for another node, and says so when nothing comes: in time to count (Lifeguard, §IV-A: after 80 % of the timeout). */
const relay = (
  state: State,
  asker: NodeId.NodeId,
  { nack, sequence: asked, target }: Extract<Message, { readonly _tag: "PingReq" }>,
  act: Act
): State => {
  if (target === act.self.id) return answer(state, asker, asked, act)
  if (state.relays.length >= relaysMax) return state
  const sequence = state.sequence + 1
  act.setTimer(`relay ${sequence}`, 0.8 * act.self.options.probeTimeoutMillis)
  return ping(
    { ...state, sequence, relays: [...state.relays, { sequence, asker, asked, nack }] },
    target,
    sequence,
    act
  )
}

const giveUpRelay = (state: State, sequence: number, act: Act): State => {
  const relayed = state.relays.find((relay) => relay.sequence === sequence)
  if (relayed?.nack === true) act.send(relayed.asker, { _tag: "Nack", sequence: relayed.asked })
  return withoutRelay(state, sequence)
}

const withoutRelay = (state: State, sequence: number): State => ({
  ...state,
  relays: state.relays.filter((relay) => relay.sequence !== sequence)
})

// --------------------------------------------------------------------------------------------- suspicion, joining, leaving

const hearAll = (state: State, rumours: Rumours.Rumours["sent"][number], act: Act): State => {
  let next = state
  for (let i = 0; i < rumours.length; i++) next = hear(next, rumours[i]!, act)
  return next
}

/** A suspicion has run out without a refutation. Who has left may not have heard it, and keeps it to itself. */
const confirmDeath = (state: State, node: NodeId.NodeId, act: Act): State => {
  const member = Members.find(state.members, node)
  return member?.status === "suspected"
    ? hear(state, { _tag: "Confirm", node, incarnation: member.incarnation }, act, state.phase === "up")
    : state
}

const join = (state: State, given: ReadonlyArray<NodeId.NodeId>, act: Act): State => {
  const seeds = given.filter((seed, at) => seed !== act.self.id && given.indexOf(seed) === at)
  if (seeds.length === 0) return state
  for (const seed of seeds) ask(state, seed, act)
  return { ...state, seeds }
}

/** Tells a few at once, so that a node may be stopped when it has left. */
const leave = (state: State, act: Act): State => {
  const { gossipNodes, indirectProbes } = act.self.options
  act.clearTimer("probe")
  act.clearTimer("timeout")
  act.clearTimer("sync")
  const { incarnation } = state
  let next = spread(
    { ...state, phase: "left", probe: undefined, seeds: [] },
    { _tag: "Leave", node: act.self.id, incarnation },
    act
  )
  const told = Members.sample(state.members, Math.max(gossipNodes, indirectProbes), [act.self.id], () => act.random())
  for (const node of told) next = tell(next, node, act)
  return next
}

/** A new life, past the one that was left. */
const comeBack = (state: State, act: Act): State => {
  const { probeIntervalMillis, syncIntervalMillis } = act.self.options
  act.setTimer("probe", probeIntervalMillis)
  act.setTimer("sync", syncIntervalMillis)
  const incarnation = Math.min(state.incarnation + 1, incarnationMax)
  const alive = Members.alive(act.self.id, incarnation, act.self.options.address)
  return spread({ ...state, phase: "up", incarnation }, alive, act)
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** Joins and leaves by hand. Stopping the layer leaves too: the others don't take a node that closes for dead. */
export class SwimMember extends Context.Service<
  SwimMember,
  {
    /** Asks these nodes, in each period until they answer, to take this one in; after a `leave` too. */
    readonly join: (seeds: ReadonlyArray<NodeId.NodeId>) => Effect.Effect<void>
    /** Says goodbye. The node goes on to hear nothing and to probe nobody. */
    readonly leave: Effect.Effect<void>
  }
>()("@troupe/failure-detection/SwimMember") {}

/**
 * A `FailureDetector` by SWIM. The group is at first the nodes of the transport, which are taken for up; `seeds` are for a
 * node that the others were not told of.
 *
 * Fails with `InvalidOptions` when a number is out of its range, when `probeTimeout` is not shorter than `probeInterval`,
 * and when `reapAfter` is shorter than `syncInterval`.
 */
export const layer = (
  options: LayerOptions = {}
): Layer.Layer<FailureDetector | SwimMember, ChannelInUse | InvalidOptions, Transport> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const actor = yield* Actor.spawn(protocol, { options: yield* settle(options) })
      yield* Effect.addFinalizer(() => Effect.sync(() => actor.tell({ _tag: "Leave" })))
      const { addresses } = options
      if (addresses !== undefined) {
        actor.subscribe(({ address, node }) => address !== undefined && addresses.learn(node, address))
      }
      const detector = yield* serve(actor, {
        watched: ({ members }) => Members.others(members, actor.node),
        opinion: (state, node) => {
          const status = node === actor.node ? undefined : statusOf(state, node)
          return status === undefined ? undefined : { node, status, level: status === "up" ? 0 : 1 }
        }
      })
      return Context.make(FailureDetector, detector).pipe(
        Context.add(SwimMember, {
          join: (seeds) => Effect.sync(() => actor.tell({ _tag: "Join", seeds })),
          leave: Effect.sync(() => actor.tell({ _tag: "Leave" }))
        })
      )
    })
  )
