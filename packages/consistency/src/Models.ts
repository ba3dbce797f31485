/**
 * All models by name: what they say, what they check, and which of them imply which.
 *
 * @example
 * import { History, Models, Specifications } from "@troupe/consistency"
 *
 * const model = Models.find("ccv", "operations")
 * console.log(model?.title) // Causal convergence
 * console.log(Models.implies("linearizable", "causal")) // true
 */

import * as Cache from "./Cache.ts"
import * as Causal from "./Causal.ts"
import * as Eventual from "./Eventual.ts"
import type { History } from "./History.ts"
import * as Linearizable from "./Linearizable.ts"
import * as Pram from "./Pram.ts"
import * as Sequential from "./Sequential.ts"
import * as Sessions from "./Sessions.ts"
import type { Specification } from "./Specification.ts"
import * as Strict from "./Strict.ts"
import * as Transactional from "./Transactional.ts"
import type { TransactionHistory } from "./Transactions.ts"
import type { Verdict } from "./Verdict.ts"

interface About {
  /** As `--model` names it. */
  readonly name: string
  /** Other names of it. */
  readonly aliases: ReadonlyArray<string>
  readonly title: string
  /** One sentence. */
  readonly description: string
}

/** Of histories of operations. */
export interface OperationsModel extends About {
  readonly of: "operations"
  /** What services it speaks of: those of any specification, or registers alone, with "read" and "write". */
  readonly data: "any" | "registers"
  /** A model of registers takes the initial value from the options; the specification is not asked. */
  readonly check: (history: History, specification: Specification, options?: Causal.Options) => Verdict
}

/** Of histories of transactions. */
export interface TransactionsModel extends About {
  readonly of: "transactions"
  readonly check: (history: TransactionHistory, options?: Transactional.Options) => Verdict
}

export type Model = OperationsModel | TransactionsModel

const ofRegisters = (
  name: string,
  aliases: ReadonlyArray<string>,
  title: string,
  description: string,
  check: (history: History, options?: Causal.Options) => Verdict
): OperationsModel => ({
  of: "operations",
  data: "registers",
  name,
  aliases,
  title,
  description,
  check: (history, _, options) => check(history, options)
})

const ofAny = (
  name: string,
  title: string,
  description: string,
  check: OperationsModel["check"],
  aliases: ReadonlyArray<string> = []
): OperationsModel => ({ of: "operations", data: "any", name, aliases, title, description, check })

const ofTransactions = (
  name: string,
  aliases: ReadonlyArray<string>,
  title: string,
  description: string,
  check: TransactionsModel["check"]
): TransactionsModel => ({ of: "transactions", name, aliases, title, description, check })

