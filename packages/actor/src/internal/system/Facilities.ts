/** What a handler can ask for besides messages: to watch, to put aside, to be told later. */
import { Cause, type Duration, Effect, Exit, Option } from "effect"
import type { NodeId } from "@troupe/transport"
import { type ActorRef, ActorStopped, AskTimeout, type Reason, Unreachable } from "../../ActorRef.ts"
import type { Later } from "../../Behavior.ts"
import { handOn, onBehalfOf } from "../observed/Spans.ts"
import { bare } from "../observed/Told.ts"
import { Timers } from "../Timers.ts"
import { isRefusal } from "./answers.ts"
import type { Cell, Message } from "./Cell.ts"
import { Question, Terminated, Tick } from "./envelopes.ts"
import { LinkBroken, StashFull } from "./failures.ts"
import * as Living from "./Living.ts"
import { duration } from "./options.ts"
import type { Receive as StillReceive, Timer as StillTimer } from "./Moving.ts"
import type { Rare } from "./Rare.ts"
import { pathOf, type Target } from "./frames.ts"
import type { Remote } from "./Remote.ts"
import { RemoteRef } from "./RemoteRef.ts"
import { type Written, writtenOnce } from "./spreading.ts"

const later = {} as Later

/** None that an actor could name. */
export const receiveTimer = "\0receive"

export const watch = (cell: Cell, ref: ActorRef<any>, told: (reason: Reason) => unknown): void => {
  if (Living.isGone(cell)) return
  unwatch(cell, ref)
  const { watched } = cell.rarely()
  const key = keyOf(ref)
  const onEnd = (reason: Reason): void => cell.deliver(new Terminated(key, told, reason))
  // It may be told at once.
  watched.set(key, { told, undo: () => {} })
  const undo =
    ref instanceof RemoteRef
      ? ref.remote.watch(ref, onEnd)
      : ((ref as Cell).onEnd(onEnd), () => (ref as Cell).untold(onEnd))
  watched.set(key, { told, undo })
}

export const unwatch = (cell: Cell, ref: ActorRef<any>): void => {
  const watched = cell.rare?.watched
  const key = keyOf(ref)
  watched?.get(key)?.undo()
  watched?.delete(key)
}

/** Two references to one remote actor are two objects. */
const keyOf = (ref: ActorRef<any>): unknown =>
  ref instanceof RemoteRef ? `${ref.node} ${ref.target.life} ${ref.target.serial} ${ref.target.path}` : ref

export const link = (cell: Cell, ref: ActorRef<any>): void => {
  if (Living.isGone(cell)) return
  if (ref instanceof RemoteRef) return linkFar(cell, ref.remote, ref.node, ref.target)
  const other = ref as Cell
  if (other === cell) return
  if (other.status === "stopped") return unlinkedFrom(cell, other, other.ending!)
  cell.rarely().links.add(other)
  other.rarely().links.add(cell)
}

export const unlink = (cell: Cell, ref: ActorRef<any>): void => {
  if (ref instanceof RemoteRef) return unlinkFar(cell, ref.node, ref.target)
  cell.rare?.links.delete(ref as Cell)
  ;(ref as Cell).rare?.links.delete(cell)
}

export const unlinkedFrom = (cell: Cell, other: Cell, reason: Reason): void => {
  cell.rare?.links.delete(other)
  fallWith(cell, other.path, reason)
}

/** Each of the two watches the other, and has it watch: its own word of that comes to nothing new. */
export const linkFar = (cell: Cell, remote: Remote, node: NodeId.NodeId, target: Target): void => {
  const links = (cell.rarely().farLinks ??= new Map())
  const key = farKey(node, target)
  if (links.has(key)) return
  const told = (reason: Reason): void => {
    links.delete(key)
    fallWith(cell, `${node}:${pathOf(target)}`, reason)
  }
  links.set(key, remote.watches.watch({ node, target }, told, remote.export(cell)))
}

export const unlinkFar = (cell: Cell, node: NodeId.NodeId, target: Target): void => {
  const links = cell.rare?.farLinks
  const key = farKey(node, target)
  links?.get(key)?.("Unlink")
  links?.delete(key)
}

const farKey = (node: NodeId.NodeId, { life, path, serial }: Target): string =>
  serial === 0 ? `${node} ${path}` : `${node} ${life} ${serial}`

