/**
 * Causal consistency of registers, in its three strengths (Bouajjani, Enea, Guerraoui & Hamza, "On verifying causal
 * consistency", POPL 2017).
 *
 * The causal order is program order and reads-from together. Under causal consistency (CC) no read returns what was
 * overwritten in its causal past. Causal convergence (CCv) has, on top, one order of all writes that every process agrees
 * on; causal memory (CM, Ahamad et al. 1995) has, on top of CC, one order a process, which it never takes back. Neither of
 * the two implies the other.
 *
 * A history violates one exactly if it has one of the paper's bad patterns, whose names the reasons give: CyclicCO,
 * ThinAirRead, WriteCOInitRead and WriteCORead for CC; CyclicCF also for CCv; WriteHBInitRead and CyclicHB also for CM.
 * That takes polynomial time where each value is written to a register once. Of histories that write a value twice, all
 * ways to match reads with writes are tried, up to 65,536; beyond, the verdict is `Unknown`.
 *
 * Open writes may have taken effect, at any time; open reads say nothing.
 *
 * @example
 * import { Causal, History } from "@troupe/consistency"
 *
 * const history = History.make([
 *   History.invoke("alice", "write", "lost it"),
 *   History.ok("alice", "write"),
 *   History.invoke("alice", "write", "found it"),
 *   History.ok("alice", "write"),
 *   History.invoke("bob", "read"),
 *   History.ok("bob", "read", "found it"),
 *   History.invoke("bob", "read"),
 *   History.ok("bob", "read", "lost it")
 * ])
 * const verdict = Causal.check(history)
 * console.log(verdict._tag) // Violated
 */
import type { History } from "./History.ts"
import { causalClocks, causalGraph } from "./internal/causal/CausalOrder.ts"
import { clockBytes, lastKnown, precedes } from "./internal/causal/Chains.ts"
import * as Deadline from "./internal/causal/Deadline.ts"
import { type Digraph, type Edge, Kind } from "./internal/causal/Digraph.ts"
import { chain, lastRead, violated } from "./internal/causal/Explain.ts"
import { describe, initially, type Options, type Registers, resolve } from "./internal/causal/Registers.ts"
import { checkViews } from "./internal/causal/Views.ts"
import type { Verdict } from "./Verdict.ts"

export { type Options, NotARegister } from "./internal/causal/Registers.ts"

/** Causal consistency: CC. */
export const check = (history: History, options: Options = {}): Verdict =>
  resolve(history, options, "causal", (registers) => {
    const past = readsThePresent("causal", registers, options)
    return "_tag" in past ? past : { _tag: "Ok", model: "causal" }
  })

/** Causal convergence: CCv. */
export const checkConvergence = (history: History, options: Options = {}): Verdict =>
  resolve(history, options, "causal-convergence", (registers) => converges(registers, options))

/** Causal memory: CM. */
export const checkMemory = (history: History, options: Options = {}): Verdict =>
  resolve(history, options, "causal-memory", (registers) => {
    const past = readsThePresent("causal-memory", registers, options)
    if ("_tag" in past) return past
    const order = () => causalGraph(registers)
    const [cycle, initial, called] = ["CyclicHB", "WriteHBInitRead", "causal order"]
    return checkViews({ name: "causal-memory", order, cycle, initial, called }, registers, options)
  })

interface Past {
  readonly graph: Digraph
  readonly clock: Int32Array
}

/** The causal past of all operations, where no read returns what was overwritten in its own. */
const readsThePresent = (model: string, registers: Registers, options: Options): Past | Verdict => {
  if (clockBytes(registers) > Deadline.bytes(options)) {
    const reason = `out of memory: the vector clocks of ${registers.size} operations in ${registers.count} processes and open writes take ${clockBytes(registers)} bytes`
    return { _tag: "Unknown", model, reason }
  }
  const graph = causalGraph(registers)
  const clock = causalClocks(registers, graph)
  if (clock === undefined) {
    const cycle = graph.shortestCycle()!
    const reason = `CyclicCO: an operation comes before itself in causal order: ${chain(registers, cycle)}.`
    return violated(registers, model, lastRead(registers, cycle), reason, cycle)
  }
  for (let read = 0; read < registers.size; read++) {
    const source = registers.source[read]!
    if (source < initially) continue
    for (const write of knownWrites(registers, clock, read)) {
      if (source === initially) return initialRead(model, registers, graph, write, read)
      if (precedes(registers, clock, source, write)) return staleRead(model, registers, graph, source, write, read)
    }
  }
  return { graph, clock }
}

/** The last write of a read's key in each process, as far as it is in the read's causal past. */
const knownWrites = (registers: Registers, clock: Int32Array, read: number): ReadonlyArray<number> => {
  const { count, key, writers } = registers
  const known: Array<number> = []
  for (let group = writers.keyGroups[key[read]!]!; group < writers.keyGroups[key[read]! + 1]!; group++) {
    const write = lastKnown(registers, writers, group, clock[read * count + writers.groupChain[group]!]!)
    if (write !== -1) known.push(write)
  }
  return known
}

const initialRead = (model: string, registers: Registers, graph: Digraph, write: number, read: number): Verdict => {
  const edges = graph.path(write, read)!
  const reason = `WriteCOInitRead: ${describe(registers.operations[read]!)}, the initial value, though a write of it comes before in causal order: ${chain(registers, edges)}.`
  return violated(registers, model, read, reason, edges)
}

const staleRead = (
  model: string,
  registers: Registers,
  graph: Digraph,
  source: number,
  write: number,
  read: number
): Verdict => {
  const edges: ReadonlyArray<Edge> = [...graph.path(source, write)!, ...graph.path(write, read)!]
  const overwriting = describe(registers.operations[write]!)
  const reason = `WriteCORead: ${describe(registers.operations[read]!)}, which was overwritten before in causal order, as ${overwriting}: ${chain(registers, edges)}.`
  return violated(registers, model, read, reason, edges, [write])
}

/** Conflict order: of two writes of a register, the one in the causal past of a read of the other comes first. */
const converges = (registers: Registers, options: Options): Verdict => {
  const model = "causal-convergence"
  const past = readsThePresent(model, registers, options)
  if ("_tag" in past) return past
  const { clock, graph } = past
  for (let read = 0; read < registers.size; read++) {
    const source = registers.source[read]!
    if (source <= initially) continue
    for (const write of knownWrites(registers, clock, read)) {
      if (write === source || precedes(registers, clock, write, source)) continue
      graph.add(write, source, Kind.WriteOrder, read)
    }
  }
  if (graph.order() !== undefined) return { _tag: "Ok", model }
  const cycle = graph.shortestCycle()!
  const reason = `CyclicCF: no one order of the writes agrees with what all processes read: ${chain(registers, cycle)}.`
  return violated(registers, model, lastRead(registers, cycle), reason, cycle)
}
