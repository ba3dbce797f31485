/** How an actor begins, and how it ends: its children first. */
import { Cause, Effect, Exit, Scope } from "effect"
import type { Reason } from "../../ActorRef.ts"
import type { Cell } from "./Cell.ts"
import { Poison } from "./envelopes.ts"

export const stopped: Reason = { _tag: "Stopped" }

export const begin = (cell: Cell): void => {
  cell.status = "starting"
  if (cell.behavior.kind === "effect") return beginEffect(cell)
  try {
    cell.status = "running"
    cell.state = cell.behavior.init(cell as any)
  } catch (defect) {
    return cell.fail(Cause.die(defect))
  }
  cell.goOn()
}

const beginEffect = (cell: Cell): void => {
  const rare = cell.rarely()
  const scope = Scope.makeUnsafe()
  rare.scope = scope
  const fiber = cell.runFork(
    Scope.provide(
      Effect.suspend(() => cell.behavior.init(cell as any) as Effect.Effect<unknown, unknown, Scope.Scope>),
      scope
    )
  )
  if (fiber.pollUnsafe() === undefined) rare.fiber = fiber
  fiber.addObserver((exit) => {
    rare.fiber = undefined
    if (cell.status !== "starting") return advance(cell)
    cell.status = "running"
    if (Exit.isFailure(exit)) return cell.fail(exit.cause)
    cell.state = exit.value
    cell.goOn()
  })
}

/** Ends it: children first. */
export const terminate = (cell: Cell, reason: Reason): void => {
  if (cell.status === "stopping" || cell.status === "stopped") return
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
  const { room } = rare
  rare.room = []
  for (const waiter of room) waiter()
}

/** What it does besides handling messages. */
export const cease = (cell: Cell): void => {
  const { rare } = cell
  if (rare !== undefined) {
    rare.timers?.clearAll()
    rare.ticks.clear()
    rare.receive = undefined
    for (const { undo } of rare.watched.values()) undo()
    rare.watched.clear()
    rare.fiber?.interruptUnsafe()
  }
  for (const child of cell.children) terminate(child, stopped)
}

/** Goes on with its end, or its new start, when nothing of it is left: no child, no fiber, no scope. */
export const advance = (cell: Cell): void => {
  if (cell.status !== "stopping" && cell.status !== "starting") return
  if (cell.firstChild !== undefined || cell.rare?.fiber !== undefined) return
  const scope = cell.rare?.scope
  if (scope !== undefined) {
    cell.rare!.scope = undefined
    const fiber = cell.system.fork(Effect.ignore(Scope.close(scope, Exit.void)))
    cell.rare!.fiber = fiber.pollUnsafe() === undefined ? fiber : undefined
    fiber.addObserver(() => {
      cell.rare!.fiber = undefined
      advance(cell)
    })
    return
  }
  if (cell.status === "stopping") vanish(cell, cell.ending!)
  else begin(cell)
}

const vanish = (cell: Cell, reason: Reason): void => {
  cell.status = "stopped"
  cell.system.counters.stopped++
  try {
    cell.behavior.onStop?.(cell.state)
  } catch (defect) {
    cell.log("onStop threw", Cause.die(defect))
  }
  cell.state = undefined
  cell.mailbox = undefined
  const { rare } = cell
  cell.parent?.lose(cell)
  if (rare === undefined) return
  for (const told of rare.watchers) told(reason)
  for (const other of rare.links) other.unlinkedFrom(cell, reason)
  // Who is linked there watches, and was told.
  for (const undo of rare.farLinks?.values() ?? []) undo("Unwatch")
  for (const waiter of rare.gone) waiter()
  cell.rare = undefined
}

/** It ends, at once or after what waits for it now. */
export const end = (cell: Cell, drain: boolean): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (cell.status === "stopped") return resume(Effect.void)
    cell.rarely().gone.push(() => resume(Effect.void))
    if (cell.rare!.away !== undefined) return cell.rare!.away.stop(drain)
    if (drain) cell.deliver(new Poison())
    else if (cell.status === "running") cell.ending ??= stopped
    else terminate(cell, stopped)
  })
