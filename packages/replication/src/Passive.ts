/**
 * Passive replication, also called primary–backup or remote-write: one replica executes, the others follow.
 *
 * A request takes five phases. Its front end sends it to the primary, under an id of its own (request). The primary orders
 * what it gets (coordination), executes each once, and remembers the response under the id (execution). It sends the
 * updates and responses, many in a message, to all backups while its own disk writes them; backups write and acknowledge
 * (agreement). Then the front end has its answer (response). A request that is asked again is answered from the table of
 * responses, by whichever replica is primary then.
 *
 * When an update is safe is the textbook's question. Its answer: when every backup that is not suspected has it. Then f+1
 * replicas survive f crashes, if nobody is ever suspected wrongly (`safety: "perfect-detector"`). Here, by default, a
 * majority must have it on disk besides: whoever errs, nothing that was acknowledged is lost.
 *
 * Views say who is primary: the nodes take turns. When a majority misses the primary, its nodes vote for the next view, and
 * take part in no earlier one; the new primary collects the most advanced log among the votes, and so goes on exactly where
 * the last one stopped. Who was deposed is refused by everybody who has voted, can make nothing safe, and follows.
 * A replica that was away fetches what it missed, or a snapshot in pieces, while the others go on.
 *
 * Reads are not logged. The primary answers them when a round of acknowledgements, begun after they came, shows that it
 * still is the primary; all that wait share one. A read that may be behind is answered by any replica from what it knows to
 * be safe.
 *
 * Sources: N. Budhiraja, K. Marzullo, F. B. Schneider, S. Toueg, "The Primary-Backup Approach", Distributed Systems, 2nd
 * ed., 1993; B. Oki, B. Liskov, "Viewstamped Replication", PODC 1988; B. Liskov, J. Cowling, "Viewstamped Replication
 * Revisited", MIT-CSAIL-TR-2012-021. Logs are compared by the view of their latest batch, as in D. Ongaro, J. Ousterhout,
 * "In Search of an Understandable Consensus Algorithm", USENIX ATC 2014.
 */
import { Actor, type Card, type Protocol } from "@troupe/actor"
import { FailureDetector, Suspicion } from "@troupe/failure-detection"
import type { Storage, StorageError } from "@troupe/storage"
import type { ChannelInUse, Transport } from "@troupe/transport"
import { type Duration, Effect, Layer, Option } from "effect"
import * as FrontEnd from "./FrontEnd.ts"
import * as Guarantees from "./internal/passive/guarantees.ts"
import { onFetch, onIdle, onPrepare, onSnapshot } from "./internal/passive/backup.ts"
import { type Message, type Record, schemas } from "./internal/passive/messages.ts"
import { beat, commit, keep, onAck, onVote, receive, refuse, takeOver } from "./internal/passive/primary.ts"
import * as Replica from "./internal/passive/replica.ts"
import { decode, millis, Settings } from "./internal/passive/settings.ts"
import {
  type Act,
  type Command,
  type Event,
  isPrimary,
  nextView,
  type Options,
  primaryOf,
  safeAt,
  type State,
  suspects,
  type Timer
} from "./internal/passive/state.ts"
import { enter, heard, miss, missedBy, misses, newer, tick, vote } from "./internal/passive/views.ts"
import type * as Machine from "./Machine.ts"
import type { InvalidOptions, Tag } from "./Replicated.ts"

export type { Message } from "./internal/passive/messages.ts"
export type { Command, Event, Options, State } from "./internal/passive/state.ts"

// ------------------------------------------------------------------------------------------------------------- the card

export const card: Card.Card<State> = {
  title: "Passive replication",
  summary: "A primary executes each request once; backups have its updates on disk before the client has its answer.",
  paper: {
    authors: "Barbara Liskov, James Cowling",
    title: "Viewstamped Replication Revisited",
    venue: "MIT-CSAIL-TR-2012-021",
    year: 2012
  },
  assumes: {
    timing: "partially synchronous",
    failures: "crash-recovery",
    channels: { loss: true, duplication: true, order: "any" },
    tolerates: ["none", "lossy", "crash", "partition", "chaos"]
  },
  guarantees: Guarantees.all,
  weaknesses: [
    {
      name: "a majority is down",
      description: "Nothing becomes safe without a majority: updates wait, and end in doubt.",
      faults: "crash"
    },
    {
      name: "a detector that errs, where it must not",
      description: "With `perfect-detector`, a primary that is wrongly suspected goes on beside the next one.",
      faults: "partition",
      breaks: "no safe update is lost"
    },
    {
      name: "reads of backups are behind",
      description:
        "A local read may miss an update that another client has been told of: sequential, not linearizable.",
      faults: "none"
    },
    {
      name: "a disk that is lost",
      description: "A node that comes back with an empty disk has forgotten its votes and what it said was safe.",
      faults: "crash",
      breaks: "no safe update is lost"
    }
  ],
  cost: {
    operation: "update",
    best: { text: "2(N−1), alone or shared by many", of: (nodes) => 2 * (nodes - 1) },
    worst: { text: "2N, from another node, with the acknowledgement to itself", of: (nodes) => 2 * nodes + 1 },
    background: ["Prepare", "Ack"]
  }
}

