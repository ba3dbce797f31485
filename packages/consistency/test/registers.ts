/** Histories of registers for tests: by hand, at random, and what their models say by their definitions. */
import type { History } from "@troupe/consistency"

type Operation = History.Operation

/** `["w", key, value]`, `["r", key, value]`; "open" at the end leaves the operation open. */
export type Step = readonly ["r" | "w", string, History.Value, "open"?]

/** One process after the other, as far as times go: the models here do not look at them. */
export const registers = (...processes: ReadonlyArray<ReadonlyArray<Step>>): History.History => {
  const operations: Array<Operation> = []
  processes.forEach((steps, process) => {
    for (const [kind, key, value, open] of steps) {
      const id = operations.length
      operations.push({
        id,
        process: `${process}`,
        f: kind === "r" ? "read" : "write",
        key,
        input: kind === "r" ? null : value,
        output: open ? undefined : kind === "r" ? value : null,
        invoked: 2 * id,
        returned: open ? Infinity : 2 * id + 1
      })
    }
  })
  return { operations }
}

/** 2–3 processes, at most `size` operations of keys x and y, from the numbers of `random`. */
export const randomRegisters = (
  random: () => number,
  size: number,
  { duplicates = 0, open = 0 } = {}
): History.History => {
  const below = (limit: number): number => Math.floor(random() * limit)
  const processes: Array<Array<Step>> = Array.from({ length: 2 + below(2) }, () => [])
  const written = { x: 0, y: 0 }
  const slots = Array.from({ length: 2 + below(size - 1) }, () => ({
    process: below(processes.length),
    key: random() < 0.6 ? ("x" as const) : ("y" as const),
    write: random() < 0.5,
    open: random() < open
  }))
  for (const slot of slots) if (slot.write) written[slot.key]++
  const next = { x: 0, y: 0 }
  for (const { process, key, write, open } of slots) {
    const value = write
      ? random() < duplicates
        ? below(written[key] + 1)
        : ++next[key]
      : below(written[key] + (random() < 0.05 ? 2 : 1))
    processes[process]!.push(open ? [write ? "w" : "r", key, value, "open"] : [write ? "w" : "r", key, value])
  }
  return registers(...processes)
}

type Before = (a: Operation, b: Operation) => boolean

const isWrite = ({ f }: Operation): boolean => f === "write"
const isOpen = ({ output }: Operation): boolean => output === undefined
const programOrder: Before = (a, b) => a.process === b.process && a.id < b.id && !isOpen(a)

/** Whether an operation may come right after `last`, the last write of its key. */
type Legal = (operation: Operation, last: Operation | undefined) => boolean

const byValue: Legal = (operation, last) =>
  isWrite(operation) || operation.output === (last === undefined ? 0 : last.input)

/** Whether some total order of `operations` extends `before` and is legal. */
const isLegal = (operations: ReadonlyArray<Operation>, before: Before, legal: Legal): boolean => {
  const done = new Set<Operation>()
  const memory = new Map<string | undefined, Operation | undefined>()
  const extend = (): boolean => {
    if (done.size === operations.length) return true
    for (const next of operations) {
      if (done.has(next) || operations.some((other) => !done.has(other) && other !== next && before(other, next))) {
        continue
      }
      const last = memory.get(next.key)
      if (!legal(next, last)) continue
      done.add(next)
      if (isWrite(next)) memory.set(next.key, next)
      if (extend()) return true
      done.delete(next)
      memory.set(next.key, last)
    }
    return false
  }
  return extend()
}

type Source = ReadonlyMap<Operation, Operation | undefined>

const bySource =
  (source: Source): Legal =>
  (operation, last) =>
    isWrite(operation) || source.get(operation) === last

/** Every way to match reads with writes: `undefined` stands for the initial value. */
function* sourcesOf(operations: ReadonlyArray<Operation>): Generator<Source> {
  const reads = operations.filter((operation) => !isWrite(operation))
  const assign = function* (at: number, source: Map<Operation, Operation | undefined>): Generator<Source> {
    const read = reads[at]
    if (read === undefined) return yield source
    if (read.output === 0) yield* assign(at + 1, new Map(source).set(read, undefined))
    for (const write of operations) {
      if (!isWrite(write) || write.key !== read.key || write.input !== read.output) continue
      yield* assign(at + 1, new Map(source).set(read, write))
    }
  }
  yield* assign(0, new Map())
}

const closure = (operations: ReadonlyArray<Operation>, before: Before): Before | undefined => {
  const past = new Map(operations.map((b) => [b, new Set(operations.filter((a) => before(a, b)))]))
  for (const middle of operations) {
    for (const own of past.values()) if (own.has(middle)) for (const a of past.get(middle)!) own.add(a)
  }
  return operations.some((a) => past.get(a)!.has(a)) ? undefined : (a, b) => past.get(b)!.has(a)
}

