/**
 * Reads: the newest version that a read quorum knows of, once a write quorum holds it. Where it does not yet, the reader
 * sees to it. (Attiya, Bar-Noy, Dolev)
 */
import * as Trie from "../../Trie.ts"
import { type Ballot, highest, isBelow, isSame, none } from "./ballots.ts"
import type { Held, Vote } from "./messages.ts"
import { proposeLater, stateOf } from "./proposals.ts"
import * as Registers from "./registers.ts"
import { holders, isVersion, type Pending, possible, type Reading, voters } from "./state.ts"
import type { Turn } from "./turn.ts"

/** All that wait when a round begins share it; what comes later has to wait for the next, since this one's votes may be older. */
export const read = (turn: Turn, key: string, requests: ReadonlyArray<Pending>): void => {
  const open = Trie.get(turn.readings, key)
  if (open === undefined) begin(turn, key, requests, 0)
  else put(turn, { ...open, later: [...open.later, ...requests] })
}

const put = (turn: Turn, reading: Reading): void => {
  turn.readings = Trie.set(turn.readings, reading)
}

const begin = (turn: Turn, key: string, asked: ReadonlyArray<Pending>, refusals: number): void => {
  const { copy } = Registers.get(turn.registers, key)
  const round = ++turn.round
  const votes = turn.noVotes(key)
  put(turn, {
    ...{ key, asked, later: [], round, newest: copy, refusals },
    ...{ votes, written: none, isFresh: true }
  })
  turn.ask(votes, { _tag: "Read", round, key, have: copy.version })
}

export const onHolds = (turn: Turn, rank: number, vote: Held): void => {
  const { key, round, version } = vote
  const reading = Trie.get(turn.readings, key)
  if (reading === undefined || reading.round !== round) return repair(turn, rank, key, version)
  const newest = vote.copy === undefined ? reading.newest : Registers.newer(reading.newest, vote.copy)
  advance(turn, rank, { ...reading, newest, votes: reading.votes.with(rank, version) })
}

/** One who answered after the others may be behind for good. */
const repair = (turn: Turn, rank: number, key: string, version: Ballot): void => {
  const { copy } = Registers.get(turn.registers, key)
  if (isBelow(version, copy.version)) turn.askOne(rank, { _tag: "Accept", round: 0, key, copy })
}

export const onAccepted = (turn: Turn, rank: number, { key, round }: Vote): boolean => {
  const reading = Trie.get(turn.readings, key)
  if (reading === undefined || reading.round !== round) return false
  // A newer one may have been heard of since.
  if (isSame(reading.written, reading.newest.version)) {
    advance(turn, rank, { ...reading, votes: reading.votes.with(rank, reading.written) })
  }
  return true
}

const advance = (turn: Turn, rank: number, reading: Reading): void => {
  const { newest, votes, written } = reading
  const { options } = turn.self
  if (voters(votes, options) < options.readQuorum) return put(turn, reading)
  if (!options.writeBack || holders(votes, newest.version, turn.self) >= options.writeQuorum) {
    repairAll(turn, reading)
    return answer(turn, reading)
  }
  const isBegun = isSame(written, newest.version)
  put(turn, { ...reading, written: newest.version })
  const { key, round } = reading
  for (let each = 0; each < votes.length; each++) {
    if ((!isBegun || each === rank) && isBehind(reading, each)) {
      turn.askOne(each, { _tag: "Accept", round, key, copy: newest })
    }
  }
}

const isBehind = ({ newest, votes }: Reading, rank: number): boolean => {
  const vote = votes[rank]
  return isVersion(vote) && isBelow(vote, newest.version)
}

const repairAll = (turn: Turn, reading: Reading): void => {
  const { key, newest, votes, written } = reading
  if (isSame(written, newest.version)) return
  for (let rank = 0; rank < votes.length; rank++) {
    if (isBehind(reading, rank)) turn.askOne(rank, { _tag: "Accept", round: 0, key, copy: newest })
  }
}

const answer = (turn: Turn, { asked, key, later, newest }: Reading): void => {
  const { act, machine } = turn
  const at = { now: Math.max(newest.now, act.now()), random: () => act.random() }
  const state = stateOf(machine, newest)
  for (const { id, request } of asked) turn.answer(id, machine.execute(state, request, at).response)
  goOn(turn, key, later)
}

const goOn = (turn: Turn, key: string, later: ReadonlyArray<Pending>): void => {
  if (later.length === 0) turn.readings = Trie.remove(turn.readings, key)
  else begin(turn, key, later, 0)
}

export const onRefused = (turn: Turn, rank: number, vote: Extract<Vote, { readonly _tag: "Refused" }>): boolean => {
  const reading = Trie.get(turn.readings, vote.key)
  if (reading === undefined || reading.round !== vote.round) return false
  const votes = reading.votes.with(rank, "refused")
  if (possible(votes, turn.self.options) < turn.self.options.writeQuorum) contend(turn, reading, vote.promised)
  else put(turn, { ...reading, votes })
  return true
}

/** How often a read begins anew before it needs a ballot. */
const patience = 2

/** A proposal is in the way. It may be over soon; where it never ends, a ballot finds out what the value is. */
const contend = (turn: Turn, reading: Reading, above: Ballot): void => {
  const { asked, key, later, newest, refusals } = reading
  if (refusals < patience) return begin(turn, key, [...asked, ...later], refusals + 1)
  proposeLater(turn, key, asked, highest(above, newest.version))
  goOn(turn, key, later)
}

/** Asks again who has not answered, and who is behind. */
export const onTick = (turn: Turn): void => {
  for (const reading of Trie.from(turn.readings)) {
    const { isFresh, key, newest, round, votes, written } = reading
    if (isFresh) put(turn, { ...reading, isFresh: false })
    else if (votes.includes("refused")) contend(turn, reading, none)
    else {
      const invited = turn.invite(key, votes)
      if (invited !== votes) put(turn, { ...reading, votes: invited })
      for (let rank = 0; rank < votes.length; rank++) {
        if (invited[rank] === null) turn.askOne(rank, { _tag: "Read", round, key, have: newest.version })
        else if (written.counter > 0 && isBehind(reading, rank)) {
          turn.askOne(rank, { _tag: "Accept", round, key, copy: newest })
        }
      }
    }
  }
}

export const drop = (turn: Turn, { id, key }: { readonly id: number; readonly key: string }): void => {
  const reading = Trie.get(turn.readings, key)
  if (reading === undefined) return
  const asked = reading.asked.filter((each) => each.id !== id)
  const later = reading.later.filter((each) => each.id !== id)
  if (asked.length > 0) put(turn, { ...reading, asked, later })
  else goOn(turn, key, later)
}
