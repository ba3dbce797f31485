/**
 * Changes of view.
 */
import type { NodeId } from "@troupe/transport"
import * as Log from "./log.ts"
import { type Act, isEnough, isPrimary, lastOf, nextView, primaryOf, type State, suspects, viewOf } from "./state.ts"

/** Nobody has written yet. */
export const nobody: State["writer"] = { client: -1, count: 0, leaves: false }

/** Takes part in a later view from now on, and votes for its primary. */
export const enter = (state: State, view: number, act: Act): State => {
  const entered = join(state, view, act)
  vote(entered, act)
  return entered
}

/** Takes part in a later view, of which somebody is the primary already, or votes are there. */
export const join = (state: State, view: number, act: Act): State => {
  act.persist({ _tag: "Life", life: state.life, view })
  act.emit({ _tag: "Changed" })
  return {
    ...state,
    view,
    status: "changing",
    silent: state.silent.map((ticks, rank) =>
      ticks >= act.self.options.silentTicks && act.self.nodes[rank] !== primaryOf(view, act.self) ? ticks : 0
    ),
    missing: [],
    votes: [],
    collecting: undefined,
    rounds: [],
    waiting: undefined,
    waitingCount: 0,
    writer: nobody,
    fetching: false,
    dump: undefined
  }
}

/** To itself, too: a vote counts when it is on disk. */
export const vote = (state: State, act: Act): void => {
  const at = lastOf(state)
  act.send(primaryOf(state.view, act.self), {
    _tag: "Vote",
    view: state.view,
    at,
    atView: Log.viewAt(state.replica.log, at)!
  })
}

export const heard = (state: State, from: NodeId.NodeId, act: Act): State => {
  const rank = act.self.nodes.indexOf(from)
  if (rank < 0 || state.silent[rank] === 0) return state
  const silent = state.silent.slice()
  silent[rank] = 0
  return { ...state, silent }
}

/**
 * One more tick in which nobody was heard of. A primary counts for all, the others for the primary: no more is said to them.
 * A primary to be that does not come to lead counts for itself.
 */
export const tick = (state: State, act: Act): State => {
  const { nodes, options } = act.self
  const leads = isPrimary(state, act.self)
  const primary = primaryOf(state.view, act.self)
  const silent = state.silent.map((ticks, rank) =>
    (leads ? nodes[rank] !== primary : nodes[rank] === primary) ? Math.min(options.silentTicks, ticks + 1) : ticks
  )
  return { ...state, silent }
}

/** Whether the primary of the view, or to be, is no use. One that does not come to lead is not, whatever a detector says. */
export const misses = (state: State, act: Act): boolean => {
  const { nodes, options } = act.self
  const primary = primaryOf(state.view, act.self)
  if (state.status === "changing" && state.silent[nodes.indexOf(primary)]! >= options.silentTicks) return true
  return primary !== act.self.id && suspects(state, primary, act.self)
}

/** Says that it misses the primary; changes the view when enough do. */
export const miss = (state: State, act: Act): State => {
  for (const peer of act.self.peers) act.sendNow(peer, { _tag: "Missing", view: state.view })
  return missedBy(state, act.self.id, act)
}

export const missedBy = (state: State, node: NodeId.NodeId, act: Act): State => {
  const missing = state.missing.includes(node) ? state.missing : [...state.missing, node]
  const noted = missing === state.missing ? state : { ...state, missing }
  return misses(noted, act) && missing.includes(act.self.id) && isEnough(noted, missing, act.self)
    ? enter(noted, nextView(noted, act.self), act)
    : noted
}

/** Tells whoever speaks of an earlier view. */
export const newer = (state: State, to: NodeId.NodeId, act: Act): State => {
  act.sendNow(to, { _tag: "Newer", view: state.view })
  return state
}

/** A primary that has nothing under way leaves its office to the node that writes. */
export const handOver = (state: State, act: Act): State => {
  const { rounds, waitingCount, writer } = state
  if (!writer.leaves || rounds.length > 0 || waitingCount > 0) return state
  const to = act.self.nodes[writer.client]!
  const view = viewOf(to, state, act.self)
  act.sendNow(to, { _tag: "HandOver", view })
  return enter(state, view, act)
}

/** It is to be the primary: the others hear of the view, and vote. */
export const onHandOver = (state: State, view: number, act: Act): State => {
  for (const peer of act.self.peers) act.sendNow(peer, { _tag: "Newer", view })
  return enter(state, view, act)
}
