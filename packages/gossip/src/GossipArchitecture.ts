/**
 * The gossip architecture: a replicated service that is there while any replica is, and never shows an effect without its
 * cause.
 *
 * A client has a front end, which keeps a vector timestamp of what the client has seen. An update goes, with that
 * timestamp, to any one replica manager, which logs it, gives it a timestamp of its own and answers at once; it is executed
 * when all that it depends on has been (`prev ≤ valueTS`), and comes to the other replica managers by gossip, some time
 * later. A query waits likewise until the value includes what its client has seen. So every client sees the service go on
 * from where it knew it, at whichever replica: what it wrote, what it read, and whatever those depended on. Clients that
 * speak with each other hand on their timestamps, and then see what the other has seen.
 *
 * A replica manager keeps: the replica timestamp (what has come), the update log (what others may lack), the value and its
 * timestamp (what was executed), the table of executed operations (so that an update that a front end sent to two replica
 * managers is executed once), and the table of the timestamps that the others were last known to have. What everybody has
 * leaves the log. An operation leaves the table when everybody knows that its front end will not repeat it, or is too late
 * to: requests older than δ are refused. δ bounds how long a message takes, with the difference of two clocks; clocks may
 * drift, and where δ is broken an update is refused, never executed twice.
 *
 * An update may ask for more than causal order. Forced updates are in one order among themselves at all replica managers,
 * which takes a majority of them; immediate ones are in one place among all updates, which takes all of them. The last
 * part of all timestamps counts their common order, on which the replica managers agree by a leader. While an immediate update is under way,
 * other updates wait for it; it is given up after 4 intervals if somebody cannot be reached.
 *
 * It differs from the paper in four things: a front end does one operation at a time, so that its acknowledgement of all
 * before goes with the next update; gossip names what it lacks, so that messages may be lost and cut to size; an agreed order
 * survives its leader by ballots, for which the paper has a view change; and an operation whose front end has died leaves
 * the table when all clocks, as heard in gossip, have passed its time by δ.
 *
 * Sources: R. Ladin, B. Liskov, L. Shrira, S. Ghemawat, "Providing High Availability Using Lazy Replication", ACM TOCS
 * 10(4), 1992; G. Coulouris et al., "Distributed Systems", §18.4.1; L. Lamport, "Paxos Made Simple", 2001, for the order.
 *
 * @example
 * import { BulletinBoard, GossipArchitecture } from "@troupe/gossip"
 * import { MemoryStorage } from "@troupe/storage"
 * import { Memory } from "@troupe/transport"
 * import { Effect, Layer } from "effect"
 *
 * const Board = GossipArchitecture.key(BulletinBoard.application)
 * const network = Memory.network({ nodes: ["n1", "n2", "n3"] })
 * const on = (node: string) =>
 *   Layer.build(
 *     GossipArchitecture.layer(Board, BulletinBoard.application).pipe(
 *       Layer.provide([Memory.layer(network, node), MemoryStorage.layer()])
 *     )
 *   )
 *
 * const program = Effect.gen(function*() {
 *   const [ann, bob] = (yield* Effect.forEach(["n1", "n2", "n3"], on)).map((built) => Effect.runSync(Effect.provide(Board, built)))
 *   const posted = yield* ann!.update({ id: "1", author: "ann", text: "Is the bridge open?" })
 *   // Ann tells Bob of it, and so he sees it, at another replica.
 *   yield* bob!.learn(posted)
 *   return yield* bob!.query({ after: 0 })
 * })
 * const board = await Effect.runPromise(Effect.scoped(program))
 * console.log(board.map(({ text }) => text)) // [ 'Is the bridge open?' ]
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import type { Storage, StorageError } from "@troupe/storage"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { type Context, Effect, Layer } from "effect"
import * as BulletinBoard from "./BulletinBoard.ts"
import type { InvalidOptions } from "./Gossip.ts"
import type { Application } from "./internal/architecture/application.ts"
import * as FrontEnds from "./internal/architecture/frontEnd.ts"
import { guarantees } from "./internal/architecture/guarantees.ts"
import { type Message, messageOf, type Persisted, persistedOf } from "./internal/architecture/messages.ts"
import * as Replicas from "./internal/architecture/replica.ts"
import * as Service from "./internal/architecture/service.ts"
import { defaults, type LayerOptions, settle } from "./internal/architecture/settings.ts"
import type { Command, Event, Options, State, Timer } from "./internal/architecture/state.ts"

export type { Application } from "./internal/architecture/application.ts"
export { Order, Timestamp } from "./internal/architecture/messages.ts"
export type { Message, Persisted } from "./internal/architecture/messages.ts"
export { type FrontEnd, key, OperationFailed } from "./internal/architecture/service.ts"
export { defaults, type LayerOptions } from "./internal/architecture/settings.ts"
export { ForeignGossip } from "./internal/architecture/state.ts"
export type { Command, Event, Failure, Options, Replica, State, Timer } from "./internal/architecture/state.ts"

// ------------------------------------------------------------------------------------------------------------- the card

export const cardOf = (application: Application<any, any, any, any>): Card.Card<State> => ({
  title: "Gossip architecture",
  summary: "Any replica takes updates and answers queries, causes before effects; updates spread lazily, by gossip.",
  paper: {
    authors: "Rivka Ladin, Barbara Liskov, Liuba Shrira, Sanjay Ghemawat",
    title: "Providing High Availability Using Lazy Replication",
    venue: "ACM TOCS 10(4)",
    year: 1992
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: guarantees(application),
  weaknesses: [
    {
      name: "values are old",
      description: "A query is answered of what its client has seen at least, not of what others have written since.",
      faults: "none"
    },
    {
      name: "concurrent updates have no order",
      description: "Causal updates that do not know of each other come in different orders at different replicas.",
      faults: "none"
    },
    {
      name: "one that is away fills the logs of all",
      description: "Nothing leaves a log that a replica manager lacks: after logRecords of them, updates are refused.",
      faults: "partition"
    },
    {
      name: "an immediate update needs everybody",
      description:
        "While one replica manager is away, immediate updates fail, and each attempt holds up other updates.",
      faults: "partition"
    },
    {
      name: "an update that was not answered may be there",
      description:
        "A front end that has heard nothing within its patience cannot tell whether its update will take effect.",
      faults: "lossy"
    }
  ],
  cost: {
    operation: "update",
    best: { text: "2 + (R−1)/G", of: (nodes) => 2 + (nodes - 1) / defaults.updatesPerGossip },
    // Forward, propose, accepted, updated, and gossip; freeze and frozen before, where it is immediate.
    worst: { text: "3 + 5(R−1)", of: (nodes) => 3 + 5 * (nodes - 1) },
    background: ["Heard"],
    contention: ["Overruled", "Lead", "Promise"]
  }
})

// --------------------------------------------------------------------------------------------------------- the protocol

/** A node with clients, and a replica manager if it is one of the replicas or readers. */
export const protocolOf = (
  application: Application<any, any, any, any>
): Protocol.Protocol<State, Message, Command, Event, Timer, Options, Persisted> => ({
  name: "gossip/architecture",
  card: cardOf(application),
  message: messageOf(application),
  durable: {
    record: persistedOf(application),
    restore: (state, persisted) =>
      state.replica === undefined
        ? state
        : { ...state, replica: Replicas.restore(application, state.replica, persisted) },
    compact: ({ replica }) => (replica === undefined ? [] : Replicas.compact(replica))
  },

  init: (self) => ({ frontEnd: FrontEnds.init(self), replica: Replicas.init(application, self) }),

  onStart: ({ frontEnd, replica }, act) => {
    const life = Math.floor(act.random() * 2 ** 48)
    if (replica !== undefined) act.setTimer("gossip", (0.5 + act.random() / 2) * act.self.options.intervalMillis)
    return {
      frontEnd: { ...frontEnd, life },
      replica: replica === undefined ? undefined : Replicas.onStart(replica, act)
    }
  },

  onCommand: (state, command, act) => {
    const frontEnd = FrontEnds.onCommand(state.frontEnd, command, act)
    return frontEnd === state.frontEnd ? state : { ...state, frontEnd }
  },

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Updated":
        return { ...state, frontEnd: FrontEnds.onUpdated(state.frontEnd, message, act) }
      case "Answered":
        return { ...state, frontEnd: FrontEnds.onAnswered(state.frontEnd, message, act) }
      case "Refused":
        return { ...state, frontEnd: FrontEnds.onRefused(state.frontEnd, message) }
      default: {
        if (state.replica === undefined) return state
        const replica = Replicas.onMessage(application, state.replica, from, message, act)
        if (replica.value !== state.replica.value) act.emit({ _tag: "Changed" })
        return replica === state.replica ? state : { ...state, replica }
      }
    }
  },

  onTimeout: (state, timer, act) => {
    switch (timer) {
      case "retry":
        return { ...state, frontEnd: FrontEnds.onRetry(state.frontEnd, act) }
      case "ack":
        return { ...state, frontEnd: FrontEnds.onAck(state.frontEnd, act) }
      case "gossip":
        act.setTimer("gossip", act.self.options.intervalMillis)
        return state.replica === undefined
          ? state
          : { ...state, replica: Replicas.onInterval(application, state.replica, act) }
    }
  }
})

