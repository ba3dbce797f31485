/** The space of a plain model: a state is a value, kept while it waits for its turn; its number is its place. */
import { Trace } from "@troupe/trace"
import type { Model } from "../Model.ts"
import * as Fingerprint from "./Fingerprint.ts"
import type { PathStep, Receiver, Reductions, Space } from "./Space.ts"
import { Average } from "./Weight.ts"

export const plainSpace = <State, Action>(model: Model<State, Action>, reduce: Reductions): Space<State> => {
  const symmetric = reduce.symmetry ? model.symmetric : undefined
  const waiting: Array<State | undefined> = []
  const free: Array<number> = []
  const kept = new Average()
  const labels = new Map<number, Array<{ readonly low: number; readonly label: number }>>()
  const fair: Array<boolean> = []
  const latest = { action: undefined as Action | undefined }

  /** Actions of the same content bear the same number. */
  const labelOf = (action: Action): number => {
    Fingerprint.take(action)
    const { high, low } = Fingerprint
    const known = labels.get(high)
    const found = known?.find((each) => each.low === low)
    if (found !== undefined) return found.label
    const label = fair.push(model.isFair?.(action) ?? true) - 1
    if (known === undefined) labels.set(high, [{ low, label }])
    else known.push({ low, label })
    return label
  }

  const offer = (state: State, label: number, to: Receiver): void => {
    Fingerprint.take(state)
    let { high, low } = Fingerprint
    // Of all states that are the same but for symmetry, the least stands for all.
    for (const same of symmetric?.(state) ?? []) {
      Fingerprint.take(same)
      if (Fingerprint.high < high || (Fingerprint.high === high && Fingerprint.low < low)) ({ high, low } = Fingerprint)
    }
    const at = to.offer(high, low, label, 1)
    if (at < 0) return
    const place = free.pop() ?? waiting.length
    waiting[place] = state
    kept.add(state)
    to.numbers[at] = place
    to.written()
  }

  const describe = (action: Action): string => model.describe?.(action) ?? Trace.encodeValue(action)

  return {
    name: model.name,
    get bytes() {
      return Math.round((waiting.length - free.length) * kept.mean)
    },
    initial: (to) => {
      latest.action = undefined
      for (const state of model.init) offer(state, -1, to)
    },
    successors: (numbers, from, _length, to) => {
      const state = waiting[numbers[from]!]!
      for (const action of model.actions(state)) {
        const next = model.next(state, action)
        if (next === undefined) continue
        latest.action = action
        offer(next, labelOf(action), to)
      }
    },
    view: (numbers, from) => waiting[numbers[from]!]!,
    isWithin: (state) => model.within?.(state) ?? true,
    release: (numbers, from) => {
      const place = numbers[from]!
      waiting[place] = undefined
      free.push(place)
    },
    get latest() {
      const { action } = latest
      return { describe: () => (action === undefined ? "start" : describe(action)) }
    },
    isFair: (label) => fair[label] ?? false,
    isFault: () => false,
    trace: (path) => traceOf(model.name, path, (step) => waiting[step.numbers[0]!])
  }
}

/** A plain model has no nodes: one lane, a step an action. */
const traceOf = (title: string, path: ReadonlyArray<PathStep>, stateOf: (step: PathStep) => unknown): Trace.Trace => ({
  header: { _tag: "Trace", version: 1, title, source: "model-checker", nodes: ["model"] },
  events: path.map((step, index) => ({
    _tag: "Step",
    node: "model",
    actor: title,
    clock: { model: index + 1 },
    input: index === 0 ? { _tag: "Start" } : { _tag: "Command", command: step.happening.describe() },
    actions: [],
    state: stateOf(step)
  }))
})
