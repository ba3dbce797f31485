/** Handlers that are Effects: one at a time, those of one turn in one fiber. */
import { Cause, Effect, Exit, Option } from "effect"
import type { Cell } from "./Cell.ts"
import { Fault } from "./envelopes.ts"
import * as Failing from "./Failing.ts"
import { HandlerTimeout } from "./failures.ts"
import * as Living from "./Living.ts"
import type { Mailbox } from "./Mailbox.ts"

/** The next message's handler, as an Effect. */
export const take = (cell: Cell, mailbox: Mailbox): boolean => {
  while (mailbox.size > 0 && cell.ending === undefined) {
    cell.current = mailbox.shift()
    try {
      const message = cell.open(cell.current)
      if (message === undefined) {
        if (cell.ending !== undefined && drain(cell)) return true
        continue
      }
      const entry = cell.table[message._tag]
      if (entry === undefined) {
        cell.notUnderstood(message)
        continue
      }
      const effect: Effect.Effect<any, any> = entry.handle(cell.state, message, cell)
      cell.isAsked = entry.isAsk
      const { handlerMillis } = cell.behavior
      cell.effect =
        handlerMillis === undefined
          ? effect
          : Effect.timeoutOrElse(effect, {
              duration: handlerMillis,
              orElse: () =>
                Effect.die(new HandlerTimeout({ actor: cell.path, handler: message._tag, millis: handlerMillis }))
            })
      return true
    } catch (defect) {
      cell.effect = defect instanceof Fault ? Effect.failCause(defect.cause) : Effect.die(defect)
      cell.isAsked = false
      return true
    }
  }
  return false
}

/** What it has under way is waited for before it ends. */
const drain = (cell: Cell): boolean => {
  const { drained } = cell.behavior
  if (drained === undefined) return false
  cell.ending = undefined
  cell.isAsked = false
  cell.effect = Effect.map(drained(cell.state), () => {
    cell.ending = Living.stopped
    return cell.state
  })
  return true
}

export const settle = (cell: Cell, result: any): void => {
  if (cell.isAsked) cell.answer(result)
  else cell.state = result
}

/** The handler that was taken, and those of the messages that follow, in one fiber. */
export const runEffects = (cell: Cell, limit: number): void => {
  cell.status = "busy"
  let left = limit
  let isFirst = true
  const mailbox = cell.mailbox!
  const loop = Effect.whileLoop({
    while: () => {
      if (isFirst) {
        isFirst = false
        return true
      }
      return left-- > 0 && cell.status === "busy" && take(cell, mailbox)
    },
    body: () => (cell.isAsked ? Effect.catchCause(cell.effect!, failed(cell)) : cell.effect!),
    step: (result) => {
      cell.system.counters.processed++
      settle(cell, result)
    }
  })
  const fiber = cell.runFork(loop)
  const { rare } = cell
  if (fiber.pollUnsafe() === undefined) cell.rarely().fiber = fiber
  else if (rare !== undefined) rare.fiber = undefined
  fiber.addObserver((exit) => afterEffects(cell, exit))
}

const failed =
  (cell: Cell) =>
  (cause: Cause.Cause<any>): Effect.Effect<any, any> => {
    const failure = Cause.findErrorOption(cause)
    return Option.isSome(failure)
      ? Effect.succeed({ state: cell.state, failure: failure.value })
      : Effect.failCause(cause)
  }

const afterEffects = (cell: Cell, exit: Exit.Exit<unknown, unknown>): void => {
  if (cell.rare !== undefined) {
    cell.rare.fiber = undefined
    cell.afterTurn(cell.rare)
  }
  if (cell.status === "stopping" || cell.status === "starting") return Living.advance(cell)
  if (cell.status !== "busy") return
  cell.status = "running"
  if (Exit.isFailure(exit)) Failing.fail(cell, exit.cause)
  if (cell.status === "running") cell.goOn()
}
