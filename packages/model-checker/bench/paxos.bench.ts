/**
 * How fast the checker explores, and in how much memory: Paxos with 3 servers and 2 clients, then two-phase commit with 7
 * managers beside a search written by hand for that one model, with a Map of texts for the states that it has seen.
 *
 *     npm run bench -- model-checker [--rounds 7]
 */
import { Checker, type Model } from "@troupe/model-checker"
import { Paxos, TwoPhaseCommit } from "@troupe/model-checker/examples/index"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values
const rounds = Number(given)

interface Search {
  /** Sees all states; what is returned holds on to them. */
  readonly run: () => { readonly size: number }
  readonly states: number
}

const checker = (states: number, model: () => Model.Checkable<any>): Search => ({
  states,
  run: () => {
    const check = new Checker.Check(model())
    while (check.advance(0));
    return { size: check.progress().uniqueStates, check }
  }
})

const statesPerSecond = ({ run, states }: Search): number => {
  const start = performance.now()
  const { size } = run()
  const seconds = (performance.now() - start) / 1000
  if (size !== states) throw new Error(`${size} states instead of ${states}`)
  return states / seconds
}

const held = (): number => {
  globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** What the process holds when all states have been seen, without what it held before. */
const bytesPerState = ({ run, states }: Search): number => {
  const before = held()
  const seen = run()
  const bytes = held() - before
  return Math.round(bytes / Math.max(states, seen.size))
}

// ------------------------------------------------------------------------------------- two-phase commit, written by hand

interface ByHand {
  /** Of each manager w, p, c or a. */
  readonly managers: string
  readonly decision: "open" | "commit" | "abort"
  readonly noted: number
  readonly sent: number
}

const byHand = (count: number): Map<string, string> => {
  const first: ByHand = { managers: "w".repeat(count), decision: "open", noted: 0, sent: 0 }
  const keyOf = (state: ByHand): string => `${state.managers} ${state.decision} ${state.noted} ${state.sent}`
  const seen = new Map([[keyOf(first), ""]])
  let layer = [first]
  while (layer.length > 0) {
    const next: Array<ByHand> = []
    for (const state of layer) {
      const from = keyOf(state)
      const come = (successor: ByHand): void => {
        const key = keyOf(successor)
        if (seen.has(key)) return
        seen.set(key, from)
        next.push(successor)
      }
      const { decision, managers, noted, sent } = state
      for (let i = 0; i < count; i++) {
        const bit = 1 << i
        const become = (role: string) => managers.slice(0, i) + role + managers.slice(i + 1)
        if (managers[i] === "w") {
          come({ ...state, managers: become("p"), sent: sent | bit })
          come({ ...state, managers: become("a") })
        }
        if (decision === "open" && (sent & bit) !== 0) come({ ...state, noted: noted | bit })
        if (decision === "commit") come({ ...state, managers: become("c") })
        if (decision === "abort") come({ ...state, managers: become("a") })
      }
      if (decision !== "open") continue
      if (noted === (1 << count) - 1) come({ ...state, decision: "commit" })
      come({ ...state, decision: "abort" })
    }
    layer = next
  }
  return seen
}

// ----------------------------------------------------------------------------------------------------------- the report

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const paxos = checker(16_668, () => Paxos.model({ servers: 3, clients: 2 }))
const twoPhaseCommit = checker(296_448, () => TwoPhaseCommit.model({ managers: 7 }))
const floor: Search = { states: 296_448, run: () => byHand(7) }

const first = Math.round(statesPerSecond(paxos))

const figures = { paxos: [] as Array<number>, checker: [] as Array<number>, floor: [] as Array<number> }
for (let round = 0; round < rounds; round++) {
  // A run of Paxos is over in milliseconds.
  for (let repeat = 0; repeat < 5; repeat++) figures.paxos.push(statesPerSecond(paxos))
  figures.checker.push(statesPerSecond(twoPhaseCommit))
  figures.floor.push(statesPerSecond(floor))
}

// Last: a forced collection throws away compiled code, too.
const row = (rates: ReadonlyArray<number>, search: Search) => ({
  "unique states/s": Math.round(median(rates)),
  "bytes/state": bytesPerState(search)
})
const report = {
  "paxos 3×2, first run": { "unique states/s": first },
  "paxos 3×2": row(figures.paxos, paxos),
  "two-phase commit 7": row(figures.checker, twoPhaseCommit),
  "two-phase commit 7, by hand": row(figures.floor, floor)
}
if (json) console.log(JSON.stringify(report))
else console.table(report)
