/** Rumours in synchronous rounds, in the terms of Demers et al. 1987, §1.4. */
import { RumorMongering } from "@troupe/gossip"
import { publish } from "./hand.ts"
import { world } from "./rounds.ts"

const { defaults, protocol } = RumorMongering

/** The share that never hears, for feedback and a coin: the solution of s = e^−(k+1)(1−s). */
export const residueOf = (k: number): number => {
  let s = 0.1
  for (let i = 0; i < 200; i++) s = Math.exp(-(k + 1) * (1 - s))
  return s
}

/** One item to all nodes until nobody tells it on, averaged over runs; then so many rounds of the back-up. */
export const rumours = (given: {
  readonly nodes: number
  readonly runs: number
  readonly options?: Partial<RumorMongering.Options>
  readonly seed?: number
  readonly backups?: number
}) => {
  const { backups = 0, nodes, runs, seed = 1 } = given
  const options = { ...defaults, backupMillis: 0, messagesPerRound: 1_000_000, ...given.options }
  const sum = { residue: 0, traffic: 0, average: 0, last: 0 }
  let it = world(protocol, { nodes, options, seed })
  for (let run = 0; run < runs; run++) {
    if (run > 0) it = world(protocol, { nodes, options, seed: seed + run })
    let heard = 0
    let rounds = 0
    let last = 0
    it.onEvent = (_, event) => {
      if (event._tag !== "Heard") return
      heard++
      rounds += it.round
      last = it.round
    }
    it.command(0, publish())
    while (it.round < 1_000 && it.states.some(({ hot }) => hot.length > 0)) it.fire("round")
    sum.residue += (nodes - heard) / nodes
    sum.traffic += (it.sent.Rumours ?? 0) / nodes
    sum.average += rounds / heard
    sum.last += last
    for (let i = 0; i < backups; i++) it.fire("backup")
  }
  return {
    /** s: the share of nodes that never hear. */
    residue: sum.residue / runs,
    /** m: how often the item is sent, by the number of nodes. */
    traffic: sum.traffic / runs,
    /** t_ave and t_last, in rounds: when a node hears on average, and the last that does. */
    average: sum.average / runs,
    last: sum.last / runs,
    world: it
  }
}
