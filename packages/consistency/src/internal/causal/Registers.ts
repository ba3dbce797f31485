/** A history of reads and writes of registers, compiled: numbers for operations, keys and values, and who read what. */
import { Schema } from "effect"
import type { History, Operation, Value } from "../../History.ts"
import type { Budget, Verdict } from "../../Verdict.ts"
import { type Chains, type Writers, writers } from "./Chains.ts"
import * as Interner from "./Interner.ts"
import { type Ambiguous, decideAll } from "./Ways.ts"

export interface Options extends Budget {
  /** What every register holds at first. Default: `null`. */
  readonly initial?: Value
}

/** An operation that is neither a read nor a write: models of registers say nothing about it. */
export class NotARegister extends Schema.TaggedError<NotARegister>()("NotARegister", {
  model: Schema.String,
  f: Schema.String,
  operation: Schema.Int,
  line: Schema.optionalKey(Schema.Int)
}) {
  override get message(): string {
    const where = this.line === undefined ? `operation ${this.operation}` : `line ${this.line}`
    return `${where}: ${this.model} is a model of registers, whose functions are "read" and "write", not "${this.f}": verify this history as linearizable or sequential`
  }
}

/** The source of a read of the initial value, and of what is no read. */
export const initially = -1
export const noRead = -2

/** Vertices are operations: those that ended, and open writes that were read. */
export interface Registers extends Chains {
  readonly operations: ReadonlyArray<Operation>
  readonly keys: number
  readonly key: Int32Array
  readonly isWrite: Uint8Array
  /** Of a read, the write that it read from, or `initially`. */
  readonly source: Int32Array
  /** What the same process did last before, or -1. Nothing comes after an open write: it may take effect at any time. */
  readonly previous: Int32Array
  readonly isOpen: Uint8Array
  readonly processes: number
  readonly process: Int32Array
  readonly writers: Writers
}

/** Decides a history: compiles it, and asks `decide` for each way to match reads with writes of equal value. */
export const resolve = (
  history: History,
  options: Options,
  model: string,
  decide: (registers: Registers) => Verdict
): Verdict => {
  const compiled = compile(history, options.initial ?? null, model)
  if ("_tag" in compiled) return compiled
  const { ambiguous, registers } = compiled
  return decideAll(model, options, ambiguous, registers.source, () => decide(registers))
}

const compile = (
  history: History,
  initial: Value,
  model: string
): { readonly registers: Registers; readonly ambiguous: ReadonlyArray<Ambiguous> } | Verdict => {
  const keyNumbers = new Map<string | undefined, number>()
  const values = Interner.make()
  const read = new Set<number>()
  const number = (operation: Operation): number => {
    let key = keyNumbers.get(operation.key)
    if (key === undefined) keyNumbers.set(operation.key, (key = keyNumbers.size))
    return key * 2 ** 26 + values.add(operation.f === "write" ? operation.input : operation.output!)
  }
  for (const operation of history.operations) {
    if (operation.f !== "read" && operation.f !== "write") {
      const line = operation.source?.invokeLine
      throw new NotARegister({ model, f: operation.f, operation: operation.id, ...(line && { line }) })
    }
    if (operation.f === "read" && operation.output !== undefined) read.add(number(operation))
  }
  const operations = history.operations.filter(
    (operation) => operation.output !== undefined || (operation.f === "write" && read.has(number(operation)))
  )
  const size = operations.length
  const key = new Int32Array(size)
  const isWrite = new Uint8Array(size)
  const written = new Map<number, Array<number>>()
  const pairs = operations.map(number)
  for (let i = 0; i < size; i++) {
    key[i] = Math.floor(pairs[i]! / 2 ** 26)
    if (operations[i]!.f !== "write") continue
    isWrite[i] = 1
    const equal = written.get(pairs[i]!)
    if (equal === undefined) written.set(pairs[i]!, [i])
    else equal.push(i)
  }
  const initialNumber = values.find(initial)
  const source = new Int32Array(size).fill(noRead)
  const ambiguous: Array<Ambiguous> = []
  for (let i = 0; i < size; i++) {
    if (isWrite[i] === 1) continue
    const found = written.get(pairs[i]!) ?? []
    const candidates = pairs[i]! % 2 ** 26 === initialNumber ? [initially, ...found] : found
    if (candidates.length === 0) return thinAir(model, operations[i]!)
    source[i] = candidates[0]!
    if (candidates.length > 1) ambiguous.push({ read: i, candidates })
  }
  return { registers: arrange(operations, keyNumbers.size, key, isWrite, source), ambiguous }
}

const thinAir = (model: string, operation: Operation): Verdict => {
  const culprit = { _tag: "Operation", operation } as const
  const reason = `ThinAirRead: ${describe(operation)}, a value that nobody wrote.`
  return { _tag: "Violated", model, culprit, reason, involved: [culprit] }
}

/** Puts operations in chains: one a process, and one for each open write. */
const arrange = (
  operations: ReadonlyArray<Operation>,
  keys: number,
  key: Int32Array,
  isWrite: Uint8Array,
  source: Int32Array
): Registers => {
  const size = operations.length
  const names = new Map<string, number>()
  const [process, chain, position, previous] = [0, 1, 2, 3].map(() => new Int32Array(size)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array
  ]
  const isOpen = new Uint8Array(size)
  for (const operation of operations) if (!names.has(operation.process)) names.set(operation.process, names.size)
  let count = names.size
  const length: Array<number> = Array.from({ length: count }, () => 0)
  const last: Array<number> = Array.from({ length: count }, () => -1)
  const writes: Array<number> = []
  for (let i = 0; i < size; i++) {
    const name = names.get(operations[i]!.process)!
    process[i] = name
    previous[i] = last[name]!
    if (isWrite[i] === 1) writes.push(i)
    if (operations[i]!.output === undefined) {
      isOpen[i] = 1
      chain[i] = count++
    } else {
      chain[i] = name
      position[i] = length[name]!++
      last[name] = i
    }
  }
  writes.sort((a, b) => chain[a]! - chain[b]! || a - b)
  const chains = { size, count, chain, position }
  const vertex = Int32Array.from(writes)
  return {
    ...chains,
    operations,
    keys,
    key,
    isWrite,
    source,
    previous,
    isOpen,
    processes: names.size,
    process,
    writers: writers(
      chains,
      keys,
      vertex.map((write) => key[write]!),
      vertex
    )
  }
}

/** "process 2's read of x=1 (line 7)" reads better as a sentence: "process 2 reads x=1 (line 7)". */
export const describe = (operation: Operation): string => {
  const value = JSON.stringify(operation.f === "write" ? operation.input : (operation.output ?? null))
  const what = operation.key === undefined ? value : `${operation.key}=${value}`
  const line = operation.source === undefined ? "" : ` (line ${operation.source.invokeLine})`
  return `process ${operation.process} ${operation.f}s ${what}${line}`
}
