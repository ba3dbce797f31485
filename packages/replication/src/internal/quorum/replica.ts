/**
 * The replica: promises, accepts, and says what it holds.
 */
import * as Trie from "../../Trie.ts"
import { isBelow, isSame } from "./ballots.ts"
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
  }
}

/** The copy goes along where it is newer, or tells that more was forgotten. */
const held = (
  turn: Turn,
  _tag: Held["_tag"],
  { have, key, round }: Exclude<Ask, { readonly _tag: "Accept" }>
): Vote => {
  const { copy } = Registers.get(turn.registers, key)
  const { past, version } = copy
  const isNews = isBelow(have, version) || (version.counter === 0 && past.length > 0)
  return { _tag, round, key, version, ...(isNews ? { copy } : {}) }
}

const promise = (turn: Turn, ask: Extract<Ask, { readonly _tag: "Prepare" }>): Vote => {
  const { ballot, key, round } = ask
  const { copy, promised } = Registers.get(turn.registers, key)
  // One that comes twice is answered as before, unless it has been accepted.
  if (isBelow(ballot, promised) || isSame(ballot, copy.version)) return { _tag: "Refused", round, key, promised }
  if (isBelow(promised, ballot)) turn.keep({ _tag: "Promised", key, ballot })
  return held(turn, "Promised", ask)
}

const accept = (turn: Turn, { copy, key, round }: Extract<Ask, { readonly _tag: "Accept" }>): Vote | undefined => {
  const before = Trie.get(turn.registers.byKey, key)
  if (before === undefined || !isSame(before.copy.version, copy.version)) {
    const promised = before?.promised ?? turn.registers.floor
    // What was forgotten was forgotten with the floor: it does not come back.
    if (isBelow(copy.version, promised) || (before === undefined && isSame(copy.version, promised))) {
      return round === 0 ? undefined : { _tag: "Refused", round, key, promised }
    }
    turn.keep({ _tag: "Accepted", key, copy })
  }
  return round === 0 ? undefined : { _tag: "Accepted", round, key }
}
