/**
 * Berkeley's algorithm: the clocks of a group are brought together, without anybody who knows the true time.
 *
 * A master polls all others for their time, takes half of each round trip for the way back, and so knows how far each
 * clock is from its own. It averages the largest set of clocks that differ by no more than a tolerance γ, its own among
 * them: a clock that is far off does not count. To each node it sends a delta, the difference from the average, and not a
 * time: how long that message takes does not matter. Everybody slews, the master too.
 *
 * Who is the master is decided elsewhere: the layer is given the leaders as a stream, such as those of an election. A node
 * answers and obeys the one that it follows. With each new master the next round begins at once.
 *
 * Source: R. Gusella, S. Zatti, "The Accuracy of the Clock Synchronization Achieved by TEMPO in Berkeley UNIX 4.3BSD",
 * IEEE Transactions on Software Engineering 15(7), 1989.
 *
 * @example
 * import { Berkeley } from "@troupe/clocks"
 *
 * // The master reads 3:00, the others 2:50 and 3:25 (in minutes from 3:00): all are to read 3:05.
 * console.log(Berkeley.deltas({ master: 0, n2: -10, n3: 25 }, 60)) // { master: 5, n2: 15, n3: -20 }
 * // A clock that is a day ahead does not count, and is told to come back.
 * console.log(Berkeley.deltas({ master: 0, n2: -10, n3: 1440 }, 60)) // { master: -5, n2: 5, n3: -1445 }
 */
import type { Card, Protocol } from "@troupe/actor"
import type { ChannelInUse, NodeId, Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Option, Schema, Stream } from "effect"
import { agreeing } from "./internal/physical/average.ts"
import { Amount, discipline, Millis, millis, settings } from "./internal/physical/discipline.ts"
import { TimeOfDay, nonce } from "./internal/physical/estimates.ts"
import type { InvalidClockOptions, NodeClock } from "./NodeClock.ts"

// --------------------------------------------------------------------------------------- messages, commands and state

const Round = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

export const Message = Schema.Union([
  /** From the master: "what time do you have?" */
  Schema.TaggedStruct("Poll", { round: Round }),
  /** To the master: "by my clock, it was this when I answered". */
  Schema.TaggedStruct("Time", { round: Round, timeMillis: TimeOfDay }),
  /** From the master: "change by this from what you had then". */
  Schema.TaggedStruct("Adjust", { round: Round, deltaMillis: TimeOfDay })
])
export type Message = typeof Message.Type

/** Follows this node from now on, itself for one; nobody while there is no leader. */
export interface Command {
  readonly _tag: "Follow"
  readonly leader: NodeId.NodeId | undefined
}

/** This node's clock is to change. */
export interface Event {
  readonly deltaMillis: number
}

/** A clock at one moment: a line from which its later readings differ by what it was adjusted since. */
interface Moment {
  readonly monotonicMillis: number
  readonly timeMillis: number
}

export interface State {
  /** Whom it follows. The master follows itself. */
  readonly leader: NodeId.NodeId | undefined
  // The master's.
  /** The round that answers are awaited of. */
  readonly open: (Moment & { readonly round: number }) | undefined
  /** By how much the clocks that answered in it are ahead of the master's at its beginning. */
  readonly readings: Readonly<Record<NodeId.NodeId, number>>
  /** The latest round: whose clocks were averaged, and whose were too far off. */
  readonly latest:
    | { readonly counted: ReadonlyArray<NodeId.NodeId>; readonly outliers: ReadonlyArray<NodeId.NodeId> }
    | undefined
  // Everybody's.
  /** What it told `to`, the node that it follows, and has had no delta for. */
  readonly told: (Moment & { readonly round: number; readonly to: NodeId.NodeId }) | undefined
  /** How often its clock was adjusted. */
  readonly adjustments: number
}

export interface Options {
  readonly intervalMillis: number
  /** How long the master waits for answers. One that takes longer does not count. */
  readonly timeoutMillis: number
  /** γ: clocks that differ by no more than this are averaged. */
  readonly toleranceMillis: number
}

type Timer = "round" | "collect"