// --------------------------------------------------------------------------------------------------------- the protocol

/** The protocol, for a machine. */
export const protocol = (
  machine: Machine.Any
): Protocol.Protocol<State, Message, Command, Event, Timer, Options, Record> => {
  const { message, record } = schemas(machine)
  return {
    name: `replication/passive/${machine.name}`,
    card,
    message,
    durable: {
      record,
      restore: (state, record) => {
        switch (record._tag) {
          case "Life":
            return { ...state, life: record.life, view: record.view }
          case "Append":
            return {
              ...state,
              replica: Replica.extend(machine, state.replica, record.at, record.batches, record.commit)
            }
          case "Piece":
            return { ...state, replica: Replica.take(machine, state.replica, record.piece) ?? state.replica }
        }
      },
      // What is left of a snapshot that is coming in builds on the pieces that are in the log.
      compact: ({ life, replica, view }) =>
        replica.incoming === undefined ? Replica.compact(machine, replica, life, view) : undefined
    },

    init: ({ nodes }) => ({
      life: 0,
      view: 0,
      status: "changing",
      replica: Replica.init(machine, nodes.length),
      silent: nodes.map(() => 0),
      suspected: [],
      missing: [],
      votes: [],
      collecting: undefined,
      since: 0,
      round: 0,
      rounds: [],
      acks: [],
      waiting: undefined,
      waitingCount: 0,
      fetching: false,
      dump: undefined
    }),

    // What it sent ahead of its disk as a primary it may have forgotten: it is not the primary of that view any more.
    onStart: (state, act) => {
      act.setTimer("tick", act.self.options.tickMillis)
      const started = { ...state, life: state.life + 1 }
      const isDeposed = state.view === 0 || primaryOf(state.view, act.self) === act.self.id
      const entered = enter(started, isDeposed ? nextView(started, act.self) : state.view, act)
      act.emit({ _tag: "Started", life: started.life })
      return entered
    },

    onCommand: (state, command, act) => {
      switch (command._tag) {
        case "Ask":
          return command.life === state.life ? ask(machine, state, command, act) : state
        case "Suspect":
        case "Trust": {
          const noted = { ...state, suspected: Suspicion.applied(state.suspected, command as Suspicion.Suspicion) }
          if (isPrimary(noted, act.self)) return commit(machine, noted, act)
          return misses(noted, act) ? miss(noted, act) : noted
        }
      }
    },

    onMessage: (before, from, message, act) => {
      const state = heard(before, from, act)
      switch (message._tag) {
        case "Requests":
          return receive(machine, state, from, message, act)
        case "Answers":
          if (message.life === state.life) act.emit({ _tag: "Answered", at: message.at, answers: message.answers })
          return state
        case "Refused": {
          const { counters, life, reason } = message
          if (life === state.life) act.emit({ _tag: "Refused", counters, reason })
          return state
        }
        case "Prepare":
          return message.view < state.view ? newer(state, from, act) : onPrepare(machine, state, from, message, act)
        case "Ack":
          return message.view === state.view && isPrimary(state, act.self)
            ? onAck(machine, state, from, message, act)
            : state
        case "Fetch":
          return message.view === state.view ? onFetch(machine, state, from, message, act) : state
        case "Snapshot":
          return onSnapshot(machine, state, from, message, act)
        case "Newer":
          return message.view > state.view ? enter(state, message.view, act) : state
        case "Missing":
        case "Vote":
          if (message.view < state.view) return newer(state, from, act)
          return changing(
            machine,
            message.view > state.view ? enter(state, message.view, act) : state,
            from,
            message,
            act
          )
      }
    },

    onTimeout: (before, timer, act) => {
      if (timer === "housekeeping") return keep(machine, before, act)
      act.setTimer("tick", act.self.options.tickMillis)
      const state = onIdle(tick(before, act))
      if (isPrimary(state, act.self)) {
        for (const peer of act.self.peers) act.sendNow(peer, beat(state))
        return commit(machine, state, act)
      }
      const idle = state.fetching ? { ...state, fetching: false } : state
      if (misses(idle, act)) return miss(idle, act)
      if (idle.status === "changing") vote(idle, act)
      return takeOver(machine, idle, safeAt(idle), act)
    }
  }
}

