/**
 * How the state of an application comes to a member that joins.
 *
 * In the step that installs a view with joiners, between the last delivery of the view before and the first of the new one,
 * each member that was in both asks its application for a snapshot: all of them get the same. One of them sends it, in
 * pieces, as the joiner asks for them; the others keep theirs until the joiner has said that it has it, and take over where
 * the sender is gone. What is delivered to the joiner meanwhile is held back and follows the state: it misses nothing, and
 * gets nothing twice.
 */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import * as Log from "./log.ts"
import type { Step } from "./step.ts"
import type { Have, Offer, Piece, Want } from "./wire.ts"

/** How many pieces a joiner is sent at a time. */
const piecesAtOnce = 64

/** For so many ticks in a row a joiner asks in vain, before it asks another. */
const patience = 3

export interface Joining {
  /** The view that it joined in. */
  readonly view: number
  /** Who may have the state: members of the view before who are members still. */
  readonly donors: ReadonlyArray<NodeId.NodeId>
  /** Whom it gets the state from. */
  readonly donor: NodeId.NodeId | undefined
  readonly pieces: Log.Log<Uint8Array>
  /** How many bytes these are, and how many the state has. */
  readonly has: number
  readonly bytes: number
  /** How often the donor was asked since it last answered. */
  readonly asked: number
}

/** A snapshot that is kept for those who joined in a view. */
export interface Kept {
  readonly view: number
  /** None until the application has answered. */
  readonly state: Uint8Array | undefined
  readonly joiners: ReadonlyArray<NodeId.NodeId>
}

const nobody = { donor: undefined, pieces: Log.empty(0), has: 0, asked: 0 } as const

// ----------------------------------------------------------------------------------------------------------------- views

/** A view is about to be installed: what was delivered so far is what a joiner gets. */
export const onInstall = (step: Step<any>, { joined = [], members, number }: Protocol.View): void => {
  const { act, options, s } = step
  const self = act.self.id
  s.snapshots = s.snapshots.flatMap((kept) => {
    const joiners = kept.joiners.filter((node) => members.includes(node) && !joined.includes(node))
    return joiners.length === 0 ? [] : [{ ...kept, joiners }]
  })
  if (!options.transfers || joined.length === 0 || joined.length === members.length) return
  if (joined.includes(self)) {
    const donors = members.filter((node) => !joined.includes(node))
    s.joining = { view: number, donors, bytes: 0, ...nobody }
    step.tickOn()
  } else {
    s.snapshots = [...s.snapshots, { view: number, state: undefined, joiners: joined }]
    step.tell({ _tag: "Snapshot", view: number })
    step.tickOn()
  }
}

/** A view was agreed on: whoever it leaves out sends no state any more. */
export const onViewAgreed = (step: Step<any>, { joined, members }: Protocol.View): void => {
  const { s } = step
  if (s.joining === undefined) return
  const donors = s.joining.donors.filter((node) => members.includes(node) && joined?.includes(node) !== true)
  if (donors.length === 0) return step.fail("nobody is left who has the state of the group. Let this node join anew.")
  const donor = donors.find((node) => node === s.joining!.donor)
  s.joining = { ...s.joining, donors, ...(donor === undefined ? nobody : {}) }
}

// ----------------------------------------------------------------------------------------------------------------- donors

export const onSnapshot = (step: Step<any>, view: number, state: Uint8Array): void => {
  const { act, s } = step
  if (!s.snapshots.some((kept) => kept.view === view && kept.state === undefined)) return
  s.snapshots = s.snapshots.map((kept) => (kept.view === view ? { ...kept, state } : kept))
  const joined = s.snapshots.flatMap(({ joiners }) => joiners)
  const first = s.view?.members.find((node) => !joined.includes(node))
  if (first === act.self.id) offer(step)
}

const offer = ({ act, s }: Step<any>): void => {
  for (const { joiners, state, view } of s.snapshots) {
    if (state !== undefined) act.sendAll(joiners, { _tag: "Offer", view, bytes: state.length })
  }
}

export const onWant = ({ act, options, s }: Step<any>, from: NodeId.NodeId, { offset, view }: Want): void => {
  const state = s.snapshots.find((kept) => kept.view === view)?.state
  if (state === undefined) return
  let at = offset
  for (let i = 1; i <= piecesAtOnce && at < state.length; i++) {
    const end = Math.min(at + options.pieceBytes, state.length)
    const isLast = i === piecesAtOnce
    act.send(from, { _tag: "Piece", view, offset: at, bytes: state.subarray(at, end), isLast })
    at = end
  }
}

export const onHave = ({ s }: Step<any>, from: NodeId.NodeId, { view }: Have): void => {
  if (!s.snapshots.some((kept) => kept.view === view && kept.joiners.includes(from))) return
  s.snapshots = s.snapshots.flatMap((kept) => {
    if (kept.view !== view) return [kept]
    const joiners = kept.joiners.filter((node) => node !== from)
    return joiners.length === 0 ? [] : [{ ...kept, joiners }]
  })
}

// ---------------------------------------------------------------------------------------------------------------- joiners

export const onOffer = (step: Step<any>, from: NodeId.NodeId, { bytes, view }: Offer): void => {
  const { act, s } = step
  const { joining } = s
  if (joining?.view !== view) {
    if (joining === undefined && s.view !== undefined && s.since === view) act.send(from, { _tag: "Have", view })
    return
  }
  if (joining.donor !== undefined || !joining.donors.includes(from)) return
  s.joining = { ...joining, ...nobody, donor: from, bytes }
  if (bytes === 0) finish(step)
  else want(step)
}

const want = ({ act, s }: Step<any>): void => {
  const { donor, has, view } = s.joining!
  if (donor !== undefined) act.send(donor, { _tag: "Want", view, offset: has })
}

export const onPiece = (step: Step<any>, from: NodeId.NodeId, { bytes, isLast, offset, view }: Piece): void => {
  const { s } = step
  const { joining } = s
  if (joining?.view !== view || joining.donor !== from || joining.has !== offset) return
  const has = offset + bytes.length
  s.joining = { ...joining, pieces: Log.append(joining.pieces, bytes), has, asked: 0 }
  s.quiet = 0
  if (has >= joining.bytes) finish(step)
  else if (isLast) want(step)
}

const finish = (step: Step<any>): void => {
  const { act, s } = step
  const { bytes, donors, pieces, view } = s.joining!
  const withheld = Log.items(s.withheld)
  s.joining = undefined
  s.withheld = Log.empty(0)
  act.emit({ _tag: "Install", state: whole(pieces, bytes) })
  for (const event of withheld) act.emit(event)
  act.sendAll(donors, { _tag: "Have", view })
}

const whole = (pieces: Log.Log<Uint8Array>, bytes: number): Uint8Array => {
  const state = new Uint8Array(bytes)
  let at = 0
  for (const piece of Log.items(pieces)) {
    state.set(piece, at)
    at += piece.length
  }
  return state
}

export const onTransferTick = (step: Step<any>): void => {
  const { s } = step
  offer(step)
  if (s.joining === undefined || s.joining.donor === undefined) return
  const asked = s.joining.asked + 1
  s.joining = { ...s.joining, ...(asked > patience ? nobody : { asked }) }
  want(step)
}
