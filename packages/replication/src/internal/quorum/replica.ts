/**
 * The replica: promises, accepts, and says what it holds.
 */
import * as Trie from "../../Trie.ts"
import { after, type Ballot, isBelow, isSame } from "./ballots.ts"
import { isHome } from "./homes.ts"
import type { Ask, Held, Vote } from "./messages.ts"
import * as Registers from "./registers.ts"
import type { Turn } from "./turn.ts"

export const vote = (turn: Turn, ask: Ask): Vote | undefined => {
  switch (ask._tag) {
    case "Read":
      return held(turn, "Holds", ask)
    case "Prepare":
      return promise(turn, ask)
    case "Accept":
      return accept(turn, ask)
    case "Forget":
      return forget(turn, ask)
  }
}

/** The copy goes along where it is newer, or tells that more was forgotten. */
const held = (turn: Turn, _tag: Held["_tag"], { have, key, round }: Extract<Ask, { readonly have: Ballot }>): Vote => {
  const { copy } = Registers.get(turn.registers, key)
  const { past, version } = copy
  const isNews = isBelow(have, version) || (version.counter === 0 && past.length > 0)
  return { _tag, round, key, version, ...(isNews ? { copy } : {}) }
}

const promise = (turn: Turn, ask: Extract<Ask, { readonly _tag: "Prepare" }>): Vote => {
  const { ballot, key, round } = ask
  const before = Trie.get(turn.registers.byKey, key)
  const promised = before?.promised ?? turn.registers.floor
  if (isBelow(promised, ballot)) turn.keep({ _tag: "Promised", key, ballot })
  // One that comes twice is answered as before, unless it has been accepted, or forgotten.
  else if (before === undefined || !isSame(ballot, promised) || isSame(ballot, before.copy.version)) {
    return { _tag: "Refused", round, key, promised }
  }
  return held(turn, "Promised", ask)
}

const accept = (
  turn: Turn,
  { ahead, copy, key, round }: Extract<Ask, { readonly _tag: "Accept" }>
): Vote | undefined => {
  const { version } = copy
  const before = Trie.get(turn.registers.byKey, key)
  const promised = before?.promised ?? turn.registers.floor
  const next = ahead ? after(version) : version
  if (before === undefined || !isSame(before.copy.version, version)) {
    // What was forgotten as gone does not come back: the floor is its version at least.
    const isForgotten = before === undefined && Registers.isNothing(copy) && isSame(version, promised)
    if (isBelow(version, promised) || isForgotten) {
      if (round === 0) return undefined
      return { _tag: "Refused", round, key, promised, ...(before === undefined ? { absent: true } : {}) }
    }
    if (!hasRoom(turn, key)) return undefined
    turn.keep({ _tag: "Accepted", key, copy, ...(ahead ? { next } : {}) })
    // A reader may have brought it before, without asking for the next ballot.
  } else if (isBelow(promised, next)) turn.keep({ _tag: "Promised", key, ballot: next })
  return round === 0 ? undefined : { _tag: "Accepted", round, key }
}

/** Who stands in for another says nothing where it stands in for too much. */
const hasRoom = ({ hints, rank, self }: Turn, key: string): boolean =>
  hints.size < self.options.hints || isHome(key, rank, self) || Trie.get(hints, key) !== undefined

/** All replicas hold it as gone, or have forgotten it, and none takes what is older. */
const forget = (turn: Turn, { key, round, version }: Extract<Ask, { readonly _tag: "Forget" }>): Vote => {
  const before = Trie.get(turn.registers.byKey, key)
  if (before !== undefined) {
    const { copy, promised } = before
    if (!isSame(copy.version, version)) return { _tag: "Refused", round, key, promised }
    turn.keep({ _tag: "Forgotten", keys: [key], floor: promised })
  }
  return { _tag: "Forgotten", round, key }
}
