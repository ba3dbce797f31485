/**
 * The protocol of quorums, for a machine: where inputs meet their rules.
 */
import type { Card, Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import type * as Machine from "../../Machine.ts"
import * as Trie from "../../Trie.ts"
import * as Burials from "./burials.ts"
import * as Homes from "./homes.ts"
import { codecs } from "./layout.ts"
import { type Message, type Record, schemas, type Vote } from "./messages.ts"
import * as Proposals from "./proposals.ts"
import * as Readings from "./readings.ts"
import * as Registers from "./registers.ts"
import { vote } from "./replica.ts"
import {
  type Act,
  type Command,
  type Event,
  isApart,
  type Options,
  type Part,
  type State,
  type Timer
} from "./state.ts"
import { Turn } from "./turn.ts"

export const replicating = (
  machine: Machine.Any,
  name: string,
  card: Card.Card<State>
): Protocol.Protocol<State, Message, Command, Event, Timer, Options, Record> => ({
  name,
  card,
  ...schemas(machine),
  durable: {
    record: schemas(machine).record,
    codec: codecs(machine).record,
    restore: (state, record) => {
      const registers = record.reduce(Registers.apply, state.registers)
      return { ...state, registers }
    },
    compact: ({ registers }) => Registers.compact(registers)
  },

  init: ({ nodes }) => ({
    registers: Registers.empty,
    round: 0,
    proposals: Trie.empty,
    readings: Trie.empty,
    leases: Trie.empty,
    burials: Trie.empty,
    hints: Trie.empty,
    handed: 0,
    kept: 0,
    hollow: [],
    cursor: 0,
    least: 0,
    backOffs: 0,
    roundMillis: 0,
    silent: nodes.map(() => 0)
  }),

  onStart: (state, act) => {
    act.setTimer("tick", act.self.options.tickMillis)
    if (machine.housekeeping !== undefined) act.setTimer("housekeeping", machine.housekeeping.everyMillis)
    const life = state.registers.life + 1
    const begun = { _tag: "Life", life } as const
    act.persist([begun])
    act.emit({ _tag: "Started", life })
    const hints = Homes.isWhole(act.self) ? state.hints : hintsIn(state.registers, act)
    return { ...state, registers: Registers.apply(state.registers, begun), hints }
  },

  onCommand: (state, command, act) => {
    const { life } = state.registers
    if (command._tag === "Begin") {
      act.emit({ _tag: "Started", life })
      return state
    }
    if (command._tag !== "Heal" && command.life !== life) return state
    const turn = new Turn(machine, state, act)
    if (command._tag === "Heal") vote(turn, { _tag: "Accept", round: 0, key: command.key, copy: command.copy })
    else if (command._tag === "Ask") ask(turn, command.parts)
    else {
      for (const part of command.parts) {
        Proposals.drop(turn, part)
        Readings.drop(turn, part)
      }
    }
    return turn.end()
  },

  onMessage: (before, from, message, act) => {
    const state = heard(before, from, act)
    const turn = new Turn(machine, state, act)
    if (message._tag === "Votes") {
      if (message.life !== state.registers.life) return state
      const rank = act.self.nodes.indexOf(from)
      for (const each of message.votes) count(turn, rank, each)
      return turn.end()
    }
    const votes: Array<Vote> = []
    for (const each of message.asks) {
      const own = vote(turn, each)
      if (own !== undefined) votes.push(own)
    }
    const isAnswered = votes.length > 0 || message.asks.length === 0
    return turn.end(isAnswered ? { to: from, life: message.life, votes } : undefined)
  },

  onTimeout: (before, timer, act) => {
    if (timer === "housekeeping") {
      act.setTimer("housekeeping", machine.housekeeping!.everyMillis)
      const turn = new Turn(machine, before, act)
      if (!isApart(before, act.self)) Proposals.keepHouse(turn)
      return turn.end()
    }
    if (timer !== "tick") {
      const turn = new Turn(machine, before, act)
      Proposals.onBackOff(turn, Number(timer.slice("back-off ".length)))
      return turn.end()
    }
    act.setTimer("tick", act.self.options.tickMillis)
    const state = listen(before, act)
    const turn = new Turn(machine, state, act)
    Proposals.onTick(turn)
    Readings.onTick(turn)
    Burials.onTick(turn)
    return turn.end()
  }
})

/** What it held for others when it stopped. */
const hintsIn = ({ byKey }: Registers.Registers, act: Act): State["hints"] => {
  const rank = act.self.nodes.indexOf(act.self.id)
  let hints: State["hints"] = Trie.empty
  for (const { copy, key } of Trie.from(byKey)) {
    const isHint = copy.version.counter > 0 && !Homes.isHome(key, rank, act.self)
    if (isHint) hints = Trie.set(hints, { key, since: act.now() })
  }
  return hints
}

/** What is asked of one key at once is executed in that order: its reads are no reads then, where there is an update. */
const ask = (turn: Turn, parts: ReadonlyArray<Part>): void => {
  const byKey = new Map<string, Array<Part>>()
  for (const part of parts) {
    const others = byKey.get(part.key)
    if (others === undefined) byKey.set(part.key, [part])
    else others.push(part)
  }
  for (const [key, asked] of byKey) {
    const begin = asked.every(({ request }) => turn.machine.isRead(request)) ? Readings.read : Proposals.propose
    begin(
      turn,
      key,
      asked.map(({ id, request }) => ({ id, request }))
    )
  }
}

const count = (turn: Turn, rank: number, each: Vote): void => {
  switch (each._tag) {
    case "Holds":
      if (turn.burials.size === 0 || !Burials.onHolds(turn, rank, each)) Readings.onHolds(turn, rank, each)
      return
    case "Promised":
      return Proposals.onPromised(turn, rank, each)
    case "Accepted":
      if (!Proposals.onAccepted(turn, rank, each) && !Readings.onAccepted(turn, rank, each)) {
        Burials.onAccepted(turn, rank, each)
      }
      return
    case "Refused":
      if (!Proposals.onRefused(turn, rank, each) && !Readings.onRefused(turn, rank, each)) {
        Burials.onRefused(turn, rank, each)
      }
      return
    case "Forgotten":
      return Burials.onForgotten(turn, rank, each)
  }
}

const heard = (state: State, from: NodeId.NodeId, act: Act): State => {
  const rank = act.self.nodes.indexOf(from)
  return state.silent[rank] === 0 ? state : noted(state, state.silent.with(rank, 0), act)
}

/** A tick has passed: who was silent in it is asked whether it is there. */
const listen = (state: State, act: Act): State => {
  const { nodes, options, id } = act.self
  for (let rank = 0; rank < nodes.length; rank++) {
    if (nodes[rank] !== id && state.silent[rank]! > 0)
      act.sendNow(nodes[rank]!, { _tag: "Asks", life: state.registers.life, asks: [] })
  }
  const silent = state.silent.map((ticks, rank) => (nodes[rank] === id ? 0 : Math.min(ticks + 1, options.silentTicks)))
  return noted(state, silent, act)
}

const noted = (before: State, silent: ReadonlyArray<number>, act: Act): State => {
  const state = { ...before, silent }
  if (isApart(before, act.self) !== isApart(state, act.self)) act.emit({ _tag: "Changed" })
  return state
}