/** Operations first, then transactions; in each, the stronger before the weaker. */
export const models: ReadonlyArray<Model> = [
  ofAny("strict", "Strict consistency", "Every operation takes effect at the moment of its invocation.", Strict.check),
  ofAny(
    "linearizable",
    "Linearizability",
    "Every operation takes effect at one moment between its invocation and its return.",
    Linearizable.check
  ),
  ofAny(
    "sequential",
    "Sequential consistency",
    "One order of all operations explains all results and keeps the order of each process.",
    Sequential.check
  ),
  ofAny("cache", "Cache consistency", "The operations of each key by itself are sequentially consistent.", Cache.check),
  ofRegisters(
    "causal-memory",
    ["cm"],
    "Causal memory",
    "Each process sees all writes in one order of its own that keeps causal order.",
    Causal.checkMemory
  ),
  ofRegisters(
    "causal-convergence",
    ["ccv"],
    "Causal convergence",
    "Reads return what their causal past wrote last, in one order of all writes that everybody agrees on.",
    Causal.checkConvergence
  ),
  ofRegisters(
    "causal",
    ["cc"],
    "Causal consistency",
    "No read returns what was overwritten in its causal past.",
    Causal.check
  ),
  ofRegisters(
    "pram",
    ["fifo"],
    "PRAM, or FIFO consistency",
    "Each process sees the writes of every process in the order in which they were made.",
    Pram.check
  ),
  ofRegisters(
    "writes-follow-reads",
    [],
    "Writes follow reads",
    "Whoever sees a write sees what its process had read before it.",
    Sessions.checkWritesFollowReads
  ),
  ofRegisters(
    "monotonic-writes",
    [],
    "Monotonic writes",
    "Whoever sees a write sees what its process had written before it.",
    Sessions.checkMonotonicWrites
  ),
  ofRegisters(
    "monotonic-reads",
    [],
    "Monotonic reads",
    "What a process has once seen overwritten it does not read again.",
    Sessions.checkMonotonicReads
  ),
  ofRegisters(
    "read-your-writes",
    [],
    "Read your writes",
    "A process reads what it wrote, or what came after that.",
    Sessions.checkReadYourWrites
  ),
  ofRegisters(
    "eventual",
    [],
    "Eventual convergence",
    "After the writes of a register have ended, everybody comes to read one and the same of them.",
    Eventual.check
  ),
  ofTransactions(
    "strict-serializable",
    [],
    "Strict serializability",
    "Transactions take effect one after the other, in an order that keeps real time.",
    Transactional.checkStrictSerializable
  ),
  ofTransactions(
    "serializable",
    [],
    "Serializability",
    "Transactions take effect one after the other, in an order that keeps that of each session.",
    Transactional.checkSerializable
  ),
  ofTransactions(
    "snapshot-isolation",
    ["si"],
    "Snapshot isolation",
    "A transaction reads from a snapshot, and commits if nobody else has since written what it writes.",
    Transactional.checkSnapshotIsolation
  ),
  ofTransactions(
    "transactional-causal",
    ["causal", "tcc"],
    "Transactional causal consistency",
    "A transaction sees a set of transactions that holds all causes of each of them.",
    Transactional.checkCausal
  ),
  ofTransactions(
    "read-atomic",
    [],
    "Read atomic",
    "Of a transaction either all writes are seen or none.",
    Transactional.checkReadAtomic
  ),
  ofTransactions(
    "read-committed",
    [],
    "Read committed",
    "What is read was committed, and a transaction's reads do not go back in the order of commits.",
    Transactional.checkReadCommitted
  )
]

/** The model of that name, or that other name, for histories of a kind: "causal" is another model of transactions. */
export function find(name: string, of: "operations"): OperationsModel | undefined
export function find(name: string, of: "transactions"): TransactionsModel | undefined
export function find(name: string, of: Model["of"]): Model | undefined
export function find(name: string, of: Model["of"]): Model | undefined {
  return models.find((model) => model.of === of && (model.name === name || model.aliases.includes(name)))
}

/**
 * Of each model those that it implies directly, for the same kind of history: what the one allows, the others allow. The
 * models of registers are implied by models of any data where the data are registers.
 */
export const implications: Readonly<Record<string, ReadonlyArray<string>>> = {
  strict: ["linearizable"],
  linearizable: ["sequential", "eventual"],
  sequential: ["causal-memory", "causal-convergence"],
  cache: ["monotonic-reads", "read-your-writes"],
  "causal-memory": ["causal", "pram", "writes-follow-reads"],
  "causal-convergence": ["causal", "cache"],
  causal: ["read-your-writes"],
  pram: ["monotonic-writes", "read-your-writes"],
  "writes-follow-reads": ["monotonic-reads"],
  "monotonic-writes": ["monotonic-reads"],
  "monotonic-reads": [],
  "read-your-writes": [],
  eventual: [],
  "strict-serializable": ["serializable"],
  serializable: ["snapshot-isolation"],
  "snapshot-isolation": ["transactional-causal"],
  "transactional-causal": ["read-atomic"],
  "read-atomic": ["read-committed"],
  "read-committed": []
}

/** Whether every history that the one model allows is allowed by the other as well. */
export const implies = (stronger: string, weaker: string): boolean =>
  stronger === weaker || (implications[stronger] ?? []).some((next) => implies(next, weaker))
