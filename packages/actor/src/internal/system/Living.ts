/** How an actor begins, and how it ends: its children first. */
import { Cause, Effect, Exit, type Fiber, Scope } from "effect"
import { ActorStopped, type Reason } from "../../ActorRef.ts"
import type { Cell } from "./Cell.ts"
import * as Deferred from "./Deferred.ts"
import { Poison } from "./envelopes.ts"
import { none, type Rare } from "./Rare.ts"

export const stopped: Reason = { _tag: "Stopped" }

/** Stands for a fiber that is being begun. */
const begun = { interruptUnsafe: () => {} } as Fiber.Fiber<unknown, unknown>

/**
 * Runs an effect of the actor's own: before it is over nothing else becomes of the actor. Then `over` is called, late or not;
 * not where the effect was cut short.
 */
export const launch = <A>(
  cell: Cell,
  effect: Effect.Effect<A, unknown, any>,
  over: (cell: Cell, exit: Exit.Exit<A, unknown>, isLate: boolean) => void
): void => {
  const rare = cell.rarely()
  rare.fiber = begun
  const fiber = cell.runFork(effect)
  const exit = fiber.pollUnsafe()
  if (exit !== undefined) return ended(cell, rare, exit, false, over)
  rare.fiber = fiber
  fiber.addObserver((exit) => ended(cell, rare, exit, true, over))
  if (rare.isCut) fiber.interruptUnsafe()
}

const ended = <A>(
  cell: Cell,
  rare: Rare,
  exit: Exit.Exit<A, unknown>,
  isLate: boolean,
  over: (cell: Cell, exit: Exit.Exit<A, unknown>, isLate: boolean) => void
): void => {
  rare.fiber = undefined
  if (!rare.isCut) return over(cell, exit, isLate)
  rare.isCut = false
  cell.afterTurn(rare)
  // Who cuts it short goes on by himself.
  if (!rare.isCutting) advance(cell)
}

/** What it has under way is interrupted, and may take its time. */
export const cut = (rare: Rare): void => {
  if (rare.fiber === undefined) return
  rare.isCut = true
  rare.isCutting = true
  rare.fiber.interruptUnsafe()
  rare.isCutting = false
}

export const begin = (cell: Cell): void => {
  if (cell.behavior.kind === "effect") return beginEffect(cell)
  cell.status = "running"
  try {
    cell.state = cell.behavior.init(cell as any)
  } catch (defect) {
    return notBegun(cell, Cause.die(defect))
  }
  cell.goOn()
}

const initOf = (cell: Cell): Effect.Effect<unknown, unknown, Scope.Scope> => {
  try {
    return cell.behavior.init(cell as any) as Effect.Effect<unknown, unknown, Scope.Scope>
  } catch (defect) {
    return Effect.die(defect)
  }
}

const beginEffect = (cell: Cell): void => {
  cell.status = "starting"
  const init = initOf(cell)
  // What is a value already needs no fiber, and no scope.
  if (Exit.isExit(init) && Exit.isSuccess(init)) {
    cell.status = "running"
    cell.state = init.value
    return cell.goOn()
  }
  const rare = cell.rarely()
  const scope = Scope.makeUnsafe()
  rare.scope = scope
  launch(cell, Scope.provide(init, scope), (_, exit) => {
    cell.status = "running"
    if (Exit.isFailure(exit)) return notBegun(cell, exit.cause)
    cell.state = exit.value
    rare.last = none
    cell.goOn()
  })
}

/** What never started has no state to go on with. */
const notBegun = (cell: Cell, cause: Cause.Cause<unknown>): void => {
  cell.fail(cause)
  if (cell.status === "running") terminate(cell, cell.ending ?? { _tag: "Failed", cause })
}

/** Ends it, after the handler that runs. */
export const stop = (cell: Cell, reason: Reason): void => {
  if (cell.status === "running") cell.ending ??= reason
  else terminate(cell, reason)
}

/** After the handler that runs, or now: what runs besides handlers may say so too. */
export const stopItself = (cell: Cell): void => {
  if (cell.rare?.away !== undefined) cell.rare.away.stop(false)
  else if (cell.status === "idle" || cell.status === "ready") terminate(cell, stopped)
  else cell.ending ??= stopped
}

/** Ends it: children first. */
export const terminate = (cell: Cell, reason: Reason): void => {
  if (cell.status === "stopping" || cell.status === "stopped") return
  // Who asked what it is at, and is not to finish.
  if (cell.status === "busy") cell.question?.end(Exit.fail(new ActorStopped({ actor: cell.path })))
  cell.ending = reason
  cell.status = "stopping"
  dropMessages(cell)
  cease(cell)
  advance(cell)
}

