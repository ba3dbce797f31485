/** What becomes of an actor that failed, as its parent wants it. */
import { Cause, Duration, Effect, Exit, Schedule } from "effect"
import { HandlerFailed } from "../../ActorRef.ts"
import type { Directive, Restart } from "../../Supervision.ts"
import type { Cell } from "./Cell.ts"
import { ChildFailed } from "./failures.ts"
import * as Living from "./Living.ts"
import type { Rare } from "./Rare.ts"

const defaultSupervision: Restart = { _tag: "Restart" }

export const fail = (cell: Cell, cause: Cause.Cause<unknown>): void => {
  cell.system.counters.failures++
  const { current, question } = cell
  if (question !== undefined) {
    const { _tag } = question.message
    question.end(Exit.fail(new HandlerFailed({ actor: cell.path, question: _tag, cause: Cause.squash(cause) })))
  }
  const { _tag: at = "its start" } = (question?.message ?? current ?? {}) as { readonly _tag?: string }
  cell.log(`"${cell.path}" failed at ${at}`, cause)
  const given = cell.options.supervision ?? defaultSupervision
  const chosen = given._tag === "Decide" ? decided(cell, given.decide, cause) : given
  const siblings = chosen._tag === "Resume" || chosen._tag === "Escalate" ? [] : sharing(cell)
  become(cell, chosen, cause)
  for (const sibling of siblings) become(sibling, chosen, cause)
}

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

const become = (cell: Cell, supervision: Directive, cause: Cause.Cause<unknown>): void => {
  switch (supervision._tag) {
    case "Resume":
      return
    case "Stop":
      return Living.terminate(cell, { _tag: "Failed", cause })
    case "Escalate":
      Living.terminate(cell, { _tag: "Failed", cause })
      return escalated(cell.parent, cell, cause)
    case "Restart":
      return restart(cell, supervision, cause)
  }
}

const escalated = (cell: Cell | undefined, child: Cell, cause: Cause.Cause<unknown>): void => {
  if (cell?.parent === undefined || cell.ending !== undefined) return
  const failed = Cause.fail(new ChildFailed({ child: child.path, cause: Cause.squash(cause) }))
  // Its handler runs: it fails after that.
  if (cell.status === "running") return cell.fault(failed)
  cell.question = undefined
  fail(cell, failed)
}

const restart = (cell: Cell, options: Restart, cause: Cause.Cause<unknown>): void => {
  if (cell.ending !== undefined) return
  const rare = cell.rarely()
  const { limit = 10, within = "1 minute", backoff } = options
  const now = cell.system.monotonicMillis()
  rare.restartTimes = [...rare.restartTimes.filter((time) => time > now - Duration.toMillis(within)), now]
  if (rare.restartTimes.length > limit) return Living.terminate(cell, { _tag: "Failed", cause })
  cell.system.counters.restarts++
  rare.restarts++
  const isKept = (options.state === "kept" || cell.behavior.drained !== undefined) && cell.state !== undefined
  // A handler is under way that did not fail: it goes on, as its state does.
  if (isKept && cell.status === "busy") return
  cell.status = "restarting"
  rare.isKept = isKept
  rare.pause = backoff === undefined ? undefined : () => pause(cell, rare, backoff, cause)
  if (isKept) Living.cut(rare)
  else reset(cell, rare)
  Living.advance(cell)
}

const reset = (cell: Cell, rare: Rare): void => {
  cell.state = undefined
  if (rare.stash.length > 0) {
    const { stash } = rare
    rare.stash = []
    cell.box.unshift(stash)
  }
  Living.cease(cell)
}

/** As long as the schedule says. */
const pause = (
  cell: Cell,
  rare: Rare,
  backoff: Schedule.Schedule<unknown, unknown>,
  cause: Cause.Cause<unknown>
): void => {
  const { clock } = cell.system
  const isFirst = rare.restartTimes.length === 1
  const waited = Effect.gen(function* () {
    if (isFirst || rare.backoff === undefined) rare.backoff = yield* Schedule.toStep(backoff)
    const [, delay] = yield* rare.backoff(clock.currentTimeMillisUnsafe(), Cause.squash(cause))
    yield* clock.sleep(delay)
  })
  Living.launch(cell, waited, (_, exit) => {
    if (Exit.isSuccess(exit)) Living.advance(cell)
    else Living.terminate(cell, { _tag: "Failed", cause })
  })
}
