/** Questions that an actor answers later. Those that it cannot answer any more are told so: it ends, or begins anew. */
import { Exit } from "effect"
import type { ActorStopped, HandlerFailed } from "../../ActorRef.ts"
import type { Answer } from "../../Behavior.ts"
import type { Cell } from "./Cell.ts"
import type { Question } from "./envelopes.ts"
import { AnsweredTwice } from "./failures.ts"
import { none, type Rare } from "./Rare.ts"

export const defer = (cell: Cell): Answer<any, any> => {
  const { question } = cell
  cell.question = undefined
  if (question !== undefined && !question.isOver) putOff(cell.rarely(), question)
  let isAnswered = false
  const answer = (exit: Exit.Exit<any, any>): void => {
    if (isAnswered) throw new AnsweredTwice({ actor: cell.path, question: question?.message._tag ?? "message" })
    isAnswered = true
    question?.end(exit)
  }
  return {
    reply: (reply: unknown) => answer(Exit.succeed(reply)),
    fail: (failure: unknown) => answer(Exit.fail(failure))
  } as unknown as Answer<any, any>
}

/** What is answered, or not waited for any more, is forgotten when there are twice as many as were open before, and some. */
const putOff = (rare: Rare, question: Question): void => {
  if (rare.deferred.length >= rare.deferredMost) {
    rare.deferred = rare.deferred.filter(({ isOver }) => !isOver)
    rare.deferredMost = 2 * rare.deferred.length + 8
  }
  rare.deferred.push(question)
}

/** The actor answers none of them any more. */
export const refuseAll = (
  { behavior, state }: Cell,
  rare: Rare,
  refusalOf: (question: Question) => ActorStopped | HandlerFailed
): void => {
  const { deferred } = rare
  if (deferred.length === 0) return
  rare.deferred = []
  rare.deferredMost = 0
  const refuse = (): void => {
    for (const question of deferred) if (!question.isOver) question.end(Exit.fail(refusalOf(question)))
  }
  if (behavior.whenWritten === undefined || state === none) refuse()
  else behavior.whenWritten(state, refuse)
}