const dropMessages = (cell: Cell): void => {
  const { mailbox, rare } = cell
  for (const message of rare?.stash ?? []) cell.dead(message, "stopped")
  if (rare !== undefined) rare.stash = []
  while (mailbox !== undefined && mailbox.size > 0) cell.dead(mailbox.shift(), "stopped")
  if (rare === undefined) return
  Deferred.refuseAll(cell, rare, () => new ActorStopped({ actor: cell.path }))
  const { room } = rare
  rare.room = []
  for (const waiter of room) waiter()
}

/** What it does besides handling messages, but for its children. */
const forget = (rare: Rare): void => {
  rare.timers?.clearAll()
  rare.ticks.clear()
  rare.receive = undefined
  for (const { undo } of rare.watched.values()) undo()
  rare.watched.clear()
}

export const cease = (cell: Cell): void => {
  const { rare } = cell
  if (rare !== undefined) {
    forget(rare)
    cut(rare)
  }
  for (const child of cell.children) nested(() => stop(child, stopped))
}

/** What one's end comes to for others, within which others may end in turn. */
const deepest = 64
let depth = 0
const putOff: Array<() => void> = []

/** Does it now or, deep down in a family, a little later: that may be deeper than the stack. */
export const nested = (then: () => void): void => {
  if (depth === deepest) return void putOff.push(then)
  depth++
  try {
    then()
  } finally {
    depth--
  }
  while (depth === 0 && putOff.length > 0) nested(putOff.pop()!)
}

/** Goes on with its end, or its new start, when nothing of it is left: no child, no fiber, no scope. */
export const advance = (cell: Cell): void => {
  const { rare, status } = cell
  if ((status !== "stopping" && status !== "restarting") || rare?.fiber !== undefined) return
  const pause = rare?.pause
  if (status === "restarting" && pause !== undefined) {
    rare!.pause = undefined
    return pause()
  }
  if (status === "restarting" && rare!.isKept) return cell.goOn()
  if (cell.firstChild !== undefined) return
  const scope = rare?.scope
  if (scope !== undefined) {
    rare!.scope = undefined
    return launch(cell, Effect.uninterruptible(Effect.ignore(Scope.close(scope, Exit.void))), advance)
  }
  // A handler that was cut short may have asked for something yet.
  if (rare !== undefined) forget(rare)
  if (status === "stopping") vanish(cell, cell.ending!)
  else {
    begin(cell)
    if (cell.state !== none) cell.rarely().last = none
  }
}

/** It is no more, or elsewhere: what it asks for now is for nobody. */
export const isGone = ({ status }: Cell): boolean => status === "stopped" || status === "moved"

/** It ends, or starts anew: a child that is spawned now is in its way. */
export const isLeaving = ({ rare, status }: Cell): boolean =>
  status === "stopping" || status === "stopped" || status === "moved" || (status === "restarting" && !rare!.isKept)

const vanish = (cell: Cell, reason: Reason): void => {
  dropMessages(cell)
  cell.status = "stopped"
  if (cell.parent !== undefined) cell.system.counters.stopped++
  try {
    const state = cell.state === none && cell.rare !== undefined ? cell.rare.last : cell.state
    if (state !== none) cell.behavior.onStop?.(state)
  } catch (defect) {
    cell.log("onStop threw", Cause.die(defect))
  }
  cell.state = undefined
  cell.mailbox = undefined
  const { parent, rare } = cell
  parent?.lose(cell)
  if (rare !== undefined) tellOthers(cell, rare, reason)
  cell.rare = undefined
  if (parent !== undefined) nested(() => advance(parent))
}

const tellOthers = (cell: Cell, rare: Rare, reason: Reason): void => {
  for (const told of rare.watchers) told(reason)
  for (const other of rare.links) nested(() => other.unlinkedFrom(cell, reason))
  // Who is linked there watches, and was told.
  for (const undo of rare.farLinks?.values() ?? []) undo("Unwatch")
  for (const waiter of rare.gone) waiter()
}

/** It ends, at once or after what waits for it now. */
export const end = (cell: Cell, drain: boolean): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (cell.status === "stopped") return resume(Effect.void)
    cell.rarely().gone.push(() => resume(Effect.void))
    if (cell.rare!.away !== undefined) return cell.rare!.away.stop(drain)
    if (drain) cell.deliver(new Poison())
    else stop(cell, stopped)
  })
