/**
 * Eventual convergence, as far as a finite history shows it: once the writes of a register have ended, everybody comes to
 * read the same written value.
 *
 * Of each register and process, the last read that began after every write of the register had ended counts. All of these
 * return one value, and not the initial one where the register was written. What was read before is not looked at, apart
 * from values that nobody wrote. Of a register with an open write nothing is asked, since that may take effect at any
 * time; nor is it of one that nobody read after its writes.
 */
import type { History } from "./History.ts"
import { violated } from "./internal/causal/Explain.ts"
import { describe, initially, type Options, type Registers, resolve } from "./internal/causal/Registers.ts"
import type { Verdict } from "./Verdict.ts"

const model = "eventual"

export const check = (history: History, options: Options = {}): Verdict => {
  const openKeys = new Set<string | undefined>()
  for (const { f, key, output } of history.operations) if (f === "write" && output === undefined) openKeys.add(key)
  return resolve(history, options, model, (registers) => converges(registers, openKeys))
}

const converges = (registers: Registers, openKeys: ReadonlySet<string | undefined>): Verdict => {
  const { isWrite, key, keys, operations, process, processes, size, source } = registers
  const quiet = new Float64Array(keys).fill(-1)
  const lastWrite = new Int32Array(keys).fill(-1)
  for (let vertex = 0; vertex < size; vertex++) {
    if (isWrite[vertex] === 0 || operations[vertex]!.returned <= quiet[key[vertex]!]!) continue
    quiet[key[vertex]!] = operations[vertex]!.returned
    lastWrite[key[vertex]!] = vertex
  }
  const last = new Int32Array(keys * processes).fill(-1)
  for (let vertex = 0; vertex < size; vertex++) {
    if (isWrite[vertex] === 1 || openKeys.has(operations[vertex]!.key)) continue
    if (operations[vertex]!.invoked > quiet[key[vertex]!]!) last[key[vertex]! * processes + process[vertex]!] = vertex
  }
  for (let k = 0; k < keys; k++) {
    const final = last
      .subarray(k * processes, (k + 1) * processes)
      .filter((read) => read !== -1)
      .sort()
    for (const read of final) {
      if (source[read] === initially && lastWrite[k] !== -1) {
        const reason = `${describe(operations[read]!)}, the initial value, after all writes had ended, the last of which was that ${describe(operations[lastWrite[k]!]!)}, and does not read it again.`
        return violated(registers, model, read, reason, [], [lastWrite[k]!])
      }
      if (source[read] === source[final[0]!]) continue
      const reason = `After all writes had ended, the last reads disagree: ${describe(operations[final[0]!]!)}, but ${describe(operations[read]!)}.`
      return violated(registers, model, read, reason, [], [final[0]!])
    }
  }
  return { _tag: "Ok", model }
}
