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

interface Run {
  readonly statesPerSecond: number
  /** What the process holds when all states have been seen, without what it held before. */
  readonly bytesPerState: number
}

const held = (): number => {
  globalThis.gc?.()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const timed = (states: number, explore: () => { readonly size: number }): Run => {
  const before = held()
  const start = performance.now()
  const seen = explore()
  const seconds = (performance.now() - start) / 1000
  const bytes = held() - before
  if (seen.size !== states) throw new Error(`${seen.size} states instead of ${states}`)
  return { statesPerSecond: states / seconds, bytesPerState: bytes / states }
}

const checker = (states: number, model: () => Model.Checkable<any>): Run =>
  timed(states, () => {
    const check = new Checker.Check(model())
    while (check.advance(0));
    return { size: check.progress().uniqueStates, check }
  })

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

const medians = (runs: ReadonlyArray<Run>): Run => ({
  statesPerSecond: Math.round(median(runs.map(({ statesPerSecond }) => statesPerSecond))),
  bytesPerState: Math.round(median(runs.map(({ bytesPerState }) => bytesPerState)))
})

const paxos = (): Run => checker(16_668, () => Paxos.model({ servers: 3, clients: 2 }))
const twoPhaseCommit = (): Run => checker(296_448, () => TwoPhaseCommit.model({ managers: 7 }))
const floor = (): Run => timed(296_448, () => byHand(7))

const cold = paxos()
const runs = Array.from({ length: rounds }, () => ({ paxos: paxos(), checker: twoPhaseCommit(), floor: floor() }))
const warm = medians(runs.map((run) => run.paxos))
const large = medians(runs.map((run) => run.checker))
const hand = medians(runs.map((run) => run.floor))

const report = {
  "paxos 3×2, first run": { "unique states/s": Math.round(cold.statesPerSecond) },
  "paxos 3×2": { "unique states/s": warm.statesPerSecond, "bytes/state": warm.bytesPerState },
  "two-phase commit 7": { "unique states/s": large.statesPerSecond, "bytes/state": large.bytesPerState },
  "two-phase commit 7, by hand": { "unique states/s": hand.statesPerSecond, "bytes/state": hand.bytesPerState }
}
if (json) console.log(JSON.stringify(report))
else console.table(report)
