/**
 * What symmetry saves and costs: 5 Lamport clocks that send a message each (120 permutations), and Paxos with 6 servers and
 * a client (4 of the servers are interchangeable: 24), beside the same search without. In time of the processor, which other
 * programs that run do not count in.
 *
 *     npm run bench -- model-checker [--rounds 7]
 */
import { LamportClock } from "@troupe/clocks"
import { Checker, type Model, System } from "@troupe/model-checker"
import { Paxos } from "@troupe/model-checker/examples/index"
import { parseArgs } from "node:util"

const { json, rounds: given } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } }
}).values
const rounds = Number(given)

const nodes = ["n1", "n2", "n3", "n4", "n5"]

const clocks = System.make<any, any, LamportClock.Command, any, never, number>({
  name: "Lamport clocks",
  members: System.members(LamportClock.protocol, nodes, undefined),
  user: {
    memo: 0,
    moves: ({ memo, node }) =>
      (memo === 0 ? nodes.filter((other) => other !== node) : []).map((to) => ({
        _tag: "Command",
        command: { _tag: "Send", to },
        memo: 1
      }))
  },
  symmetry: [nodes],
  properties: System.guarantees(LamportClock.card).filter(({ kind }) => kind === "always")
})

interface Run {
  readonly states: number
  readonly seconds: number
}

const run = (model: Model.Checkable<any>, symmetry: boolean): Run => {
  const start = process.cpuUsage()
  const check = new Checker.Check(model, { symmetry })
  while (check.advance(0));
  const { system, user } = process.cpuUsage(start)
  return { states: check.progress().uniqueStates, seconds: (user + system) / 1e6 }
}

const median = (runs: ReadonlyArray<Run>): Run => runs.toSorted((a, b) => a.seconds - b.seconds)[runs.length >> 1]!

const cases = {
  "5 Lamport clocks": clocks,
  "paxos 6×1": Paxos.model({ servers: 6, clients: 1, interchangeable: 1 })
}
const report: Record<string, unknown> = {}
for (const [name, model] of Object.entries(cases)) {
  const full: Array<Run> = []
  const reduced: Array<Run> = []
  for (let round = 0; round < rounds; round++) {
    full.push(run(model, false))
    reduced.push(run(model, true))
  }
  for (const [how, { seconds, states }] of [["full", median(full)] as const, ["reduced", median(reduced)] as const]) {
    report[`${name}, ${how}`] = {
      states,
      milliseconds: Math.round(seconds * 1000),
      "states/s": Math.round(states / seconds)
    }
  }
}

if (json) console.log(JSON.stringify(report))
else console.table(report)
