/** Random small histories: most of what happened is right, some is not, some operations stay open. */
import type { History, Specification } from "@troupe/consistency"

/** mulberry32: a small generator, so that a seed is a history. */
export const random = (seed: number) => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number): number => Math.floor(next() * n)
  return { next, below, pick: <A>(all: ReadonlyArray<A>): A => all[below(all.length)]! }
}
type Random = ReturnType<typeof random>

interface Asked {
  readonly f: string
  readonly key?: string
  readonly input: History.Value
  /** What may be answered: the first that the specification allows is the right one. */
  readonly outputs: ReadonlyArray<History.Value>
}

const values = [0, 1, 2]

/** Numbers from 0 that were not used before, and those that were, with the next. */
class Fresh {
  used = 0
  next(): number {
    return this.used++
  }
  all(): Array<number> {
    return Array.from({ length: this.used + 1 }, (_, value) => value)
  }
}

/** By specification, the next call; `fresh` knows which values were used. */
export const callsOf: Readonly<Record<string, (pick: Random, fresh: Fresh) => Asked>> = {
  register: ({ pick, next }) =>
    next() < 0.5
      ? { f: "write", input: pick(values), outputs: [null] }
      : { f: "read", input: null, outputs: [null, ...values] },
  "register, distinct": ({ next }, fresh) =>
    next() < 0.5
      ? { f: "write", input: fresh.next(), outputs: [null] }
      : { f: "read", input: null, outputs: [null, ...fresh.all()] },
  "cas-register": ({ pick, next }) => {
    if (next() < 0.5) return { f: "cas", input: [pick(values), pick(values)], outputs: [true, false] }
    return next() < 0.4
      ? { f: "write", input: pick(values), outputs: [null] }
      : { f: "read", input: null, outputs: [null, ...values] }
  },
  "multi-register": ({ pick, next, below }) => {
    const keys = ["x", "y"]
    if (next() < 0.2) return { f: "write", key: pick(keys), input: pick([1, 2]), outputs: [null] }
    if (next() < 0.2) return { f: "read", key: pick(keys), input: null, outputs: [null, 1, 2] }
    const steps = Array.from({ length: 1 + below(2) }, () =>
      next() < 0.5 ? ["read", pick(keys), null] : ["write", pick(keys), pick([1, 2])]
    )
    const answers = [null, 1, 2].flatMap((a) =>
      [null, 1, 2].map((b) => steps.map(([f, k, v], at) => [f!, k!, f === "read" ? (at === 0 ? a : b) : v!]))
    )
    return { f: "txn", input: steps as History.Value, outputs: answers as ReadonlyArray<History.Value> }
  },
  "key-value": ({ pick, next }) => {
    const key = pick(["x", "y"])
    if (next() < 0.4) return { f: "get", key, input: null, outputs: ["", "a", "b", "ab", "ba", "aa", "bb"] }
    return { f: next() < 0.3 ? "put" : "append", key, input: pick(["a", "b"]), outputs: [null] }
  },
  queue: ({ pick, next }) =>
    next() < 0.5
      ? { f: "enqueue", input: pick(values), outputs: [null] }
      : { f: "dequeue", input: null, outputs: [null, ...values] },
  "queue, distinct": ({ next }, fresh) =>
    next() < 0.5
      ? { f: "enqueue", input: fresh.next(), outputs: [null] }
      : { f: "dequeue", input: null, outputs: [null, ...fresh.all()] },
  stack: ({ pick, next }) =>
    next() < 0.5
      ? { f: "push", input: pick(values), outputs: [null] }
      : { f: "pop", input: null, outputs: [null, ...values] },
  "stack, distinct": ({ next }, fresh) =>
    next() < 0.5
      ? { f: "push", input: fresh.next(), outputs: [null] }
      : { f: "pop", input: null, outputs: [null, ...fresh.all()] },
  set: ({ pick, next }) => {
    if (next() < 0.15) return { f: "read", input: null, outputs: [[], [1], [2], [2, 1]] }
    const f = pick(["add", "add", "remove", "contains"])
    return { f, input: pick([1, 2]), outputs: f === "contains" || next() < 0.5 ? [true, false] : [null] }
  },
  counter: ({ pick, next }) => {
    if (next() < 0.4) return { f: "read", input: null, outputs: [0, 1, 2, 3, 4, -1] }
    return next() < 0.5
      ? { f: "increment", input: null, outputs: [null] }
      : { f: "add", input: pick([2, -1]), outputs: [null] }
  },
  mutex: ({ pick }) => ({ f: pick(["acquire", "release"]), input: null, outputs: [null] })
}

export interface Shape {
  readonly operations: number
  readonly processes: number
  /** How often an answer is any of those that may be given. */
  readonly wrong: number
  /** How often an operation that took effect stays open. */
  readonly lost: number
}

/** A history of a few clients whose operations take effect somewhere within their time. */
export const history = (
  seed: number,
  spec: Specification.Specification,
  calls: (pick: Random, fresh: Fresh) => Asked,
  { operations: count, processes, wrong, lost }: Shape
): History.History => {
  const pick = random(seed)
  const fresh = new Fresh()
  const operations: Array<{ -readonly [K in keyof History.Operation]: History.Operation[K] }> = []
  const pending = new Map<number, { readonly at: number; readonly asked: Asked; answer?: History.Value }>()
  const states = new Map<string, unknown>()
  let time = 0
  const answerTo = (asked: Asked): History.Value => {
    const object = spec.acrossKeys === true ? "" : (asked.key ?? "")
    const state = states.get(object) ?? spec.init
    const right = asked.outputs.find((output) => spec.step(state, { ...asked, output }) !== undefined)
    const next = spec.step(state, { ...asked, output: right })
    if (next !== undefined) states.set(object, next)
    return right === undefined || pick.next() < wrong ? pick.pick(asked.outputs) : right
  }
  const lives = Array.from({ length: processes }, () => 0)
  while (operations.length < count || (pending.size > 0 && pick.next() < 0.93)) {
    const process = pick.below(processes)
    const own = pending.get(process)
    if (own === undefined) {
      if (operations.length === count) continue
      const asked = calls(pick, fresh)
      pending.set(process, { at: operations.length, asked })
      const { f, key, input } = asked
      const name = `${process}.${lives[process]!}`
      const call = { f, key, input, output: undefined }
      operations.push({ ...call, id: operations.length, process: name, invoked: time++, returned: Infinity })
    } else if (!("answer" in own)) own.answer = answerTo(own.asked)
    else if (pick.next() < lost) {
      pending.delete(process)
      lives[process]!++
    } else {
      operations[own.at]!.output = own.answer!
      operations[own.at]!.returned = time++
      pending.delete(process)
    }
  }
  return { operations }
}
