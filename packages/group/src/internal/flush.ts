/**
 * How a view ends, so that all who go on to the next one have delivered the same in it.
 *
 * A member that hears of a new view sends nothing more, and tells the other survivors, by a vector, what it has of the old
 * one. From then on it receives nothing else of it than what some survivor has told of. When all have told, each knows the
 * cut: the most that any of them has of each stream. It asks for what it lacks of that, tells the others when it has it,
 * and goes on to the new view once all have, after delivering what is left.
 *
 * Nobody goes on before every survivor has all of the cut, and nothing more. So when survivors drop out meanwhile, and the
 * rest has to begin again, which it does with each view that it hears of, the cut can only be the same. That makes one rule
 * do for members that have gone on and members that have not, also for one that goes on and crashes at once; and whoever
 * has gone on can tell another of the survivors to follow: nothing that it needs is kept elsewhere.
 *
 * Every member goes through every view that it is in, one after the other: the agreed sequence must not leave out one.
 */
import type { Protocol } from "@troupe/actor"
import type { NodeId } from "@troupe/transport"
import * as Log from "./log.ts"
import { askNow, takeAhead } from "./repair.ts"
import { newStream, received, vector } from "./state.ts"
import type { Step } from "./step.ts"
import { onInstall, onViewAgreed } from "./transfer.ts"
import type { Flush, Installed } from "./wire.ts"

/** Views that may wait for their turn. Each is a change of the members that nobody has got through yet. */
export const maxPending = 64

/** A view was agreed on. */
export const onView = (step: Step<any>, view: Protocol.View): void => {
  const { act, s } = step
  const self = act.self.id
  const latest = s.pending.at(-1) ?? s.view
  if (latest !== undefined && view.number <= latest.number) return
  if (!view.members.includes(self)) {
    const { held } = s
    if (s.view !== undefined && s.failed === undefined) step.fail(`view ${view.number} leaves this node out`)
    s.view = undefined
    // It may be let in anew, and is sent to already.
    s.since = view.number + 1
    s.held = held
    return
  }
  // A node that was left out, or is taken for one that knows nothing, begins anew.
  if (view.joined?.includes(self) === true || s.view === undefined) return begin(step, view)
  if (s.failed !== undefined) return
  if (s.pending.length >= maxPending) return step.fail(`${maxPending} views wait already: the members change too often`)
  s.pending = [...s.pending, view]
  onViewAgreed(step, view)
  if (s.failed === undefined) attempt(step)
}

/** Enters a view without one before. */
export const begin = (step: Step<any>, view: Protocol.View): void => {
  const { s } = step
  s.life = 1 + Math.floor(step.act.random() * 0xffff_fffe)
  s.since = view.number
  s.failed = undefined
  s.pending = []
  s.ended = undefined
  s.joining = undefined
  s.withheld = Log.empty(0)
  s.snapshots = []
  install(step, view)
}

// --------------------------------------------------------------------------------------------------------------- the flush

/** Begins, or begins again: with every view that is heard of. */
const attempt = (step: Step<any>): void => {
  const { act, s } = step
  const survivors = s.view!.members.flatMap((node, rank) =>
    s.pending.every(({ joined, members }) => members.includes(node) && joined?.includes(node) !== true) ? [rank] : []
  )
  s.flush = { attempt: s.pending.at(-1)!.number, survivors, cut: undefined }
  // What is missing is nobody's concern until the cut is known.
  for (let rank = 0; rank < s.streams.length; rank++) {
    const stream = step.stream(rank)
    stream.known = received(stream)
    stream.looks = 0
  }
  s.looking = 0
  act.clearTimer("ask")
  s.quiet = 0
  declare(step, vector(s.streams), false)
  step.tickOn()
  goOn(step)
}

const declare = (step: Step<any>, had: ReadonlyArray<number>, ready: boolean): void => {
  const { s } = step
  const own: Flush = { _tag: "Flush", view: s.view!.number, attempt: s.flush!.attempt, received: had, ready }
  s.declared = s.declared.with(s.rank, own)
  declareAgain(step)
}