/** What ended, and open writes each of which may be taken or left. */
function* completions({ operations }: History.History): Generator<ReadonlyArray<Operation>> {
  const open = operations.filter((operation) => isWrite(operation) && isOpen(operation))
  for (let taken = 0; taken < 2 ** open.length; taken++) {
    yield operations.filter((operation) =>
      isOpen(operation) ? open.includes(operation) && (taken >> open.indexOf(operation)) % 2 === 1 : true
    )
  }
}

const some = (
  history: History.History,
  holds: (operations: ReadonlyArray<Operation>, causal: Before, source: Source) => boolean
): boolean => {
  for (const operations of completions(history)) {
    for (const source of sourcesOf(operations)) {
      const causal = closure(operations, (a, b) => programOrder(a, b) || source.get(b) === a)
      if (causal !== undefined && holds(operations, causal, source)) return true
    }
  }
  return false
}

/** Each process has a legal order of all writes and its own operations that extends `before`. */
const views = (
  operations: ReadonlyArray<Operation>,
  before: (process: string) => Before,
  legal: Legal = byValue
): boolean =>
  [...new Set(operations.map(({ process }) => process))].every((process) =>
    isLegal(
      operations.filter((operation) => isWrite(operation) || operation.process === process),
      before(process),
      legal
    )
  )

const ofProgramOrder = (history: History.History, kept: (process: string) => Before): boolean => {
  for (const operations of completions(history)) {
    if (views(operations, (process) => (a, b) => programOrder(a, b) && kept(process)(a, b))) return true
  }
  return false
}

const ownReads =
  (process: string): Before =>
  (a, b) =>
    a.process === process && !isWrite(a) && !isWrite(b)

/** The definitions, by enumeration. */
export const reference = {
  causal: (history: History.History): boolean =>
    some(history, (operations, causal, source) =>
      operations.every((read) => {
        const past = operations.filter((operation) => operation === read || causal(operation, read))
        return isLegal(past, causal, (operation, last) => operation !== read || bySource(source)(operation, last))
      })
    ),
  convergence: (history: History.History): boolean => some(history, agrees),
  memory: (history: History.History): boolean =>
    some(history, (operations, causal, source) => views(operations, () => causal, bySource(source))),
  pram: (history: History.History): boolean => ofProgramOrder(history, () => () => true),
  readYourWrites: (history: History.History): boolean =>
    ofProgramOrder(history, (process) => (a, b) => a.process === process && isWrite(a) && !isWrite(b)),
  monotonicReads: (history: History.History): boolean => ofProgramOrder(history, ownReads),
  monotonicWrites: (history: History.History): boolean =>
    ofProgramOrder(history, (process) => (a, b) => (isWrite(a) && isWrite(b)) || ownReads(process)(a, b)),
  writesFollowReads: (history: History.History): boolean =>
    some(history, (operations, _, source) =>
      views(
        operations,
        (process) => (a, b) => {
          const followed = operations.some((read) => source.get(read) === a && isWrite(b) && programOrder(read, b))
          return followed || (programOrder(a, b) && ownReads(process)(a, b))
        },
        bySource(source)
      )
    )
}

/** Whether one order of all writes that extends causal order explains every read by its causal past. */
const agrees = (operations: ReadonlyArray<Operation>, causal: Before, source: Source): boolean => {
  const order = (sorted: ReadonlyArray<Operation>): boolean => {
    if (sorted.length === operations.length) {
      return operations.every((read) => {
        if (isWrite(read)) return true
        return sorted.findLast((w) => isWrite(w) && w.key === read.key && causal(w, read)) === source.get(read)
      })
    }
    return operations.some(
      (next) =>
        !sorted.includes(next) &&
        operations.every((other) => !causal(other, next) || sorted.includes(other)) &&
        order([...sorted, next])
    )
  }
  return order([])
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export const seeded = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let z = Math.imul(state ^ (state >>> 15), 1 | state)
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The same operations at random times, in which each process does one after the other. */
export const overlapping = ({ operations }: History.History, random: () => number): History.History => {
  const clock = new Map<string, number>()
  const timed = operations.map((operation) => {
    const invoked = (clock.get(operation.process) ?? 0) + random()
    const returned = invoked + random()
    clock.set(operation.process, returned)
    return { ...operation, invoked, returned }
  })
  const sorted = timed.toSorted((a, b) => a.invoked - b.invoked)
  return { operations: sorted.map((operation, id) => ({ ...operation, id })) }
}
