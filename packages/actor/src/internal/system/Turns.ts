/** What an actor takes from its mailbox, and what becomes of it. */
import { Cause, Exit } from "effect"
import { Misunderstood } from "../../ActorRef.ts"
import type { Cell, Message } from "./Cell.ts"
import { bare, Told } from "../observed/Told.ts"
import { Envelope, Fault, Mark, Poison, Question, Terminated, Tick } from "./envelopes.ts"
import * as Facilities from "./Facilities.ts"
import * as Living from "./Living.ts"
import { Fifo, Heap, type Mailbox } from "./Mailbox.ts"

export const mailboxOf = (cell: Cell): Mailbox => {
  const { priority } = cell.behavior.mailbox ?? {}
  if (priority === undefined) return new Fifo()
  let isDraining = false
  // What is no message of the actor's own comes first.
  return new Heap((taken) => {
    const message = bare(taken)
    if (message instanceof Poison) isDraining = true
    if (message instanceof Envelope && !(message instanceof Question)) {
      return message instanceof Mark || message instanceof Poison ? Infinity : -Infinity
    }
    // It comes after what ends the actor.
    if (isDraining) return Infinity
    try {
      const rank = priority((message instanceof Question ? message.message : message) as never)
      if (!Number.isNaN(rank)) return rank
    } catch (defect) {
      // A fault of this actor, not of who tells it something.
      cell.fault(Cause.die(defect))
    }
    return Infinity
  })
}

/** Of handlers that are functions: takes so many messages at the most. Returns how many. */
export const run = (cell: Cell, limit: number): number => {
  const mailbox = cell.mailbox!
  let taken = 0
  while (taken < limit && mailbox.size > 0 && cell.status === "running") {
    taken++
    step(cell, mailbox.shift())
    if (cell.ending !== undefined && cell.status === "running") Living.terminate(cell, cell.ending)
  }
  return taken
}

const step = (cell: Cell, taken: unknown): void => {
  cell.current = taken
  try {
    const message = open(cell, taken)
    if (message === undefined) return uncounted(cell)
    const entry = cell.table[message._tag]
    if (entry === undefined) {
      uncounted(cell)
      return notUnderstood(cell, message)
    }
    const result = entry.handle(cell.state, message, cell)
    if (entry.isAsk) answer(cell, result)
    else cell.state = result
  } catch (defect) {
    if (!(defect instanceof Fault)) return cell.fail(Cause.die(defect))
    uncounted(cell)
    cell.fail(defect.cause)
  }
}

/** What was taken is counted with its turn: this was no message that a handler was given. */
export const uncounted = (cell: Cell): void => void cell.system.counters.processed--

/** The message of what was in the mailbox, if it is still worth something. */
export const open = (cell: Cell, taken: unknown): Message | undefined => {
  cell.question = undefined
  if (!(taken instanceof Envelope)) return taken as Message
  if (!(taken instanceof Question)) return opened(cell, taken)
  if (taken.isOver) return undefined
  cell.question = taken
  const { message } = taken
  if (cell.table[message._tag]?.isAsk !== false) return message
  taken.end(Exit.fail(new Misunderstood({ actor: cell.path, reason: `it is told ${message._tag}, not asked` })))
  return undefined
}

const opened = (cell: Cell, taken: Envelope): Message | undefined => {
  if (taken instanceof Tick) return (cell.current = Facilities.opened(cell, taken)) as Message | undefined
  if (taken instanceof Terminated) {
    if (cell.rare?.watched.get(taken.actor)?.told !== taken.told) return undefined
    cell.rare.watched.delete(taken.actor)
    // What is put aside, or handed on, is the message.
    return (cell.current = taken.told(taken.reason)) as Message
  }
  if (taken instanceof Fault) throw taken
  if (taken instanceof Told) return taken.message
  if (taken instanceof Mark) {
    taken.reached()
    return undefined
  }
  cell.ending = Living.stopped
  return undefined
}

export const notUnderstood = (cell: Cell, message: Message): void => {
  const { question } = cell
  cell.system.deadLetters.add(cell, message, "not understood")
  question?.end(Exit.fail(new Misunderstood({ actor: cell.path, reason: `it has no handler for ${message._tag}` })))
}

/** The next state, and what is answered. */
export const answer = (cell: Cell, result: any): void => {
  const { question } = cell
  if (question === undefined) cell.state = result.state
  else if ("reply" in result) {
    cell.state = result.state
    question.end(Exit.succeed(result.reply))
  } else if ("failure" in result) {
    cell.state = result.state
    question.end(Exit.fail(result.failure))
  } else if ("later" in result) cell.state = result.state
  else throw unanswered()
}

/** Whether a question's handler may give that back. */
export const isAnswer = (cell: Cell, value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  ("reply" in value || "failure" in value || "later" in value || cell.question === undefined)

export const unanswered = (): TypeError => new TypeError("a question's handler gave back no answer")