/** Tells the survivors, for what was told may have been lost. */
export const declareAgain = (step: Step<any>): void => {
  const { flush, rank } = step.s
  const own = step.s.declared[rank]!
  for (const survivor of flush!.survivors) if (survivor !== rank) step.act.send(step.members[survivor]!, own)
}

export const onFlush = (step: Step<any>, rank: number, message: Flush): void => {
  const { s } = step
  const earlier = s.declared[rank]
  if (message.received.length !== s.streams.length) return
  if (earlier !== undefined) {
    if (message.attempt < earlier.attempt) return
    if (message.attempt === earlier.attempt && (earlier.ready || !message.ready)) return
  }
  s.declared = s.declared.with(rank, message)
  goOn(step)
}

/** A survivor asks on, to whom what this node told when it went on was lost. Others must not go on by that. */
export const isStraggler = ({ s }: Step<any>, from: NodeId.NodeId, { view }: Flush): boolean =>
  s.ended?.view === view && s.ended.survivors.includes(from)

/** Whoever has gone on knows that this node has all that it needs. */
export const onInstalled = (step: Step<any>, { view }: Installed): void => {
  if (step.s.flush !== undefined && view === step.s.view!.number) installNext(step)
}

/** Does what can be done by now for the view to end. */
export const goOn = (step: Step<any>): void => {
  const { s } = step
  if (s.flush === undefined) return
  findCut(step)
  const { attempt, cut, survivors } = s.flush
  if (cut === undefined) return
  const own = s.declared[s.rank]!
  if (!has(own, cut) && s.streams.every((stream, rank) => received(stream) === cut[rank])) {
    declare(step, own.received, true)
  }
  if (survivors.every((rank) => s.declared[rank]!.attempt === attempt && has(s.declared[rank]!, cut))) installNext(step)
}

const findCut = (step: Step<any>): void => {
  const { declared, flush, streams } = step.s
  const { attempt, cut, survivors } = flush!
  if (cut !== undefined || !survivors.every((rank) => declared[rank]?.attempt === attempt)) return
  const most = streams.map((_, rank) => Math.max(...survivors.map((survivor) => declared[survivor]!.received[rank]!)))
  step.s.flush = { ...flush!, cut: most }
  step.s.quiet = 0
  for (let rank = 0; rank < most.length; rank++) {
    takeAhead(step, rank)
    askNow(step, rank, most[rank]!)
  }
}

const has = ({ ready, received: had }: Flush, cut: ReadonlyArray<number>): boolean =>
  ready || had.every((count, rank) => count === cut[rank])

// ------------------------------------------------------------------------------------------------------------ the next view

const installNext = (step: Step<any>): void => {
  const { s } = step
  step.flush()
  const survivors = s.flush!.survivors.map((rank) => s.view!.members[rank]!)
  s.ended = { view: s.view!.number, survivors, received: vector(s.streams) }
  const [next, ...rest] = s.pending
  s.pending = rest
  install(step, next!)
}

const install = (step: Step<any>, view: Protocol.View): void => {
  const { act, orders, s } = step
  const self = act.self.id
  onInstall(step, view)
  s.view = view
  s.rank = view.members.indexOf(self)
  s.others = view.members.filter((node) => node !== self)
  s.flush = undefined
  s.declared = view.members.map(() => undefined)
  s.streams = view.members.map((node) => newStream(node === self ? s.life : 0))
  s.order = orders.init(s.rank, view.members.length)
  s.ahead = []
  s.settled = []
  s.decided = Log.empty(0)
  s.reports = view.members.map(() => [])
  s.told = []
  s.unreported = 0
  s.quiet = 0
  s.looking = 0
  act.clearTimer("ask")
  step.tell({ _tag: "Viewed", view })
  if (s.pending.length > 0) attempt(step)
  else {
    s.order = orders.begin?.(s.order, step) ?? s.order
    step.sendControls()
    const asked = s.queue
    s.queue = []
    for (const payload of asked) step.send(payload)
  }
}