/** It was linked to one that is no more. Of one that cannot be reached, nobody knows how it ended. */
const fallWith = (cell: Cell, actor: string, reason: Reason): void => {
  if (reason._tag === "Stopped" || cell.ending !== undefined) return
  const failed = reason._tag === "Failed" ? Cause.squash(reason.cause) : new Unreachable({ actor, node: reason.node })
  // Many may fall one after another: each is told what the first one failed at.
  const cause = failed instanceof LinkBroken ? failed.cause : failed
  const broken = Cause.fail(new LinkBroken({ actor, cause }))
  // It is one that ends for good, not one that starts again.
  cell.log(`"${cell.path}" is linked to one that failed`, broken)
  if (cell.status === "running") cell.ending = { _tag: "Failed", cause: broken }
  else Living.terminate(cell, { _tag: "Failed", cause: broken })
}

export const forward = (cell: Cell, to: ReadonlyArray<ActorRef<any>>): Later => {
  const { current, question } = cell
  cell.question = undefined
  handOn(question)
  if (to.length === 0) toNobody(cell, question)
  else if (question === undefined) pass(cell, to, bare(current))
  else if (to.length === 1) hand(cell, to[0]!, question)
  else spread(cell, to, question)
  return later
}

/** As with a router that has nobody left. */
const toNobody = (cell: Cell, question: Question | undefined): void => {
  cell.system.deadLetters.add(cell, question?.message ?? bare(cell.current), "stopped")
  question?.end(Exit.fail(new ActorStopped({ actor: cell.path })))
}

const pass = (cell: Cell, to: ReadonlyArray<ActorRef<any>>, message: unknown): void => {
  if (to.length === 1) return passTo(cell, to[0]!, message)
  const body = writtenOnce(message)
  for (const ref of to) passTo(cell, ref, message, body)
}

/** A message that cannot be passed on is no fault of who does. */
const passTo = (cell: Cell, ref: ActorRef<any>, message: unknown, body?: Written): void => {
  try {
    if (body !== undefined && ref instanceof RemoteRef) ref.tellWritten(message, body)
    else ref.tell(message as never)
  } catch (error) {
    const isFull = (error as { readonly _tag?: string })._tag === "MailboxFull"
    cell.system.deadLetters.add(ref, message, isFull ? "mailbox full" : "not understood")
  }
}

/** To each for itself: the first answer counts or, where nobody has one, what came last. */
const spread = (cell: Cell, to: ReadonlyArray<ActorRef<any>>, question: Question): void => {
  let left = to.length
  let isAnswered = false
  const asked = to.map((ref) => {
    const each = question.again(ref)
    each.patienceMillis = question.leftMillis(cell.system.monotonicMillis())
    each.resume = (exit) => {
      if (--left > 0 && !isAnswer(exit)) return
      isAnswered = true
      question.end(exit)
    }
    return each
  })
  whenOver(question, () => {
    if (!isAnswered) for (const each of asked) each.end(Exit.interrupt())
  })
  const body = writtenOnce(question.message)
  for (const [at, each] of asked.entries()) hand(cell, to[at]!, each, body)
}

/** A reply, or a failure of the question's own. */
const isAnswer = (exit: Exit.Exit<unknown, unknown>): boolean => {
  if (Exit.isSuccess(exit)) return true
  const failure = Cause.findErrorOption(exit.cause)
  return Option.isSome(failure) && !isRefusal(failure.value) && !(failure.value instanceof AskTimeout)
}

const whenOver = (question: Question, then: () => void): void => {
  const { onOver } = question
  question.onOver = () => {
    then()
    onOver?.()
  }
}

/** Who cannot take it answers so. */
const hand = (cell: Cell, ref: ActorRef<any>, question: Question, body?: Written): void => {
  if (ref instanceof RemoteRef) return handFar(cell, ref, question, body)
  try {
    ref.tell(question as never)
  } catch (full) {
    question.end(Exit.fail(full))
  }
}

/** It has as long there as it has left here. */
const handFar = (cell: Cell, ref: RemoteRef, question: Question, body?: Written): void => {
  const timeout = question.leftMillis(cell.system.monotonicMillis())
  const asked = onBehalfOf(question, ref.remote.asking.ask(ref, question.message, { timeout }, body))
  const fiber = cell.system.fork(Effect.map(Effect.exit(asked), (exit) => question.end(exit)))
  if (!question.isOver) whenOver(question, () => fiber.interruptUnsafe())
}

export const stash = (cell: Cell): Later => {
  const rare = cell.rarely()
  const { capacity } = cell.behavior
  // Who asked may have had enough by now.
  if (rare.stash.length >= capacity)
    rare.stash = rare.stash.filter((each) => !(each instanceof Question && each.isOver))
  if (rare.stash.length >= capacity) throw new StashFull({ actor: cell.path, capacity })
  rare.stash.push(cell.current)
  cell.question = undefined
  return later
}

