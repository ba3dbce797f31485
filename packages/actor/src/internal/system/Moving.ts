/** How an actor stands still, so that it can be taken elsewhere, and how it goes on: here after all, or there. */
import { Effect, Exit, Scope } from "effect"
import type { Behavior } from "../../Behavior.ts"
import type { Cell } from "./Cell.ts"
import type { Envelope } from "./envelopes.ts"
import * as Facilities from "./Facilities.ts"
import * as Living from "./Living.ts"
import type { Waits } from "./Mailbox.ts"
import type { Away } from "./Rare.ts"

/** What is put aside while it stands still. */
export interface Still extends Waits {
  readonly stash: ReadonlyArray<unknown>
  readonly timers: ReadonlyArray<Timer>
  readonly generation: number
  readonly receive: Receive | undefined
}

/** One that runs has time left; one that has run out waits in the mailbox. */
export interface Timer {
  readonly timer: string
  readonly message: unknown
  readonly everyMillis: number
  readonly generation: number
  readonly waits: boolean
  readonly leftMillis: number | undefined
}

export interface Receive {
  readonly afterMillis: number
  readonly idleMillis: number
  readonly message: unknown
}

/** When its handler is done, it stands still: messages wait. */
export const freeze = (cell: Cell, then: () => void): void => {
  cell.rarely().freeze = then
  if (cell.status === "idle" || cell.status === "ready") frozen(cell)
}

export const frozen = (cell: Cell): void => {
  const then = cell.rare!.freeze!
  cell.rare!.freeze = undefined
  cell.status = "frozen"
  then()
}

/** Takes out what waits for it. What comes from now on waits apart from that. */
export const still = (cell: Cell): Still => {
  const rare = cell.rarely()
  const { generation, receive, stash, timers } = rare
  const left = [...rare.ticks].map(([timer, tick]): Timer => ({
    ...{ ...tick, timer },
    leftMillis: timer === Facilities.receiveTimer ? undefined : timers?.leftMillis(timer)
  }))
  const { ahead, messages } = takeOut(cell)
  timers?.clearAll()
  rare.ticks.clear()
  rare.receive = undefined
  rare.stash = []
  const now = cell.system.monotonicMillis()
  return {
    ...{ messages, ahead, stash, timers: left, generation },
    receive: receive && {
      ...{ afterMillis: receive.afterMillis, message: receive.message },
      idleMillis: Math.max(0, now - receive.sinceMillis)
    }
  }
}

/** What waits for it, which is nothing then. */
export const drain = (cell: Cell): ReadonlyArray<unknown> => takeOut(cell).messages

/** In the order of its coming: so it is the same where it is taken up, ranked anew. */
const takeOut = (cell: Cell): Waits => {
  const { mailbox } = cell
  cell.mailbox = undefined
  return mailbox === undefined ? { ahead: 0, messages: [] } : mailbox.all
}

/** It goes on with what was put aside, and then with what has come since. */
export const thaw = (cell: Cell, still: Still): void => {
  if (cell.status !== "frozen") return
  cell.rare!.away = undefined
  restore(cell, still)
  cell.goOn()
}

export const restore = (cell: Cell, { generation, receive, stash, timers, ...waits }: Still): void => {
  const rare = cell.rarely()
  const since = drain(cell)
  takeUp(cell, waits)
  for (const message of since) cell.box.push(message)
  rare.stash = [...stash]
  rare.generation = generation
  Facilities.goOn(cell, timers, receive)
}

/** Past the bound: it was taken once. */
export const takeUp = (cell: Cell, { ahead, messages }: Waits): void => {
  if (ahead > 0) cell.box.unshift(messages.slice(0, ahead))
  for (const message of messages.slice(ahead)) cell.box.push(message)
}

/** Past the bound, too. */
export const admit = (cell: Cell, message: unknown): void => cell.deliver(message as Envelope)

/** From now on it is elsewhere: what is for it goes to `away`. What it had open here is closed. */
export const depart = (cell: Cell, away: Away): void => {
  const rare = cell.rarely()
  const { onStop: _, ...behavior } = cell.behavior
  cell.behavior = behavior
  cell.ending = Living.stopped
  Living.cease(cell)
  cell.status = "moved"
  cell.state = undefined
  cell.mailbox = undefined
  rare.away = away
  const { room, scope } = rare
  rare.room = []
  for (const waiter of room) waiter()
  if (scope === undefined) return
  rare.scope = undefined
  cell.system.fork(Effect.ignore(Scope.close(scope, Exit.void)))
}

/** It has come back. */
export const comeBack = (cell: Cell, behavior: Behavior<any, any>): void => {
  cell.behavior = behavior
  cell.ending = undefined
  cell.rare!.away = undefined
}

/** It has ended elsewhere. */
export const end = (cell: Cell, reason: NonNullable<Cell["ending"]>): void => {
  cell.ending = reason
  cell.status = "stopping"
  Living.advance(cell)
}