type Act = Protocol.Actions<Message, Event, Timer, Options>

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Berkeley's algorithm",
  summary:
    "A master polls all clocks, averages those that agree, and sends each node by how much it is off; then two differ by at " +
    "most the sum of their RTT/2 − the least delay, and drift.",
  paper: {
    authors: "Riccardo Gusella, Stefano Zatti",
    title: "The Accuracy of the Clock Synchronization Achieved by TEMPO in Berkeley UNIX 4.3BSD",
    venue: "IEEE Transactions on Software Engineering 15(7)",
    year: 1989
  },
  assumes: {
    timing: "asynchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition"]
  },
  guarantees: [
    {
      name: "a node obeys its leader alone",
      kind: "always",
      description: "What a node awaits a delta for, it told to the node that it follows.",
      holds: (nodes) => nodes.every(({ state: { leader, told } }) => told === undefined || told.to === leader)
    },
    {
      name: "all are brought together",
      kind: "eventually",
      description:
        "The latest round of a node that is up and leads has counted every node that is up, and none is an outlier.",
      holds: (nodes) => {
        const up = nodes.filter(({ alive }) => alive)
        return up.some(
          ({ node, state: { latest, leader } }) =>
            leader === node && latest?.counted.length === up.length && latest.outliers.length === 0
        )
      }
    },
    {
      name: "a clock is adjusted",
      kind: "sometimes",
      description: "The run has seen a node adjust its clock by a leader's word.",
      holds: (nodes) => nodes.some(({ node, state: { adjustments, leader } }) => adjustments > 0 && leader !== node)
    }
  ],
  weaknesses: [
    {
      name: "the group agrees, and may be wrong",
      description: "The clocks come together at their average. How far that is from the true time, nobody knows.",
      faults: "none"
    },
    {
      name: "asymmetric delay",
      description: "When one way to a node takes d longer than the other, its clock stays d/2 off.",
      faults: "none"
    },
    {
      name: "two leaders",
      description: "When the network splits and each part has its master, the parts drift apart.",
      faults: "partition"
    }
  ],
  cost: {
    operation: "round",
    best: { text: "3(N−1)", of: (nodes) => 3 * (nodes - 1) },
    worst: { text: "3(N−1)", of: (nodes) => 3 * (nodes - 1) }
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/**
 * By how much each clock is to change, from how much it is ahead of any common one: the difference from the average of
 * the largest set of clocks that differ by `toleranceMillis` at most.
 */
export const deltas = (
  readings: Readonly<Record<NodeId.NodeId, number>>,
  toleranceMillis: number
): Readonly<Record<NodeId.NodeId, number>> => {
  const { averageMillis } = agreeing(Object.values(readings), toleranceMillis)
  return Object.fromEntries(Object.entries(readings).map(([node, reading]) => [node, averageMillis - reading]))
}

export const protocol: Protocol.Protocol<State, Message, Command, Event, Timer, Options> = {
  name: "clocks/berkeley",
  card,
  message: Message,

  init: () => ({
    leader: undefined,
    open: undefined,
    readings: {},
    latest: undefined,
    told: undefined,
    adjustments: 0
  }),

  onCommand: (state, { leader }, act) => {
    if (leader === state.leader) return state
    act.clearTimer("round")
    act.clearTimer("collect")
    const following = { ...state, leader, open: undefined, told: undefined, latest: undefined }
    return leader === act.self.id ? poll(following, act) : following
  },

  onMessage: (state, from, message, act) => {
    switch (message._tag) {
      case "Poll": {
        if (from !== state.leader) return state
        const told = { ...moment(act), round: message.round, to: from }
        act.send(from, { _tag: "Time", round: message.round, timeMillis: told.timeMillis })
        return { ...state, told }
      }
      case "Time":
        return state.open?.round === message.round && state.readings[from] === undefined
          ? read(state, from, message.timeMillis, state.open, act)
          : state
      case "Adjust": {
        const { told } = state
        // Doubled, late, or of a master that is none any more.
        if (told === undefined || told.to !== from || told.round !== message.round) return state
        // The delta is from what it would have read by now, had it not been adjusted since.
        return adjust({ ...state, told: undefined }, message.deltaMillis - since(told, act), act)
      }
    }
  },

  onTimeout: (state, timer, act) => (timer === "round" ? poll(state, act) : conclude(state, act))
}

const moment = (act: Act): Moment => ({ monotonicMillis: act.monotonic(), timeMillis: act.now() })

/** How much further a clock is than elapsed time alone would have brought it. */
const since = ({ monotonicMillis, timeMillis }: Moment, act: Act): number =>
  act.now() - timeMillis - (act.monotonic() - monotonicMillis)

const poll = (state: State, act: Act): State => {
  const { intervalMillis, timeoutMillis } = act.self.options
  const round = nonce(act.random())
  act.sendAll(act.self.peers, { _tag: "Poll", round })
  act.setTimer("collect", timeoutMillis)
  act.setTimer("round", intervalMillis)
  const open = { ...state, open: { ...moment(act), round }, readings: {} }
  return act.self.peers.length === 0 ? conclude(open, act) : open
}

/** The clock of `node` was read, half a round trip ago. */
const read = (state: State, node: NodeId.NodeId, timeMillis: number, open: Moment, act: Act): State => {
  const roundTripMillis = act.monotonic() - open.monotonicMillis
  const masterMillis = open.timeMillis + roundTripMillis
  const readings = { ...state.readings, [node]: timeMillis + roundTripMillis / 2 - masterMillis }
  const next = { ...state, readings }
  return Object.keys(readings).length === act.self.peers.length ? conclude(next, act) : next
}

/** All have answered, or time is up: each node that answered learns by how much it is off. */
const conclude = (state: State, act: Act): State => {
  const { open } = state
  if (open === undefined) return state
  act.clearTimer("collect")
  const readings = { ...state.readings, [act.self.id]: since(open, act) }
  const nodes = Object.keys(readings)
  const { averageMillis, highMillis, lowMillis } = agreeing(Object.values(readings), act.self.options.toleranceMillis)
  for (const node of nodes) {
    if (node === act.self.id) continue
    act.send(node, { _tag: "Adjust", round: open.round, deltaMillis: averageMillis - readings[node]! })
  }
  const isCounted = (node: NodeId.NodeId): boolean => readings[node]! >= lowMillis && readings[node]! <= highMillis
  const latest = { counted: nodes.filter(isCounted), outliers: nodes.filter((node) => !isCounted(node)) }
  return adjust({ ...state, open: undefined, latest }, averageMillis - readings[act.self.id]!, act)
}

const adjust = (state: State, deltaMillis: number, act: Act): State => {
  act.emit({ deltaMillis })
  return { ...state, adjustments: state.adjustments + 1 }
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: a round every 10 seconds, of clocks within 20 ms of one another. */
export const defaults: Options = { intervalMillis: 10_000, timeoutMillis: 1_000, toleranceMillis: 20 }

const Settings = Schema.Struct({ intervalMillis: Millis, timeoutMillis: Millis, toleranceMillis: Amount })

/**
 * Keeps the `NodeClock`s of all nodes together. `leader` gives the stream of leaders as this node knows them: with an
 * election of `@troupe/election`, `Effect.map(Election, ({ changes }) => changes)`.
 *
 * Fails with `InvalidClockOptions` when an option is out of its range.
 */
export const layer = <E = never, R = never>(options: {
  readonly leader: Effect.Effect<Stream.Stream<Option.Option<{ readonly id: NodeId.NodeId }>>, E, R>
  /** How often the master polls. Default: 10 seconds. */
  readonly interval?: Duration.Input
  /** How long it waits for answers. Default: 1 second. */
  readonly timeout?: Duration.Input
  /** γ: clocks that differ by no more than this are averaged. Default: 20 ms. */
  readonly tolerance?: Duration.Input
}): Layer.Layer<never, E | ChannelInUse | InvalidClockOptions, R | Transport | NodeClock> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const given = {
        intervalMillis: millis(options.interval, defaults.intervalMillis),
        timeoutMillis: millis(options.timeout, defaults.timeoutMillis),
        toleranceMillis: millis(options.tolerance, defaults.toleranceMillis)
      }
      const settled = yield* settings(Settings, given, ({ intervalMillis, timeoutMillis }) =>
        timeoutMillis > intervalMillis
          ? `the timeout, ${timeoutMillis} ms, is over after the next round, at ${intervalMillis} ms`
          : undefined
      )
      const leaders = yield* options.leader
      const actor = yield* discipline(protocol, settled)
      const follow = (leader: Option.Option<{ readonly id: NodeId.NodeId }>) =>
        Effect.sync(() => actor.tell({ _tag: "Follow", leader: Option.getOrUndefined(leader)?.id }))
      yield* Effect.forkScoped(Stream.runForEach(leaders, follow))
    })
  )