export const unstash = (cell: Cell): void => {
  const { rare } = cell
  if (rare === undefined || rare.stash.length === 0) return
  const { stash } = rare
  rare.stash = []
  cell.box.unshift(stash)
  // It may be done besides handlers: when events are on disk, say.
  if (cell.status === "idle") cell.goOn()
}

export const setTimer = (cell: Cell, timer: string, after: Duration.Input, message: unknown): void => {
  const millis = duration({ of: cell.path, option: `the delay of timer ${timer}`, given: after, least: 0 })
  start(cell, timer, millis, -1, message)
}

export const setInterval = (cell: Cell, timer: string, every: Duration.Input, message: unknown): void => {
  const millis = duration({ of: cell.path, option: `the interval of timer ${timer}`, given: every })
  start(cell, timer, millis, millis, message)
}

export const clearTimer = (cell: Cell, timer: string): void => {
  cell.rare?.ticks.delete(timer)
  cell.rare?.timers?.clear(timer)
}

const start = (cell: Cell, timer: string, afterMillis: number, everyMillis: number, message: unknown): void => {
  if (Living.isGone(cell)) return
  const rare = cell.rarely()
  rare.ticks.set(timer, { message, everyMillis, generation: ++rare.generation, waits: false })
  timersOf(cell, rare).set(timer, afterMillis)
}

const timersOf = (cell: Cell, rare: Rare): Timers => {
  return (rare.timers ??= new Timers(cell.system.clock, cell.system.fork, (timer) => ticked(cell, timer)))
}

const ticked = (cell: Cell, timer: string): void => {
  const rare = cell.rare!
  if (timer === receiveTimer) return receiveTimedOut(cell, rare)
  const tick = rare.ticks.get(timer)
  if (tick === undefined) return
  if (tick.everyMillis > 0) rare.timers!.set(timer, tick.everyMillis)
  if (tick.waits) return
  tick.waits = true
  cell.deliver(new Tick(timer, tick.generation, tick.message))
}

/** Those that run have so long left, of an actor that was put aside. */
export const goOn = (cell: Cell, timers: ReadonlyArray<StillTimer>, receive: StillReceive | undefined): void => {
  const rare = cell.rarely()
  for (const { everyMillis, generation, leftMillis, message, timer, waits } of timers) {
    rare.ticks.set(timer, { everyMillis, generation, message, waits })
    if (leftMillis !== undefined) timersOf(cell, rare).set(timer, leftMillis)
  }
  if (receive === undefined) return
  const { afterMillis, idleMillis, message } = receive
  rare.receive = { afterMillis, message, sinceMillis: cell.system.monotonicMillis() - idleMillis }
  timersOf(cell, rare).set(receiveTimer, Math.max(0, afterMillis - idleMillis))
}

export const setReceiveTimeout = (cell: Cell, after: Duration.Input | undefined, message?: unknown): void => {
  if (after === undefined) {
    if (cell.rare !== undefined) cell.rare.receive = undefined
    return cell.rare?.timers?.clear(receiveTimer)
  }
  const afterMillis = duration({ of: cell.path, option: "setReceiveTimeout", given: after })
  if (Living.isGone(cell)) return
  const rare = cell.rarely()
  rare.receive = { afterMillis, message, sinceMillis: cell.system.monotonicMillis() }
  timersOf(cell, rare).set(receiveTimer, afterMillis)
}

const receiveTimedOut = (cell: Cell, rare: Rare): void => {
  const { receive } = rare
  if (receive === undefined) return
  const left = receive.sinceMillis + receive.afterMillis - cell.system.monotonicMillis()
  // Where it has something to do, it is idle anew after that.
  if (left > 0 || cell.status !== "idle")
    return rare.timers!.set(receiveTimer, left > 0 ? Math.max(left, 1) : receive.afterMillis)
  rare.timers!.set(receiveTimer, receive.afterMillis)
  cell.deliver(new Tick(receiveTimer, 0, receive.message))
  rare.ticks.set(receiveTimer, { message: receive.message, everyMillis: -1, generation: 0, waits: true })
}

export const opened = (cell: Cell, { generation, message, timer }: Tick): Message | undefined => {
  const tick = cell.rare?.ticks.get(timer)
  if (tick === undefined || tick.generation !== generation) return undefined
  tick.waits = false
  if (tick.everyMillis < 0) cell.rare!.ticks.delete(timer)
  return message as Message
}
