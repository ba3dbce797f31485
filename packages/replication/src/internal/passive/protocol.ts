/**
 * The protocol of replication by a primary, for a machine: where inputs meet their rules.
 */
import type { Card, Protocol } from "@troupe/actor"
import { Suspicion } from "@troupe/failure-detection"
import { onFetch, onIdle, onPrepare, onSnapshot } from "./backup.ts"
import { codecs } from "./layout.ts"
import { type Message, type Record, schemas } from "./messages.ts"
import { beat, commit, keep, onAck, onRequests, onVote, receive, refuse, takeOver } from "./primary.ts"
import * as Replica from "./replica.ts"
import {
  type Act,
  type Command,
  type Event,
  isApart,
  isPrimary,
  nextView,
  type Options,
  primaryOf,
  safeAt,
  type State,
  suspects,
  type Timer
} from "./state.ts"
import { enter, heard, miss, missedBy, misses, newer, nobody, onHandOver, tick, vote } from "./views.ts"
import type * as Machine from "../../Machine.ts"

export const replicating = (
  machine: Machine.Any,
  name: string,
  card: Card.Card<State>
): Protocol.Protocol<State, Message, Command, Event, Timer, Options, Record> => {
  const { message, record } = schemas(machine)
  const { encoded, record: codec } = codecs(machine)
  return {
    name,
    card,
    message,
    durable: {
      record,
      codec,
      encoded,
      restore: (state, record, { options: { kept } }) => {
        switch (record._tag) {
          case "Life":
            return { ...state, life: record.life, view: record.view }
          case "Append":
            return {
              ...state,
              replica: Replica.extend(machine, state.replica, record.at, record.batches, record.commit, kept)
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
      sendings: 0,
      heard: [],
      waiting: undefined,
      waitingCount: 0,
      writer: nobody,
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
        case "Begin":
          // After all that was persisted: a crash that undid this life would let another one have its number.
          act.emit({ _tag: "Started", life: state.life })
          return state
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
      const state = shows(before, message, act) ? heard(before, from, act) : before
      switch (message._tag) {
        case "Requests":
          return onRequests(machine, state, from, message, act)
        case "Answers":
          if (message.life === state.life) act.emitNow({ _tag: "Answered", at: message.at, answers: message.answers })
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
        case "HandOver":
          return message.view > state.view ? onHandOver(state, message.view, act) : state
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
        // One that is heard, and hears no majority, would be waited for.
        if (!isApart(state, act.self)) for (const peer of act.self.peers) act.sendNow(peer, beat(state))
        return commit(machine, state, act)
      }
      const idle = state.fetching ? { ...state, fetching: false } : state
      if (misses(idle, act)) return miss(idle, act)
      if (idle.status === "changing") vote(idle, act)
      return takeOver(machine, idle, safeAt(idle), act)
    }
  }
}

/**
 * Whether a message shows that its sender is there. To a primary it has to be of one that hears the primary: a backup that is
 * heard and hears nothing would be waited for as long as that lasts. And a primary that refuses is one that may hear nobody:
 * its backups are not to wait for it for as long as they ask.
 */
const shows = (state: State, message: Message, act: Act): boolean =>
  isPrimary(state, act.self) ? message._tag === "Ack" || message._tag === "Fetch" : message._tag !== "Refused"

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
  const sending = state.sendings + 1
  act.sendNow(primary, { _tag: "Requests", view: state.view, life, sending, floor, asked })
  return { ...state, sendings: sending }
}