/** From a node of the same view. */
const changing = (
  machine: Machine.Any,
  state: State,
  from: string,
  message: Extract<Message, { readonly _tag: "Missing" | "Vote" }>,
  act: Act
): State => {
  const isMine = primaryOf(state.view, act.self) === act.self.id
  if (message._tag === "Vote") {
    const { at, atView } = message
    return isMine ? onVote(machine, state, { node: from, at, atView }, act) : state
  }
  // It is there after all.
  if (isPrimary(state, act.self)) act.sendNow(from, beat(state))
  return missedBy(state, from, act)
}

/** The front end of this node: to the primary, wherever that is. */
const ask = (
  machine: Machine.Any,
  state: State,
  { asked, floor, life }: Extract<Command, { readonly _tag: "Ask" }>,
  act: Act
): State => {
  const primary = primaryOf(state.view, act.self)
  if (primary === act.self.id) return receive(machine, state, primary, { asked, floor, life }, act)
  if (state.status === "changing" || suspects(state, primary, act.self)) {
    return refuse(state, act.self.id, life, asked, "no primary", act)
  }
  act.sendNow(primary, { _tag: "Requests", life, floor, asked })
  return state
}

// ------------------------------------------------------------------------------------------------------------ the layer

/** The settings that `layer` has by default: a primary that crashes is replaced within a second. */
export const defaults: Options & FrontEnd.Settings = {
  tickMillis: 100,
  silentTicks: 4,
  detector: "silence",
  safety: "majority",
  pipeline: 2,
  batch: 1024,
  queue: 65_536,
  timeoutMillis: 5_000,
  retryMillis: 200,
  open: 16_384
}

export interface LayerOptions {
  /** How often the primary says that it is there. Default: 100 ms. */
  readonly heartbeatEvery?: Duration.Input
  /**
   * Who is silent for so many heartbeats is suspected, where no `FailureDetector` is in the context: 2 at least. Default: 4.
   */
  readonly suspectAfter?: number
  /**
   * `majority`: an update is safe when all backups that are not suspected have it, and a majority of all nodes: nothing that
   * was acknowledged is lost, however wrong suspicions are. `perfect-detector`: the textbook's rule, the former alone: one
   * node that is left goes on, and a wrong suspicion loses what was acknowledged. Default: `majority`.
   */
  readonly safety?: "majority" | "perfect-detector"
  /** Rounds that are under way at a time; what comes meanwhile shares the next. Default: 2. */
  readonly pipeline?: number
  /** Requests that wait at the primary, at the most: one more is refused as overloaded. Default: 65,536. */
  readonly queue?: number
  /** After so long a request ends without an answer. Default: 5 seconds. */
  readonly timeout?: Duration.Input
  /** How often a request without an answer is sent again. Default: 200 ms. */
  readonly retryEvery?: Duration.Input
}

/**
 * Replicates a machine over all nodes of the transport, each with a `Storage` of its own that outlives it. Every node must
 * build the layer, with the same options.
 */
export const layer = <Self, S, Q, U, R>(
  tag: Tag<Self, S, Q, U, R>,
  options: LayerOptions = {}
): Layer.Layer<Self, ChannelInUse | StorageError | InvalidOptions, Transport | Storage> =>
  Layer.effect(
    tag,
    Effect.gen(function* () {
      const { machine } = tag
      const detector = yield* Effect.serviceOption(FailureDetector)
      const { heartbeatEvery, pipeline, queue, retryEvery, safety, suspectAfter, timeout } = options
      const all = yield* decode<Options & FrontEnd.Settings>(Settings, {
        ...defaults,
        ...(pipeline === undefined ? {} : { pipeline }),
        ...(queue === undefined ? {} : { queue }),
        ...(safety === undefined ? {} : { safety }),
        ...(suspectAfter === undefined ? {} : { silentTicks: suspectAfter }),
        tickMillis: millis(heartbeatEvery, defaults.tickMillis),
        timeoutMillis: millis(timeout, defaults.timeoutMillis),
        retryMillis: millis(retryEvery, defaults.retryMillis),
        detector: Option.isSome(detector) ? "given" : "silence"
      })
      const frontEnd = yield* FrontEnd.make(machine, all)
      let tellAgain = (): void => {}
      const actor = yield* Actor.spawnDurable(protocol(machine), {
        options: all,
        onRestart: () => {
          frontEnd.onRestart()
          tellAgain()
        }
      })
      yield* frontEnd.attach(actor)
      tellAgain = yield* Suspicion.follow(actor)
      return frontEnd.service()
    })
  )
