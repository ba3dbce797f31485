/** Handlers that are Effects: one at a time, those of one turn in one fiber. */
import { Cause, Effect, Exit, Option } from "effect"
import type { Cell } from "./Cell.ts"
import { Fault } from "./envelopes.ts"
import * as Failing from "./Failing.ts"
import { HandlerTimeout } from "./failures.ts"
import * as Living from "./Living.ts"
import type { Mailbox } from "./Mailbox.ts"
import * as Turns from "./Turns.ts"

/** The next message's handler, as an Effect. */
export const take = (cell: Cell, mailbox: Mailbox): boolean => {
  while (mailbox.size > 0 && cell.ending === undefined) {
    cell.current = mailbox.shift()
    try {
      const message = Turns.open(cell, cell.current)
      if (message === undefined) {
        if (cell.ending !== undefined && drain(cell)) return true
        continue
      }
      const entry = cell.table[message._tag]
      if (entry === undefined) {
        Turns.notUnderstood(cell, message)
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
      if (defect instanceof Fault) Turns.uncounted(cell)
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
  Turns.uncounted(cell)
  cell.ending = undefined
  cell.isAsked = false
  cell.effect = Effect.map(drained(cell.state), () => {
    cell.ending = Living.stopped
    return cell.state
  })
  return true
}

const settle = (cell: Cell, result: any): void => {
  if (cell.isAsked) Turns.answer(cell, result)
  else cell.state = result
}

/** A question's typed failure is its answer. */
const answered = (cell: Cell, exit: Exit.Exit<any, any>): Exit.Exit<any, any> => {
  if (Exit.isSuccess(exit)) {
    return isResult(cell, exit.value) ? exit : Exit.die(Turns.unanswered())
  }
  if (!cell.isAsked) return exit
  const failure = Cause.findErrorOption(exit.cause)
  return Option.isSome(failure) ? Exit.succeed({ state: cell.state, failure: failure.value }) : exit
}

/** Takes so many messages at the most. Returns how many. */
export const run = (cell: Cell, limit: number): number => {
  const mailbox = cell.mailbox!
  let taken = 0
  while (taken < limit && cell.status === "running" && take(cell, mailbox)) {
    taken++
    const effect = cell.effect!
    if (isValue(effect) && isResult(cell, effect.value)) settle(cell, effect.value)
    else if (mailbox.size === 0) runOne(cell, effect)
    else taken += runSeveral(cell, mailbox, limit - taken)
  }
  return taken
}

/** Most that are none are found out by their tag. */
const isValue = (effect: Effect.Effect<any, any> & { readonly _tag?: unknown }): effect is Exit.Success<any> =>
  effect?._tag === "Success" && Exit.isExit(effect)

const isResult = (cell: Cell, value: unknown): boolean => !cell.isAsked || Turns.isAnswer(cell, value)

const runOne = (cell: Cell, effect: Effect.Effect<any, any>): void => {
  cell.status = "busy"
  Living.launch(cell, effect, afterOne)
}

const afterOne = (cell: Cell, exit: Exit.Exit<any, any>, isLate: boolean): void => {
  // Who is answered may go on at once, and stop it: that waits until this is over.
  cell.status = "running"
  over(cell, settled(cell, exit), isLate)
}

const settled = (cell: Cell, exit: Exit.Exit<any, any>): Exit.Exit<any, any> => {
  const result = answered(cell, exit)
  if (Exit.isSuccess(result)) settle(cell, result.value)
  return result
}

/** The handler that was taken, and those of the messages that follow, in one fiber. Returns how many followed by now. */
const runSeveral = (cell: Cell, mailbox: Mailbox, limit: number): number => {
  cell.status = "busy"
  let followed = -1
  const loop = Effect.whileLoop({
    while: () => {
      if (
        followed >= 0 &&
        (followed === limit || cell.status !== "busy" || cell.rare?.freeze !== undefined || !take(cell, mailbox))
      )
        return false
      followed++
      return true
    },
    body: () =>
      cell.isAsked ? Effect.catchCause(cell.effect!, (cause) => answered(cell, Exit.failCause(cause))) : cell.effect!,
    step: (result) => {
      // What cuts a handler short may come of the handler itself.
      if (cell.status === "busy") settle(cell, result)
    }
  })
  let isOver = false
  Living.launch(cell, loop, (_, exit, isLate) => {
    isOver = !isLate
    if (isLate) cell.system.counters.processed += followed
    cell.status = "running"
    over(cell, exit, isLate)
  })
  return isOver ? followed : 0
}

const over = (cell: Cell, exit: Exit.Exit<unknown, unknown>, isLate: boolean): void => {
  if (isLate) cell.afterTurn(cell.rare!)
  if (Exit.isFailure(exit)) Failing.fail(cell, exit.cause)
  if (isLate && cell.status === "running") cell.goOn()
}