/** A bulletin board, for those who look at one protocol. */
export const protocol = protocolOf(BulletinBoard.application)

export const card = cardOf(BulletinBoard.application)

// ------------------------------------------------------------------------------------------------------------ the layer

/**
 * A front end on this node, and a replica manager if the node is one of the `replicas` or `readers`, which all nodes of the
 * transport must agree on. What a replica manager has taken survives its crash by `Storage`; a node that has clients only
 * needs none, and `MemoryStorage.layer()` does.
 *
 * Fails with `InvalidOptions` when a number is out of its range, a replica is no node of the transport or named twice, or
 * `patience` is not less than `delay`.
 */
export const layer = <Value, Update, Query, Answer>(
  tag: Context.Key<Service.FrontEnd<Value, Update, Query, Answer>, Service.FrontEnd<Value, Update, Query, Answer>>,
  application: Application<Value, Update, Query, Answer>,
  given: LayerOptions = {}
): Layer.Layer<
  Service.FrontEnd<Value, Update, Query, Answer>,
  ChannelInUse | InvalidOptions | StorageError,
  Transport | Storage
> => Layer.effect(tag, make(application, given))

/** As `layer`, without a key, for as long as the scope lives. */
export const make = Effect.fnUntraced(function* <Value, Update, Query, Answer>(
  application: Application<Value, Update, Query, Answer>,
  given: LayerOptions = {}
) {
  const options = yield* settle(given)
  const machine = protocolOf(application)
  const onRestart: Array<() => void> = []
  const actor = yield* Actor.spawnDurable(machine, {
    name: `${machine.name}/${application.name}`,
    options,
    onRestart: () => onRestart.forEach((each) => each())
  })
  return yield* Service.make<Value, Update, Query, Answer>(actor, onRestart)
})
