/** Models that ask of each process for its own legal order of all writes and its own operations. */
import type { History } from "../../History.ts"
import type { Verdict } from "../../Verdict.ts"
import type { Digraph } from "./Digraph.ts"
import * as Deadline from "./Deadline.ts"
import { chain, lastRead, violated } from "./Explain.ts"
import { describe, type Options, type Registers, resolve } from "./Registers.ts"
import { type Refusal, refuse } from "./View.ts"

export interface ViewModel {
  readonly name: string
  /** What the order of a process has to extend: its reads' order and sources are in it. */
  readonly order: (registers: Registers, process: number) => Digraph
  /** As the reason names what is broken: the pattern of a cycle, and that of a write before a read of the initial value. */
  readonly cycle: string
  readonly initial: string
  /** How the order that a view extends is called. */
  readonly called: string
}

export const check = (model: ViewModel, history: History, options: Options): Verdict =>
  resolve(history, options, model.name, (registers) => checkViews(model, registers, options))

export const checkViews = (model: ViewModel, registers: Registers, options: Options): Verdict => {
  const deadline = Deadline.make(options)
  const reads = readsByProcess(registers)
  let earliest: { readonly culprit: number; readonly verdict: Verdict } | undefined
  for (let process = 0; process < registers.processes; process++) {
    if (deadline.passed()) {
      const reason = `out of time after ${process} of ${registers.processes} processes`
      return { _tag: "Unknown", model: model.name, reason }
    }
    const refusal = refuse(registers, reads[process]!, model.order(registers, process))
    if (refusal === undefined) continue
    const culprit = refusal._tag === "Initial" ? refusal.read : lastRead(registers, refusal.edges)
    if (earliest !== undefined && earliest.culprit <= culprit) continue
    earliest = { culprit, verdict: explain(model, registers, process, refusal, culprit) }
  }
  return earliest?.verdict ?? { _tag: "Ok", model: model.name }
}

const explain = (
  model: ViewModel,
  registers: Registers,
  process: number,
  { _tag, edges }: Refusal,
  culprit: number
): Verdict => {
  const own = registers.operations[registers.process.indexOf(process)]!.process
  const reason =
    _tag === "Initial"
      ? `${model.initial}: ${describe(registers.operations[culprit]!)}, the initial value, though a write of it comes before in ${model.called}: ${chain(registers, edges)}.`
      : `${model.cycle}: process ${own} cannot have seen the writes in one order that extends ${model.called}: ${chain(registers, edges)}.`
  return violated(registers, model.name, culprit, reason, edges)
}

const readsByProcess = ({ isWrite, process, processes, size }: Registers): ReadonlyArray<Int32Array> => {
  const reads: Array<Array<number>> = Array.from({ length: processes }, () => [])
  for (let vertex = 0; vertex < size; vertex++) if (isWrite[vertex] === 0) reads[process[vertex]!]!.push(vertex)
  return reads.map((own) => Int32Array.from(own))
}
