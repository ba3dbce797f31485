/**
 * An actor whose timers run out when a script says so. The driver that hosts it is the one that hosts any protocol; what it
 * is handed is a protocol that asks for other delays, and an observer who is told the delays that were asked for.
 */
import { type Observer, Protocol } from "@troupe/actor"
import type { Trace } from "@troupe/trace"
import { agree } from "./ReplayAgreement.ts"
import type { Script } from "./ReplayScript.ts"

/** Where a run is not the one of its trace. */
export interface Difference {
  readonly step: number
  readonly node: string
  readonly what: "step" | "input" | "state" | "actions"
  readonly expected: unknown
  readonly found: unknown
}

/** The most outcomes that chance may give one step, as in the model checker. */
const maxOutcomes = 4_096

type Step = Parameters<Observer["onStep"]>[0]

/** One life of a node's actor. */
export class ReplayActor {
  /** What the handler asked for in the step under way. */
  private asked: ReadonlyArray<Protocol.Action> = []
  private readonly script: Script
  private readonly random: ReadonlyArray<number>
  private readonly step: () => number

  /** `step`: the one that is at hand. `random`: what chance may give. */
  constructor(script: Script, random: ReadonlyArray<number>, step: () => number) {
    this.script = script
    this.random = random
    this.step = step
  }

  protocol(of: Protocol.Any): Protocol.Any {
    const { onView } = of
    return {
      name: of.name,
      message: of.message,
      init: (self) => of.init(self),
      onStart: (state, act) => this.handle(of, state, { _tag: "Start" }, act),
      onCommand: (state, command, act) => this.handle(of, state, { _tag: "Command", command }, act),
      onMessage: (state, from, message, act) => this.handle(of, state, { _tag: "Message", from, message }, act),
      onTimeout: (state, timer, act) => this.handle(of, state, { _tag: "Timeout", timer }, act),
      ...(onView && { onView: (state, view, act) => this.handle(of, state, { _tag: "View", view }, act) })
    }
  }

  /** Tells `onStep` of each step as the protocol made it, before `observer`. */
  observer(observer: Observer, onStep: (step: Step) => void): Observer {
    return {
      ...observer,
      onStep: (step) => {
        const told = step.failure === undefined ? { ...step, actions: this.asked } : step
        onStep(told)
        observer.onStep(told)
      }
    }
  }

  private handle(
    protocol: Protocol.Any,
    state: unknown,
    input: Protocol.Input,
    act: Protocol.Actions<unknown, unknown, string>
  ): unknown {
    const outcome = this.outcome(protocol, act.self, state, input)
    this.asked = outcome.actions
    for (const action of outcome.actions) {
      switch (action._tag) {
        case "Send":
          act.send(action.to, action.message)
          break
        case "SetTimer":
          act.setTimer(action.timer, this.delay(action.timer))
          break
        case "ClearTimer":
          act.clearTimer(action.timer)
          break
        case "Emit":
          act.emit(action.event)
      }
    }
    return outcome.state
  }

  /** Until the step that has the timer run out; of a timer that never does, until after the end. */
  private delay(timer: string): number {
    const step = this.step()
    const at = this.script.timeouts.get(step)?.get(timer)
    return (at ?? this.script.events.length + 2) - step
  }

  /** A step of a handler. Where it draws lots, the trace does not say which: those that lead to what it says. */
  private outcome(protocol: Protocol.Any, self: Protocol.Self, state: unknown, input: Protocol.Input) {
    const expected = this.script.events[this.step() - 1]
    const draws: Array<number> = []
    let first: { readonly state: unknown; readonly actions: ReadonlyArray<Protocol.Action> } | undefined
    for (let outcomes = 0; outcomes < maxOutcomes; outcomes++) {
      let drawn = 0
      const random = (): number => {
        if (drawn === draws.length) draws.push(0)
        return this.random[draws[drawn++]!] ?? 0
      }
      const outcome = Protocol.step(protocol, self, state, input, { random })
      first ??= outcome
      while (draws.length > 0 && draws.at(-1)! + 1 >= this.random.length) draws.pop()
      if (draws.length === 0 && outcomes === 0) return outcome
      if (expected?._tag === "Step" && differenceOf(expected, { input, ...outcome }) === undefined) return outcome
      if (draws.length === 0) break
      draws[draws.length - 1]!++
    }
    return first!
  }
}

/** What was done in a step, compared with its trace. */
export const differenceOf = (
  expected: Extract<Trace.Event, { readonly _tag: "Step" }>,
  found: Pick<Step, "input" | "state" | "actions">
): Pick<Difference, "what" | "expected" | "found"> | undefined => {
  const input = withoutId(expected.input)
  if (!agree(input, found.input)) return { what: "input", expected: input, found: found.input }
  if ("state" in expected && !agree(expected.state, found.state)) {
    return { what: "state", expected: expected.state, found: found.state }
  }
  const actions = expected.actions.map(withoutId)
  return agree(actions, found.actions) ? undefined : { what: "actions", expected: actions, found: found.actions }
}

const withoutId = <A extends object>(value: A): Omit<A, "id"> => {
  if (!("id" in value)) return value
  const { id: _, ...rest } = value
  return rest as Omit<A, "id">
}
