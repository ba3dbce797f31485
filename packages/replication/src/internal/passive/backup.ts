/**
 * How a replica follows, and catches up.
 */
import type { NodeId } from "@troupe/transport"
import type * as Machine from "../../Machine.ts"
import * as Log from "./log.ts"
import type { Batch, Message } from "./messages.ts"
import { beat, fetchOf, takeOver } from "./primary.ts"
import * as Replica from "./replica.ts"
import { type Act, isPrimary, lastOf, primaryOf, safeAt, type State } from "./state.ts"
import { join } from "./views.ts"

type Prepare = Extract<Message, { readonly _tag: "Prepare" }>
type Fetch = Extract<Message, { readonly _tag: "Fetch" }>

/** Bytes that one message brings to who was away, and some. */
const tailBytes = 1024 * 1024

/** Of the view that this node is in, or a later one. */
export const onPrepare = (
  machine: Machine.Any,
  state: State,
  from: NodeId.NodeId,
  message: Prepare,
  act: Act
): State => {
  if (from === primaryOf(message.view, act.self)) {
    if (from === act.self.id) return state
    const joined = message.view > state.view ? join(state, message.view, act) : state
    return follow(machine, normal(joined, act), from, message, act)
  }
  if (message.view !== state.view || state.status === "normal" || state.collecting?.node !== from) return state
  const { matched, state: extended } = extend(machine, state, message, act)
  return takeOver(machine, extended, matched ?? safeAt(extended), act)
}

const normal = (state: State, act: Act): State => {
  if (state.status === "normal") return state.missing.length === 0 ? state : { ...state, missing: [] }
  act.emit({ _tag: "Changed" })
  return { ...state, status: "normal", missing: [], votes: [], collecting: undefined, fetching: false }
}

const follow = (machine: Machine.Any, before: State, from: NodeId.NodeId, message: Prepare, act: Act): State => {
  const { matched, state } = extend(machine, before, message, act)
  const { last, round, view } = message
  if (safeAt(state) > safeAt(before)) act.emit({ _tag: "Advanced" })
  if (matched !== undefined) act.send(from, { _tag: "Ack", view, round, at: matched })
  if (matched !== undefined && matched >= last) return state.fetching ? { ...state, fetching: false } : state
  // What a fetch brought was not all or does not fit, or there is a gap; one fetch at a time, until a tick.
  if (state.fetching && (message.at > lastOf(state) || message.batches.length === 0)) return state
  const lacks = matched ?? (message.at > lastOf(state) ? lastOf(state) : safeAt(state))
  act.sendNow(from, fetchOf(state, lacks))
  return { ...state, fetching: true }
}

/** Appends what is new, if it fits the log; `matched` is how far the log is the sender's then. */
const extend = (
  machine: Machine.Any,
  state: State,
  { at: begins, atView, batches: all, commit }: Prepare,
  act: Act
): { readonly state: State; readonly matched: number | undefined } => {
  const { replica } = state
  const { kept } = act.self.options
  const safe = Replica.safe(replica).at
  // Up to there all logs agree.
  const at = Math.max(begins, Math.min(safe, begins + all.length))
  if (at < safe) return { state, matched: safe }
  if (at === begins && Log.viewAt(replica.log, at) !== atView) return { state, matched: undefined }
  const end = begins + all.length
  let held = at
  while (held < end && Log.viewAt(replica.log, held + 1) === all[held - begins]!.view) held++
  const upTo = Math.min(commit, end)
  if (held === end) {
    const settled = Replica.settle(replica, upTo, kept)
    return { state: settled === replica ? state : { ...state, replica: settled }, matched: end }
  }
  const batches: ReadonlyArray<Batch> = held === begins ? all : all.slice(held - begins)
  act.persist({ _tag: "Append", at: held, commit: Math.max(safe, upTo), batches })
  return { state: { ...state, replica: Replica.extend(machine, replica, held, batches, upTo, kept) }, matched: end }
}

// ------------------------------------------------------------------------------------------------------------ catching up

/** What somebody of this view lacks. */
export const onFetch = (
  machine: Machine.Any,
  state: State,
  to: NodeId.NodeId,
  { from, piece }: Fetch,
  act: Act
): State => {
  const { log } = state.replica
  if (from > Log.last(log)) return state
  if (piece === undefined && from >= log.base.at) {
    const batches = Log.following(log, from, tailBytes, (batch) => Replica.sizeOf(machine, batch))
    act.sendNow(to, { ...(beat(state) as Prepare), at: from, atView: Log.viewAt(log, from)!, batches })
    return state
  }
  const safe = Replica.safe(state.replica)
  const dump =
    state.dump !== undefined && (piece === undefined || piece.at === state.dump.version.at)
      ? { ...state.dump, idle: 0 }
      : { version: safe, atView: Log.viewAt(log, safe.at)!, pieces: piecesOf(machine, safe.state), idle: 0 }
  const part = piece?.at === dump.version.at ? piece.part : 0
  const updates = dump.pieces[part] ?? []
  const isEnd = part + 1 >= dump.pieces.length
  act.sendNow(to, {
    _tag: "Snapshot",
    view: state.view,
    piece: {
      ...{ at: dump.version.at, atView: dump.atView, part, updates },
      ...(isEnd ? { end: Replica.endOf(dump.version) } : {})
    }
  })
  return { ...state, dump }
}

const piecesOf = (machine: Machine.Any, state: unknown): ReadonlyArray<ReadonlyArray<unknown>> => [
  ...Replica.inPieces(machine, state, (_part, updates) => updates)
]

export const onSnapshot = (
  machine: Machine.Any,
  state: State,
  from: NodeId.NodeId,
  { piece, view }: Extract<Message, { readonly _tag: "Snapshot" }>,
  act: Act
): State => {
  const source = state.status === "normal" ? primaryOf(view, act.self) : state.collecting?.node
  if (view !== state.view || from !== source || isPrimary(state, act.self) || piece.at <= safeAt(state)) return state
  const replica = Replica.take(machine, state.replica, piece)
  if (replica === undefined) return state
  act.persist({ _tag: "Piece", piece })
  const taken = { ...state, replica, fetching: true }
  if (piece.end === undefined) {
    act.sendNow(from, fetchOf(taken, safeAt(state)))
    return taken
  }
  act.emit({ _tag: "Advanced" })
  if (state.collecting !== undefined) return takeOver(machine, taken, piece.at, act)
  act.sendNow(from, fetchOf(taken, piece.at))
  return taken
}

/** A snapshot that nobody asks for any more goes. */
export const onIdle = (state: State): State => {
  const { dump } = state
  if (dump === undefined) return state
  return { ...state, dump: dump.idle >= idleTicks ? undefined : { ...dump, idle: dump.idle + 1 } }
}
const idleTicks = 50
