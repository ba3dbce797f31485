/** What becomes of an actor that failed, as its parent wants it. */
import { Cause, Duration, Effect, Exit, Schedule } from "effect"
import { HandlerFailed } from "../../ActorRef.ts"
import type { Directive, Restart } from "../../Supervision.ts"
import type { Cell } from "./Cell.ts"
import * as Deferred from "./Deferred.ts"
import { Question } from "./envelopes.ts"
import { ChildFailed } from "./failures.ts"
import * as Living from "./Living.ts"
import { none, type Rare } from "./Rare.ts"

const defaultSupervision: Restart = { _tag: "Restart" }

export const fail = (cell: Cell, cause: Cause.Cause<unknown>): void => {
  const { current } = cell
  unanswered(cell, cause)
  const at = current instanceof Question ? current.message : current
  const { _tag } = (at ?? { _tag: "its start" }) as { readonly _tag?: string }
  cell.log(`"${cell.path}" failed${_tag === undefined ? "" : ` at ${_tag}`}`, cause)
  befall(cell, cause)
}

/** Who has asked what it was at is told so, also where it was to be answered later. */
const unanswered = (cell: Cell, cause: Cause.Cause<unknown>): void => {
  const { current, rare } = cell
  const question = cell.question ?? (rare?.deferred.includes(current as Question) ? (current as Question) : undefined)
  if (question === undefined) return
  cell.question = undefined
  question.end(Exit.fail(failedAt(cell, question, cause)))
}

const failedAt = ({ path }: Cell, { message }: Question, cause: Cause.Cause<unknown>): HandlerFailed =>
  new HandlerFailed({ actor: path, question: message._tag, cause: Cause.squash(cause) })

/** What becomes of it, and of those who share its fate. */
const befall = (cell: Cell, cause: Cause.Cause<unknown>): void => {
  cell.system.counters.failures++
  const given = cell.options.supervision ?? defaultSupervision
  const decision = given._tag === "Decide" ? decided(cell, given.decide, cause) : given
  const chosen = decision._tag === "Resume" && isSpoilt(cell) ? defaultSupervision : decision
  if (chosen._tag === "Resume") return
  const all = [cell, ...sharing(cell)]
  const isOver = chosen._tag === "Restart" && isTooOften(cell, chosen)
  if (isOver) hasFailedTooOften(cell)
  if (chosen._tag !== "Restart" || isOver) {
    for (const each of all) Living.terminate(each, { _tag: "Failed", cause })
    if (chosen._tag === "Escalate") Living.nested(() => escalated(cell.parent, cell, cause))
    return
  }
  const delay = chosen.backoff && delayOf(cell, chosen.backoff, cause)
  for (const each of all) startAgain(each, chosen.state, cause, delay)
}

const hasFailedTooOften = (cell: Cell): void =>
  cell.log(`"${cell.path}" has failed too often to start again: it stops`, Cause.empty)

/** Its state is none to go on with. */
const isSpoilt = ({ behavior, state }: Cell): boolean => state !== none && behavior.isSpoilt?.(state) === true

/** Who decides may fail at that. */
const decided = (
  cell: Cell,
  decide: (cause: Cause.Cause<unknown>) => Directive,
  cause: Cause.Cause<unknown>
): Directive => {
  try {
    return decide(cause)
  } catch (defect) {
    cell.log(`the supervision of "${cell.path}" failed: it stops`, Cause.die(defect))
    return { _tag: "Stop" }
  }
}

/** Whom this child's fate befalls too. */
const sharing = (cell: Cell): ReadonlyArray<Cell> => {
  const { parent } = cell
  return parent?.behavior.children === "all-for-one" ? parent.children.filter((each) => each !== cell) : []
}

const escalated = (cell: Cell | undefined, child: Cell, cause: Cause.Cause<unknown>): void => {
  if (cell?.parent === undefined || cell.ending !== undefined) return
  const failed = Cause.fail(new ChildFailed({ child: child.path, cause: Cause.squash(cause) }))
  // Its handler runs: it fails after that.
  if (cell.status === "running") return cell.fault(failed)
  cell.log(`"${cell.path}" failed with "${child.path}"`, cause)
  befall(cell, failed)
}

/** What befalls a sibling is no failure of its own. */
const isTooOften = (cell: Cell, { limit = 10, within = "1 minute" }: Restart): boolean => {
  if (cell.ending !== undefined) return false
  const rare = cell.rarely()
  const now = cell.system.monotonicMillis()
  rare.restartTimes = [...rare.restartTimes.filter((time) => time > now - Duration.toMillis(within)), now]
  return rare.restartTimes.length > limit
}

const startAgain = (
  cell: Cell,
  state: Restart["state"],
  cause: Cause.Cause<unknown>,
  delay: Effect.Effect<Duration.Duration, unknown> | undefined
): void => {
  if (cell.ending !== undefined) return
  const rare = cell.rarely()
  cell.system.counters.restarts++
  rare.restarts++
  const isKept = (state === "kept" || cell.behavior.drained !== undefined) && cell.state !== none && !isSpoilt(cell)
  // A handler is under way that did not fail: it goes on, as its state does.
  if (isKept && cell.status === "busy") return
  cell.status = "restarting"
  rare.isKept = isKept
  rare.pause = delay && (() => pause(cell, delay, cause))
  if (isKept) Living.cut(rare)
  else reset(cell, rare, cause)
  Living.advance(cell)
}

const reset = (cell: Cell, rare: Rare, cause: Cause.Cause<unknown>): void => {
  unanswered(cell, cause)
  Deferred.refuseAll(cell, rare, (question) => failedAt(cell, question, cause))
  cell.current = undefined
  if (cell.state !== none) rare.last = cell.state
  cell.state = none
  if (rare.stash.length > 0) {
    const { stash } = rare
    rare.stash = []
    cell.box.unshift(stash)
  }
  Living.cease(cell)
}

/** As long as the schedule says: it takes one step, for all who share this fate. */
const delayOf = (
  cell: Cell,
  backoff: Schedule.Schedule<unknown, unknown>,
  cause: Cause.Cause<unknown>
): Effect.Effect<Duration.Duration, unknown> => {
  const rare = cell.rarely()
  const isFirst = rare.restartTimes.length === 1
  let known: Duration.Duration | undefined
  const step = Effect.gen(function* () {
    if (isFirst || rare.backoff === undefined) rare.backoff = yield* Schedule.toStep(backoff)
    const [, delay] = yield* rare.backoff(cell.system.clock.currentTimeMillisUnsafe(), Cause.squash(cause))
    return (known = delay)
  })
  return Effect.suspend(() => (known === undefined ? step : Effect.succeed(known)))
}

const pause = (cell: Cell, delay: Effect.Effect<Duration.Duration, unknown>, cause: Cause.Cause<unknown>): void => {
  const waited = Effect.flatMap(delay, (millis) => cell.system.clock.sleep(millis))
  Living.launch(cell, waited, (_, exit) => {
    if (Exit.isSuccess(exit)) return Living.advance(cell)
    if (cell.ending === undefined) hasFailedTooOften(cell)
    Living.terminate(cell, { _tag: "Failed", cause })
  })
}
