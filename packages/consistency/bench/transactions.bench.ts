/**
 * Milliseconds to check 76,000 reads and writes in 24 sessions for read committed, read atomic and transactional causal
 * consistency, beside a plain pass that looks each read's value up: the floor of any checker. The history is of a store
 * whose replicas lag behind: right at all three levels, with concurrent writes of most keys. Serializability is measured on
 * a history of one copy.
 *
 *     node --conditions=@troupe/source packages/consistency/bench/transactions.bench.ts [--json] [--rounds 7] [--keys 1000]
 */
import { Transactional, Transactions, type Verdict } from "@troupe/consistency"
import { parseArgs } from "node:util"

const { json, keys, rounds } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    keys: { type: "string", default: "1000" },
    rounds: { type: "string", default: "7" }
  }
}).values

const sessions = 24
const operations = 76_000
const perTransaction = 8
const transactions = operations / perTransaction

/** A linear congruential generator: the same history each time. */
let state = 1
const below = (limit: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 2 ** 32) * limit)
}

interface Version {
  readonly index: number
  readonly session: number
  readonly value: number
}

/** @param lag how many commits behind a session's replica is at most */
const generate = (lag: number): Transactions.TransactionHistory => {
  const versions = new Map<string, Array<Version>>()
  const seen = Array.from({ length: sessions }, () => 0)
  const made: Array<Array<ReadonlyArray<Transactions.AccessTuple>>> = Array.from({ length: sessions }, () => [])
  let value = 0
  for (let index = 0; index < transactions; index++) {
    const session = below(sessions)
    const prefix = (seen[session] = Math.max(seen[session]!, index - below(lag + 1)))
    const written = new Map<string, number>()
    const accesses = Array.from({ length: perTransaction }, (): Transactions.AccessTuple => {
      const key = `k${below(Number(keys))}`
      if (below(2) === 0) {
        written.set(key, ++value)
        return ["w", key, value]
      }
      const visible = versions.get(key)?.findLast((v) => v.index < prefix || v.session === session)
      return ["r", key, written.get(key) ?? visible?.value ?? null]
    })
    for (const [key, last] of written) {
      if (!versions.has(key)) versions.set(key, [])
      versions.get(key)!.push({ index, session, value: last })
    }
    made[session]!.push(accesses)
  }
  return Transactions.make(made)
}

const floor = ({ transactions }: Transactions.TransactionHistory): Verdict => {
  const writers = new Map<string, Map<unknown, number>>()
  for (const { accesses, id } of transactions) {
    for (const { key, kind, value } of accesses) {
      if (kind === "read") continue
      let ofKey = writers.get(key)
      if (ofKey === undefined) writers.set(key, (ofKey = new Map()))
      ofKey.set(value, id)
    }
  }
  let found = 0
  for (const { accesses } of transactions) {
    for (const { key, kind, value } of accesses) if (kind === "read" && writers.get(key)?.has(value)) found++
  }
  if (found === 0) throw new Error("nothing was read")
  return { _tag: "Ok", model: "floor" }
}

const lagging = generate(200)
const checks = {
  floor: () => floor(lagging),
  readCommitted: () => Transactional.checkReadCommitted(lagging),
  readAtomic: () => Transactional.checkReadAtomic(lagging),
  causal: () => Transactional.checkCausal(lagging),
  serializable: (() => {
    const serial = generate(0)
    return () => Transactional.checkSerializable(serial)
  })()
}

const figures = Object.fromEntries(Object.keys(checks).map((name) => [name, new Array<number>()]))
// The first round is as a command line finds it: nothing is compiled yet.
const cold: Record<string, number> = {}
for (let round = 0; round <= Number(rounds); round++) {
  for (const [name, check] of Object.entries(checks)) {
    globalThis.gc?.()
    const start = performance.now()
    const verdict = check()
    const millis = performance.now() - start
    if (verdict._tag !== "Ok") throw new Error(`${name}: ${JSON.stringify(verdict)}`)
    if (round === 0) cold[name] = Math.round(millis)
    else figures[name]!.push(millis)
  }
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const medians = Object.fromEntries(Object.entries(figures).map(([name, values]) => [name, Math.round(median(values))]))
const report = {
  benchmark: "isolation levels of 76,000 operations in 24 sessions",
  unit: "ms, medians",
  rounds: Number(rounds),
  keys: Number(keys),
  ...medians,
  firstRun: cold
}
console.log(json ? JSON.stringify(report) : report)
