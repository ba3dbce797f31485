/**
 * Keys that are gone are forgotten, once all replicas hold them as gone: while one could hold something older, it would come
 * back. The node whose ballot it was sees to it, many keys at a time, and is the last that forgets.
 */
import * as Trie from "../../Trie.ts"
import { highest, isBelow, isSame, none } from "./ballots.ts"
import * as Homes from "./homes.ts"
import type { Held, Vote } from "./messages.ts"
import { confirm } from "./proposals.ts"
import type { Copy, Register } from "./registers.ts"
import type { Burial, Hollow } from "./state.ts"
import type { Turn } from "./turn.ts"

/** So many are looked at each time. */
const batch = 256

/** For so many ticks answers are waited for. */
const patience = 4

export const onTick = (turn: Turn): void => {
  forgetHollow(turn)
  for (const burial of Trie.from(turn.burials)) {
    if (burial.ticks < patience) put(turn, { ...burial, ticks: burial.ticks + 1 })
    else turn.burials = Trie.remove(turn.burials, burial.key)
  }
  const hollow: Array<Hollow> = []
  if (turn.burials.size === 0) {
    begin(turn, hollow)
    handOff(turn)
  }
  turn.hollow = hollow
}

/** Where nothing but a promise is left of a key, the floor stands for it. */
const forgetHollow = (turn: Turn): void => {
  const keys: Array<string> = []
  let floor = none
  for (const { key, promised } of turn.hollow) {
    const register = Trie.get(turn.registers.byKey, key)
    if (register === undefined || !isSame(register.promised, promised) || !isHollow(register)) continue
    keys.push(key)
    floor = highest(floor, promised)
  }
  if (keys.length > 0) turn.keep({ _tag: "Forgotten", keys, floor })
}

const isHollow = ({ copy }: Register): boolean => copy.version.counter === 0

/** Takes up the next of those that are gone, and lists those of which only a promise is there. */
const begin = (turn: Turn, hollow: Array<Hollow>): void => {
  const { gone } = turn.registers
  if (gone.size === 0) return
  // One who is down holds what it held, and nothing can be forgotten.
  const isComplete = turn.before.silent.every((ticks) => ticks < turn.self.options.silentTicks)
  let left = batch
  for (const { key } of Trie.from(gone, turn.cursor)) {
    if (left-- === 0) break
    turn.cursor = Trie.hash(key) + 1
    const { copy, promised } = Trie.get(turn.registers.byKey, key)!
    if (Trie.get(turn.proposals, key) !== undefined) continue
    if (copy.version.counter === 0) hollow.push({ key, promised })
    else if (isComplete && turn.isInCharge(key, copy)) bury(turn, key, copy)
  }
  if (left >= 0) turn.cursor = 0
}

const bury = (turn: Turn, key: string, copy: Copy): void => {
  if (turn.self.peers.length === 0) return forget(turn, key, copy)
  const round = ++turn.round
  const votes = turn.noVotes(key)
  put(turn, { key, isHandoff: false, round, isForgetting: false, copy, votes, ticks: 0 })
  turn.askOthers(votes, { _tag: "Accept", round, key, copy })
}

const put = (turn: Turn, burial: Burial): void => {
  turn.burials = Trie.set(turn.burials, burial)
}

const find = (turn: Turn, { key, round }: Vote): Burial | undefined => {
  const burial = Trie.get(turn.burials, key)
  return burial?.round === round ? burial : undefined
}

export const onAccepted = (turn: Turn, rank: number, vote: Vote): void => {
  const burial = find(turn, vote)
  if (burial !== undefined) count(turn, rank, burial)
}

/** Who has forgotten it, or never heard of it, and takes nothing as old any more, need not hold it. */
export const onRefused = (turn: Turn, rank: number, vote: Extract<Vote, { readonly _tag: "Refused" }>): void => {
  const burial = find(turn, vote)
  if (burial === undefined) return
  const { copy, isHandoff, key, round } = burial
  if (isHandoff) turn.askOne(rank, { _tag: "Read", round, key, have: copy.version })
  else if (vote.absent && !isBelow(vote.promised, copy.version)) count(turn, rank, burial)
  else end(turn, burial)
}

/** A home that did not take what it was handed may have a newer one. Where it has not, and has promised not to take it, a ballot helps. */
export const onHolds = (turn: Turn, rank: number, vote: Held): boolean => {
  const burial = find(turn, vote)
  if (burial === undefined) return false
  if (isBelow(vote.version, burial.copy.version)) {
    confirm(turn, burial.key)
    end(turn, burial)
  } else count(turn, rank, burial)
  return true
}

export const onForgotten = (turn: Turn, rank: number, vote: Vote): void => {
  const burial = find(turn, vote)
  if (burial !== undefined) count(turn, rank, burial)
}

const count = (turn: Turn, rank: number, burial: Burial): void => {
  const { copy, isForgetting, isHandoff, key } = burial
  const votes = burial.votes.with(rank, copy.version)
  if (votes.some((vote, each) => vote === null && each !== turn.rank)) return put(turn, { ...burial, votes })
  if (!isForgetting && !isHandoff) {
    const round = ++turn.round
    const votes = turn.noVotes(key)
    put(turn, { ...burial, round, isForgetting: true, votes })
    turn.askOthers(votes, { _tag: "Forget", round, key, version: copy.version })
    return
  }
  forget(turn, key, copy)
  end(turn, burial)
}

const forget = (turn: Turn, key: string, { version }: Copy): void => {
  const own = Trie.get(turn.registers.byKey, key)
  if (own === undefined || !isSame(own.copy.version, version)) return
  turn.keep({ _tag: "Forgotten", keys: [key], floor: own.promised })
}

/** The last of them makes way for the next. */
const end = (turn: Turn, { key }: Burial): void => {
  turn.burials = Trie.remove(turn.burials, key)
  if (turn.burials.size > 0) return
  begin(turn, [])
  handOff(turn)
}

// ------------------------------------------------------------------------------------------------------ hinted handoff

/** What is held here for others goes to its homes when all of them are there, and is forgotten here when they have it. */
const handOff = (turn: Turn): void => {
  const { options } = turn.self
  let left = batch
  for (const { key, since } of Trie.from(turn.hints, turn.handed)) {
    if (left-- === 0) return
    turn.handed = Trie.hash(key) + 1
    const { copy } = Trie.get(turn.registers.byKey, key)!
    if (turn.act.now() - since > options.hintMillis) forget(turn, key, copy)
    else if (Trie.get(turn.proposals, key) === undefined) hand(turn, key, copy)
  }
  turn.handed = 0
}

const hand = (turn: Turn, key: string, copy: Copy): void => {
  const homes = Homes.homes(key, turn.self)
  if (homes.some((rank) => turn.isSilent(rank))) return
  const round = ++turn.round
  const votes = turn.self.nodes.map((_, rank) => (homes.includes(rank) ? null : "unasked"))
  put(turn, { key, isHandoff: true, round, isForgetting: false, copy, votes, ticks: 0 })
  turn.askOthers(votes, { _tag: "Accept", round, key, copy })
}
